package docsapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A source is a result of a document server that is to be stored.
type source struct {
	url      string
	fileType string // "" that of the file
	at       int64  // time of the last change in it, ms; 0 unknown
	final    bool   // the session ends with it
}

// what names the source among those of its key.
func (s source) what() string {
	sum := sha256.Sum256([]byte(s.url))
	return hex.EncodeToString(sum[:])
}

// contents names what was stored by its SHA-256, among the same.
func contents(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// save stores a result. It returns nil when the bytes are durable: in the file, in a copy
// beside it, or in the journal on their way there. In every case of error the document
// server is to keep them.
func (d *Docs) save(ctx context.Context, server *Server, s *session, q *endpoint.Request, from source) error {
	after, over := live, s.state == closed
	if from.final {
		after = closed
	}
	done, err := d.isDone(ctx, s.key, from.what())
	if err != nil {
		return err
	}
	overtaken := from.at > 0 && from.at < s.ordered || from.at > 0 && from.at == s.ordered && !from.final && s.state == closed
	switch {
	case done || overtaken && !from.final: // something newer of this session is stored, or will be
	case overtaken:
		if err := d.keepOvertaken(ctx, server, s, q, from); err != nil {
			return d.unstored(ctx, s, q, from, err)
		}
	default:
		base, sum, err := d.store(ctx, server, s, q, from)
		if err != nil {
			return d.unstored(ctx, s, q, from, err)
		}
		if err := d.stored(ctx, s, after, base, from.at, from.what(), contents(sum)); err != nil {
			return err
		}
	}
	if !from.final && !over {
		return nil
	}
	if err := d.set(ctx, s, closed, `users = '[]'`); err != nil {
		return err
	}
	// The bytes are safe. A lock that cannot be given back now runs out by itself.
	if err := d.release(ctx, s, q); err != nil {
		d.OnError("docs: giving back the lock of a session", err)
	}
	return nil
}

// unstored is what follows when a result could not be stored: the session stays as it is
// while the document server tries again, and its lock until it runs out.
func (d *Docs) unstored(ctx context.Context, s *session, q *endpoint.Request, from source, cause error) error {
	if !from.final || s.state == closed {
		return cause
	}
	if err := d.remember(ctx, s, q); err != nil {
		cause = errors.Join(cause, err)
	}
	if err := d.set(ctx, s, failed, `users = '[]'`); err != nil {
		cause = errors.Join(cause, err)
	}
	select {
	case d.poke <- struct{}{}: // Run looks for it among the forgotten
	default:
	}
	return cause
}

// A storing is one result on its way to where it stays.
type storing struct {
	*Docs
	server  *Server
	session *session
	q       *endpoint.Request
	from    source
	t       locks.Target
	sum     hash.Hash // SHA-256 of what was stored
}

// store brings a result to the file, and returns the revision that it has become, 0 if
// it has become a copy beside it, and the SHA-256 of its bytes.
func (d *Docs) store(ctx context.Context, server *Server, s *session, q *endpoint.Request, from source) (int64, []byte, error) {
	if from.url == "" {
		return 0, nil, fmt.Errorf("docsapi: %w: no url", wopi.ErrMalformed)
	}
	if _, err := server.owns(from.url); err != nil {
		return 0, nil, err
	}
	t, err := d.Known(ctx, q)
	if err != nil {
		return 0, nil, err
	}
	one := &storing{Docs: d, server: server, session: s, q: q, from: from, t: t, sum: sha256.New()}
	if err := one.inOwnFormat(ctx); err != nil {
		return 0, nil, err
	}
	base, err := one.whereItBelongs(ctx)
	return base, one.sum.Sum(nil), err
}

// whereItBelongs is the file, if the session may still write it, else a copy.
func (o *storing) whereItBelongs(ctx context.Context) (int64, error) {
	if _, ext := wopi.SplitExt(o.t.File.Name); o.from.fileType != "" && !sameType(ext, o.from.fileType) {
		return 0, o.beside(ctx, "recovered")
	}
	id := wopi.LockID(o.session.key)
	err := o.Locks.MayWrite(ctx, o.t, o.q.Actor, &id)
	var mismatch *locks.MismatchError
	if errors.As(err, &mismatch) {
		// The session never got its lock, or lost it long ago.
		err = o.takeLock(ctx, o.session, o.q)
	}
	switch {
	case errors.As(err, &mismatch):
		return 0, o.beside(ctx, "conflict")
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		return 0, o.beside(ctx, "recovered")
	case err != nil:
		return 0, err
	}
	return o.put(ctx)
}

func (o *storing) put(ctx context.Context) (int64, error) {
	body, err := o.server.fetch(ctx, o.from.url)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	id := wopi.LockID(o.session.key)
	revision, err := o.Saves.Put(ctx, o.t, o.q.Actor, saves.Put{
		Lock: &id, Body: io.TeeReader(body, o.sum), Length: body.length, Writer: o.q.Grant.Principal.Name,
	})
	var conflict *saves.ConflictError
	var mismatch *locks.MismatchError
	switch {
	case err == nil:
		return revision.Number, nil
	case errors.As(err, &conflict) && (conflict.Diverted || conflict.Copy != ""):
		return 0, nil // they are in a copy beside the file
	case errors.As(err, &mismatch):
		return 0, o.beside(ctx, "conflict") // somebody else has taken the file while the bytes came in
	}
	return 0, err
}

// beside makes a file of its own of the result, next to where the document is or was last.
func (o *storing) beside(ctx context.Context, word string) error {
	body, err := o.server.fetch(ctx, o.from.url)
	if err != nil {
		return err
	}
	defer body.Close()
	now, err := o.DB.Now(ctx)
	if err != nil {
		return err
	}
	name := o.t.File.Name
	if stem, ext := wopi.SplitExt(name); o.from.fileType != "" && !sameType(ext, o.from.fileType) {
		name = stem + "." + o.from.fileType
	}
	o.sum.Reset()
	_, err = o.Saves.Create(ctx, saves.Place{
		Space: o.t.File.Space, Upstream: o.t.Upstream, View: o.t.View, Folder: o.t.File.Path.Parent(), Pin: o.t.Pin,
		Writer: o.q.Grant.Principal.Name, User: o.q.Actor.UserID,
	}, saves.CopyNames(name, word, o.q.Grant.Principal.Name, now), io.TeeReader(body, o.sum), body.length)
	return err
}

// convertBack is how long a result is converted before it is kept as it is.
const convertBack = 3 * time.Minute

// sameType compares an extension, with or without its dot, with a file type.
func sameType(ext, fileType string) bool {
	return strings.EqualFold(strings.TrimPrefix(ext, "."), fileType)
}

// inOwnFormat turns the result into the format of the file, where a document server is set
// up to give OOXML back (assemblyFormatAsOrigin off). What cannot be turned stays.
func (o *storing) inOwnFormat(ctx context.Context) error {
	o.from.fileType = strings.ToLower(strings.TrimPrefix(o.from.fileType, "."))
	if o.from.fileType != "" && !plainType(o.from.fileType) {
		return fmt.Errorf("docsapi: %w: filetype", wopi.ErrMalformed)
	}
	_, ext := wopi.SplitExt(o.t.File.Name)
	if o.from.fileType == "" || ext == "" || sameType(ext, o.from.fileType) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, convertBack)
	defer cancel()
	made, err := o.server.ConvertWhole(ctx, Conversion{
		Key: string(o.session.file) + "-" + o.from.what()[:32], FileType: o.from.fileType,
		Output: strings.ToLower(strings.TrimPrefix(ext, ".")), URL: o.from.url, Title: o.t.File.Name,
	})
	if err != nil || !sameType(ext, made.Type) {
		o.OnError("docs: a result in another format could not be converted back; it is kept beside its file", errors.Join(errFormat, err))
		return nil
	}
	o.from.url, o.from.fileType = made.URL, made.Type
	_, err = o.server.owns(o.from.url)
	return err
}

