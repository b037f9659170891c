package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"davwopi/oauth"
)

// A Deed is something that an operator may want to be able to look up later.
type Deed struct {
	// What is a word of few: sign_in, sign_out, phone (a program on a phone is let in), share, revoke,
	// release, restore, undo, drop, deliver, delete, open, api_key, invite, app_password,
	// app_password_revoked, backup.
	What string
	// Who did it; zero if that is not known, or if it was the operator on the command line.
	Who oauth.Principal
	// UserID is Who's where only that is known.
	UserID string
	// Tried is the user name that somebody typed whom we do not know.
	Tried string
	// By is how: browser, editor, dav, api, command.
	By string
	// File is the ID of the document, ID that of a link, a save, a password.
	File, ID string
	// Name is the document's; it is written only if names are.
	Name string
	// Err says why it came to nothing; nil: it was done. Only its innermost causes are written.
	Err error
}

// An Audit appends deeds to a file, a line of JSON each, and syncs it before it returns. The
// nil *Audit writes nothing. It may be used concurrently.
type Audit struct {
	path  string // "": standard error
	names bool
	fault func(error)
	now   func() time.Time

	mu      sync.Mutex
	to      io.Writer // guarded by mu
	file    *os.File  // behind to; nil: none; guarded by mu
	minute  time.Time // when counting of refusals began; guarded by mu
	refused int       // since; guarded by mu
}

// maxTried bounds what a stranger typed, in bytes.
const maxTried = 128

// mostRefused is how many refusals are written in a minute: strangers must not fill the disk.
const mostRefused = 100

// OpenAudit opens the file at path, mode 0600, or standard error for "-". names has the names of
// documents written. fault hears of deeds that could not be written.
func OpenAudit(path string, standardError io.Writer, names bool, fault func(error)) (*Audit, error) {
	a := &Audit{path: path, names: names, fault: fault, now: time.Now}
	if path == "-" {
		a.path, a.to = "", standardError
		return a, nil
	}
	return a, a.Reopen()
}

// Reopen opens the file of that name anew: the old one was renamed. If that fails the old one is
// kept.
func (a *Audit) Reopen() error {
	if a == nil || a.path == "" {
		return nil
	}
	f, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("bridge: audit log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.file
	a.file, a.to = f, f
	if old != nil {
		return old.Close()
	}
	return nil
}

// Close closes the file.
func (a *Audit) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file, a.to = nil, io.Discard
	return err
}

// auditLine is a deed as it is written.
type auditLine struct {
	Time     time.Time `json:"time"`
	What     string    `json:"what"`
	Done     bool      `json:"done"`
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"`
	From     string    `json:"from,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Name     string    `json:"name,omitempty"`
	UserID   string    `json:"user_id,omitempty"`
	Tried    string    `json:"tried,omitempty"`
	File     string    `json:"file,omitempty"`
	ID       string    `json:"id,omitempty"`
	Document string    `json:"document,omitempty"`
	Request  string    `json:"request,omitempty"`
	Unsaid   int       `json:"unsaid,omitempty"` // refusals in the minute before that have no line
}

// Deed writes one. ctx is that of the request with which it was done, from the address that it
// came from, with or without a port; "" none.
func (a *Audit) Deed(ctx context.Context, from string, d Deed) {
	if a == nil {
		return
	}
	l := auditLine{
		What: d.What, Done: d.Err == nil, By: d.By, Issuer: d.Who.Issuer, Subject: d.Who.Subject, Name: d.Who.Name,
		UserID: d.UserID, Tried: d.Tried[:min(len(d.Tried), maxTried)], File: d.File, ID: d.ID,
	}
	if d.Err != nil {
		l.Reason = Cause(d.Err)
	}
	if d.Who.Subject != "" {
		l.UserID = d.Who.UserID()
	}
	if a.names {
		l.Document = d.Name
	}
	l.Request, l.From = requestNumber(ctx), from
	if host, _, err := net.SplitHostPort(from); err == nil {
		l.From = host
	}
	if err := a.write(l); err != nil {
		a.fault(fmt.Errorf("bridge: audit log: %w", err))
	}
}

func (a *Audit) write(l auditLine) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.Time = a.now().UTC()
	if l.Time.Sub(a.minute) >= time.Minute {
		l.Unsaid = max(a.refused-mostRefused, 0)
		a.minute, a.refused = l.Time, 0
	}
	if !l.Done {
		if a.refused++; a.refused > mostRefused {
			return nil
		}
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if _, err := a.to.Write(append(text, '\n')); err != nil {
		return err
	}
	if a.file != nil {
		return a.file.Sync()
	}
	return nil
}
