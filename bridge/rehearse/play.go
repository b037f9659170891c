package rehearse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// office is the editor that is played: one that is told of conflicts by 409 and
// whose bytes are kept in a copy.
const office = wopi.TextEditor

// A document is open in the editor.
type document struct {
	s    *stage
	id   idmap.FileID
	path dav.Path // where it was opened
	lock wopi.LockID
	text string // that the editor has saved last

	ours, theirs string // what the editor and somebody else will write
}

// open makes a document and opens it: CheckFileInfo, GetFile, Lock.
func (s *stage) open(ctx context.Context, text string) (*document, error) {
	s.n++
	p, err := s.dir.Join(fmt.Sprintf("scene %d.txt", s.n))
	if err != nil {
		return nil, err
	}
	if err := s.write(ctx, p, text); err != nil {
		return nil, err
	}
	res, err := s.view.Stat(ctx, p)
	if err != nil {
		return nil, err
	}
	e, err := s.IDs.At(ctx, s.space, res)
	if err != nil {
		return nil, err
	}
	d := &document{
		s: s, id: e.ID, path: p, lock: wopi.LockID(fmt.Sprintf("rehearsal %d", s.n)), text: text,
		ours:   fmt.Sprintf("%d: what was written in the editor, and saved", s.n),
		theirs: fmt.Sprintf("%d: what somebody else has written meanwhile", s.n),
	}
	s.opened = append(s.opened, e.ID)
	sum := sha256.Sum256([]byte(text))
	if err := s.IDs.Hash(ctx, e.ID, e.Revision.Number, sum[:]); err != nil {
		return nil, err
	}
	if err := s.Locks.Read(ctx, e.ID, s.actor, e.Revision.Number); err != nil {
		return nil, err
	}
	return d, s.Locks.Lock(ctx, s.target(e, res), s.actor, d.lock)
}

func (s *stage) target(e idmap.Entry, res dav.Resource) locks.Target {
	return locks.Target{File: e, Seen: res, Upstream: s.upstream, View: s.view, Pin: s.pin}
}

// target looks the document up, as each request of an editor does.
func (d *document) target(ctx context.Context) (locks.Target, error) {
	e, res, err := d.s.IDs.Find(ctx, d.s.space, d.id, d.s.view)
	return d.s.target(e, res), err
}

// save is PutFile.
func (d *document) save(ctx context.Context, text string) error {
	known, err := d.s.IDs.Known(ctx, d.s.space, d.id)
	if err != nil {
		return err
	}
	return d.saveAs(ctx, d.s.target(known, dav.Resource{}), text)
}

func (d *document) saveAs(ctx context.Context, t locks.Target, text string) error {
	_, err := d.s.Saves.Put(ctx, t, d.s.actor, saves.Put{Lock: &d.lock, Body: strings.NewReader(text), Length: int64(len(text)), NoWait: true})
	if err == nil {
		d.text = text
	}
	return err
}

// close is Unlock.
func (d *document) close(ctx context.Context) error {
	known, err := d.s.IDs.Known(ctx, d.s.space, d.id)
	if err != nil {
		return err
	}
	return d.s.Locks.Unlock(ctx, d.s.target(known, dav.Resource{}), d.s.actor, d.lock)
}

// write is the stranger: a WebDAV program that shows no token.
func (s *stage) write(ctx context.Context, p dav.Path, text string) error {
	return s.view.Put(ctx, p, davbackend.Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }, Size: int64(len(text)), Type: "text/plain",
	}, davbackend.Condition{})
}

// isRefused reports whether the upstream has said no to the stranger.
func isRefused(err error) bool {
	for _, no := range []error{dav.ErrLocked, dav.ErrChanged, dav.ErrDenied} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// read gives the contents at p, "" if there is nothing.
func (s *stage) read(ctx context.Context, p dav.Path) (string, error) {
	content, err := s.view.Get(ctx, p, 0, -1)
	if errors.Is(err, dav.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer content.Close()
	b, err := io.ReadAll(io.LimitReader(content, 1<<20))
	return string(b), err
}

// where finds the names under which contents lie in the folder.
func (s *stage) where(ctx context.Context, text string) (names []dav.Path, err error) {
	var all []dav.Path
	err = s.view.List(ctx, s.dir, func(res dav.Resource) error {
		if !res.Collection {
			all = append(all, res.Path)
		}
		return nil
	})
	for _, p := range all {
		got, readErr := s.read(ctx, p)
		if err = errors.Join(err, readErr); got == text {
			names = append(names, p)
		}
	}
	return names, err
}

// dropLock makes the upstream forget the lock, as a restart of the server does, or
// somebody who comes by SMB, past it.
func (d *document) dropLock(ctx context.Context) error {
	state, err := d.s.Locks.State(ctx, d.id)
	if err != nil || state.Shadow.Token == "" {
		return err
	}
	return d.s.view.Unlock(ctx, state.Shadow.Path, state.Shadow.Token)
}
