package office

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"

	"davwopi/bridge/wopi"
)

// A Session is one editing of one file, with the requests that the office sends
// in their order. It is for one goroutine.
type Session struct {
	Client   *Client
	Info     wopi.CheckFileInfo
	Contents []byte // as read, then as saved last
	LockID   string
	ReadOnly bool // the host said so, or did not give the lock

	stamp string // LastModifiedTime as the host gave it last; Collabora and ONLYOFFICE send it back
}

// notKey are the characters that ONLYOFFICE replaces in its keys.
var notKey = regexp.MustCompile(`[^0-9A-Za-z._=-]`)

// Open begins an editing as the office does. An answer that makes the office show
// an error page is an error here.
func (c *Client) Open(ctx context.Context) (*Session, error) {
	s := &Session{Client: c, LockID: c.lockID()}
	answer, err := c.CheckFileInfo(ctx)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("office: CheckFileInfo: %s", answer)
	}
	if err := answer.JSON(&s.Info); err != nil {
		return nil, err
	}
	s.stamp = s.Info.LastModifiedTime
	s.ReadOnly = !s.Info.UserCanWrite
	steps := []func(context.Context) error{s.lock, s.read}
	if c.Office == wopi.Collabora {
		steps = []func(context.Context) error{s.read, s.lock}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// lockID is as each office makes it: Collabora's is new for each document that it
// loads, ONLYOFFICE's is the same for everybody and always.
func (c *Client) lockID() string {
	switch {
	case c.LockID != "":
		return c.LockID
	case c.Office == wopi.Collabora:
		return "cool-lock" + strings.ToLower(rand.Text()[:8])
	case c.Office == wopi.OnlyOffice:
		base, _, _ := strings.Cut(c.WOPISrc, "?")
		return notKey.ReplaceAllString(path.Base(base), "_")
	}
	return `{"S":"` + rand.Text() + `","F":4}`
}

func (s *Session) lock(ctx context.Context) error {
	if s.ReadOnly || !s.Info.SupportsLocks {
		return nil
	}
	answer, err := s.Client.Lock(ctx, s.LockID)
	if err != nil {
		return err
	}
	// without the lock Collabora and ONLYOFFICE go on read-only
	s.ReadOnly = answer.Status != http.StatusOK
	return nil
}

func (s *Session) read(ctx context.Context) error {
	answer, err := s.Client.GetFile(ctx, s.maxExpectedSize())
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("office: GetFile: %s", answer)
	}
	s.Contents = answer.Body
	return nil
}

// maxExpectedSize is ONLYOFFICE's limit; Collabora sends none.
func (s *Session) maxExpectedSize() int64 {
	if s.Client.Office == wopi.OnlyOffice {
		return 104857600
	}
	return -1
}

// Save sends the contents. Exit says that it is the last save before closing. The
// answer is the host's; whether it was a success the office decides like this:
// exactly 200.
func (s *Session) Save(ctx context.Context, contents []byte, exit bool) (Answer, error) {
	return s.put(ctx, contents, exit, s.stamp)
}

// Overwrite is what Collabora sends when the person has chosen to overwrite a
// document that was changed in storage: a save without a timestamp.
func (s *Session) Overwrite(ctx context.Context, contents []byte) (Answer, error) {
	return s.put(ctx, contents, false, "")
}

func (s *Session) put(ctx context.Context, contents []byte, exit bool, stamp string) (Answer, error) {
	header := map[string]string{}
	switch s.Client.Office {
	case wopi.Collabora:
		header[wopi.HeaderCoolIsModifiedByUser] = "true"
		header[wopi.HeaderCoolIsAutosave] = "false"
		header[wopi.HeaderCoolIsExitSave] = fmt.Sprint(exit)
		if stamp != "" {
			header[wopi.HeaderCoolTimestamp] = stamp
		}
	case wopi.OnlyOffice:
		header[wopi.HeaderEditors] = s.Info.UserId
		header[wopi.HeaderLoolIsModifiedByUser] = "true" // never "false": left out then
		if exit {
			header[wopi.HeaderLoolIsExitSave] = "true"
		}
		if stamp != "" {
			header[wopi.HeaderLoolTimestamp] = stamp
		}
	default:
		header[wopi.HeaderEditors] = s.Info.UserId
	}
	lock := s.LockID
	if s.Client.Office == wopi.Collabora && !s.Info.SupportsLocks {
		lock = ""
	}
	answer, err := s.Client.PutFile(ctx, lock, contents, header)
	if err != nil || answer.Status != http.StatusOK {
		return answer, err
	}
	s.Contents = contents
	var info wopi.PutFileInfo
	if len(answer.Body) > 0 && answer.JSON(&info) == nil && info.LastModifiedTime != "" {
		s.stamp = info.LastModifiedTime
	}
	return answer, nil
}

// Refresh keeps the lock alive: Collabora by LOCK, the others by REFRESH_LOCK.
func (s *Session) Refresh(ctx context.Context) (Answer, error) {
	if s.Client.Office == wopi.Collabora {
		return s.Client.Lock(ctx, s.LockID)
	}
	return s.Client.RefreshLock(ctx, s.LockID)
}

// Close ends the editing. It returns the zero Answer if there is no lock to
// release.
func (s *Session) Close(ctx context.Context) (Answer, error) {
	if s.ReadOnly || !s.Info.SupportsLocks {
		return Answer{}, nil
	}
	return s.Client.Unlock(ctx, s.LockID)
}