var errFormat = errors.New("docsapi: the result is in another format than the file")

// plainType tells extensions that can be part of a name.
func plainType(ext string) bool {
	if ext == "" || len(ext) > 10 {
		return false
	}
	return strings.Trim(ext, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// recovered is status 3: the document server could not make a sound document. What it
// has is kept beside the file, which stays as it is.
func (d *Docs) recovered(ctx context.Context, server *Server, s *session, q *endpoint.Request, t told) error {
	d.OnError("docs: a save failed on the document server; what it has is kept beside the file", errCorrupted)
	from := source{url: t.URL, fileType: strings.ToLower(t.FileType), at: t.when(), final: true}
	if t.URL != "" {
		if err := d.keepBeside(ctx, server, s, q, from); err != nil {
			return d.unstored(ctx, s, q, from, err)
		}
	}
	if err := d.set(ctx, s, closed, `users = '[]'`); err != nil {
		return err
	}
	if err := d.release(ctx, s, q); err != nil {
		d.OnError("docs: giving back the lock of a session", err)
	}
	return nil
}

// keepOvertaken keeps the last result of a session beside the file if the session has stored
// another one that is newer by its time, and other bytes. That it was overtaken is likely; but
// when the clock of the document server was set back it has what was typed since.
func (d *Docs) keepOvertaken(ctx context.Context, server *Server, s *session, q *endpoint.Request, from source) error {
	had, err := d.hasAlready(ctx, server, s, q, from.url)
	if err != nil || had {
		return err
	}
	from.fileType = strings.ToLower(strings.TrimPrefix(from.fileType, "."))
	return d.keepBeside(ctx, server, s, q, from)
}

func (d *Docs) keepBeside(ctx context.Context, server *Server, s *session, q *endpoint.Request, from source) error {
	done, err := d.isDone(ctx, s.key, from.what())
	if err != nil || done {
		return err
	}
	if from.fileType != "" && !plainType(from.fileType) {
		return fmt.Errorf("docsapi: %w: filetype", wopi.ErrMalformed)
	}
	t, err := d.Known(ctx, q)
	if err != nil {
		return err
	}
	one := &storing{Docs: d, server: server, session: s, q: q, from: from, t: t, sum: sha256.New()}
	if err := one.beside(ctx, "recovered"); err != nil {
		return err
	}
	return d.stored(ctx, s, closed, 0, from.at, from.what(), contents(one.sum.Sum(nil)))
}
