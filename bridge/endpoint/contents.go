package endpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Contents are the bytes of a file, opened, and the revision that they are, which is
// Target's. A body that is not what Size says ends with [dav.ErrIncomplete]; one whose
// hash is not known yet is hashed while it is read. Close must be called.
type Contents struct {
	io.ReadCloser
	Target locks.Target
	Size   int64 // in bytes; -1 unknown
}

// Contents opens the bytes of q's file: those that wait for the upstream, or by a single
// GET if that proves which revision they are, or between two looks.
func (e *Endpoint) Contents(ctx context.Context, q *Request) (*Contents, error) {
	t, err := e.Known(ctx, q)
	if err != nil {
		return nil, err
	}
	content, err := e.openWaiting(ctx, q, &t)
	if err == nil && content == nil {
		content, err = e.openKnown(ctx, &t)
	}
	if err == nil && content == nil {
		content, err = e.openLooked(ctx, q, &t)
	}
	if err != nil {
		return nil, err
	}
	// An upstream that compresses what it sends does not say how much it is; the
	// look has.
	size := content.Size
	if size < 0 {
		size = t.File.Revision.Size
	}
	body := &reading{content: content, size: size, house: e, ctx: ctx, file: t.File}
	if len(t.File.Revision.SHA256) == 0 {
		body.sum = sha256.New()
	}
	return &Contents{ReadCloser: body, Target: t, Size: size}, nil
}

// SeenOrWaiting is [Endpoint.Seen] for a file of which a save may wait (DESIGN 7.5):
// its revision is the waiting one then, and it is shown while the upstream is away to
// those who may see it. waiting is nil if nothing waits.
func (e *Endpoint) SeenOrWaiting(ctx context.Context, q *Request) (t locks.Target, waiting *saves.Waiting, err error) {
	t, err = e.Seen(ctx, q)
	waiting, waitErr := e.Saves.Waiting(ctx, q.File)
	switch {
	case waitErr != nil:
		return t, nil, errors.Join(err, waitErr)
	case err == nil:
		e.Saves.Saw(q.File, q.Actor.UserID)
	case waiting != nil:
		shown, showErr := e.Saves.MayShow(ctx, waiting, q.Actor, err)
		if showErr != nil || !shown {
			return t, nil, errors.Join(err, showErr)
		}
		if t, err = e.Known(ctx, q); err != nil {
			return t, nil, err
		}
		t.File.Revision = waiting.Revision
		return t, waiting, nil
	}
	if err != nil || waiting == nil {
		return t, nil, err
	}
	if waiting.NeedsSignIn && q.Rights >= access.Edit {
		if err := e.Saves.Lend(ctx, waiting, t); err != nil {
			return t, nil, err
		}
	}
	t.File.Revision = waiting.Revision
	return t, waiting, nil
}

// openWaiting opens the bytes that wait for the upstream; nil if none do.
func (e *Endpoint) openWaiting(ctx context.Context, q *Request, t *locks.Target) (*davbackend.Content, error) {
	waiting, err := e.Saves.Waiting(ctx, q.File)
	if err != nil || waiting == nil {
		return nil, err
	}
	seen, waiting, err := e.SeenOrWaiting(ctx, q)
	if err != nil || waiting == nil {
		return nil, err
	}
	return e.openThat(ctx, waiting, seen, t)
}

// openThat opens the bytes of waiting, which seen shows, and makes t that; nil if they have
// just arrived.
func (e *Endpoint) openThat(ctx context.Context, waiting *saves.Waiting, seen locks.Target, t *locks.Target) (*davbackend.Content, error) {
	body, err := e.Saves.OpenWaiting(ctx, waiting)
	if errors.Is(err, saves.ErrNoEntry) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	*t = seen
	return &davbackend.Content{ReadCloser: body, Size: waiting.Revision.Size}, nil
}

// openKnown opens the bytes with a single GET. It returns nil if that GET does not
// prove that they are the known revision.
func (e *Endpoint) openKnown(ctx context.Context, t *locks.Target) (*davbackend.Content, error) {
	known := t.File.Revision
	if known.ETag == "" && known.Modified.IsZero() {
		return nil, nil
	}
	content, err := t.View.Get(ctx, t.File.Path, 0, -1)
	if err != nil {
		return nil, nil // moved, perhaps: the look decides
	}
	if proves(content, known.ETag, known.Modified, known.Size) {
		return content, nil
	}
	content.Close()
	return nil, nil
}

// proves reports whether an answer shows what was seen: by the ETag, or, where a look at the
// server shows none (nginx), by the time, since one look more would show nothing else.
func proves(c *davbackend.Content, etag dav.ETag, modified time.Time, size int64) bool {
	if etag == "" {
		return size >= 0 && fits(c, size) && !modified.IsZero() && c.Modified.Equal(modified)
	}
	return c.ETag.Same(etag) && fits(c, size)
}

// openLooked opens the bytes between two looks, so that they are known to be the
// revision that both saw, whatever the upstream's GET says of itself. If a save of the file
// has begun to wait since nothing did, the look has its strings, and its bytes are opened.
func (e *Endpoint) openLooked(ctx context.Context, q *Request, t *locks.Target) (*davbackend.Content, error) {
	const tries = 3
	for range tries {
		before, waiting, err := e.SeenOrWaiting(ctx, q)
		if err != nil {
			return nil, err
		}
		if waiting != nil {
			if content, err := e.openThat(ctx, waiting, before, t); err != nil || content != nil {
				return content, err
			}
			continue
		}
		content, err := before.View.Get(ctx, before.File.Path, 0, -1)
		if err != nil {
			return nil, err
		}
		*t = before
		if proves(content, before.Seen.ETag, before.Seen.Modified, before.Seen.Size) {
			return content, nil
		}
		after, err := e.Seen(ctx, q)
		if err == nil && after.File.Revision.Number == before.File.Revision.Number && fits(content, after.Seen.Size) {
			return content, nil
		}
		content.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("endpoint: the file kept changing while it was opened: %w", locks.ErrBusy)
}

// fits reports whether an answer may be what a look showed with size bytes. One of
// unknown length is held to it while it is read.
func fits(c *davbackend.Content, size int64) bool { return c.Size == size || c.Size < 0 }

// reading hashes what it hands on where nobody has, so that a later change of ETag alone
// can be told from a change of contents.
type reading struct {
	content *davbackend.Content
	size    int64     // that the reader is told; -1 unknown
	sum     hash.Hash // nil: the revision has its hash
	n       int64
	house   *Endpoint
	ctx     context.Context
	file    idmap.Entry
}

// Read reads from the upstream.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	r.n += int64(n)
	if r.sum != nil {
		r.sum.Write(p[:n])
	}
	if r.size >= 0 && (r.n > r.size || err == io.EOF && r.n != r.size) {
		return n, fmt.Errorf("endpoint: %d bytes of %d: %w", r.n, r.size, dav.ErrIncomplete)
	}
	if err == io.EOF && r.n == r.size && r.sum != nil {
		if err := r.house.IDs.Hash(r.ctx, r.file.ID, r.file.Revision.Number, r.sum.Sum(nil)); err != nil {
			return n, fmt.Errorf("endpoint: remember hash: %w", err)
		}
	}
	return n, err
}

// Close ends the upstream's answer.
func (r *reading) Close() error { return r.content.Close() }
