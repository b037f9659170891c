package files

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// getFile is WOPI's GetFile: the bytes, streamed, with the version that they are.
func (f *Files) getFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	return f.get(ctx, q, func(int64) error { return nil })
}

// get is getFile; may says whether the revision that was opened is to be given.
func (f *Files) get(ctx context.Context, q *endpoint.Request, may func(revision int64) error) (wopi.Response, error) {
	t, err := f.Known(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	content, err := f.openWaiting(ctx, q, &t)
	if err == nil && content == nil {
		content, err = f.openKnown(ctx, &t)
	}
	if err == nil && content == nil {
		content, err = f.openLooked(ctx, q, &t)
	}
	if err != nil {
		return wopi.Response{}, err
	}
	if err := may(t.File.Revision.Number); err != nil {
		content.Close()
		return wopi.Response{}, err
	}
	// An upstream that compresses what it sends does not say how much it is; the
	// look has.
	size := content.Size
	if size < 0 {
		size = t.File.Revision.Size
	}
	if size > q.Headers.MaxExpectedSize {
		content.Close()
		return wopi.Response{}, &wopi.Error{
			Status: http.StatusPreconditionFailed,
			Reason: fmt.Sprintf("the file has %d bytes, %d are expected at most", size, q.Headers.MaxExpectedSize),
		}
	}
	if q.Rights >= access.Edit { // what a reader saw is no base for anybody's save
		if err := f.Locks.Read(ctx, q.File, q.Actor, t.File.Revision.Number); err != nil {
			content.Close()
			return wopi.Response{}, err
		}
	}
	return wopi.Response{
		ItemVersion: t.File.Revision.Version,
		Stream: &wopi.Stream{
			Body: &reading{content: content, size: size, sum: sha256.New(), files: f, ctx: ctx, file: t.File},
			Size: size,
			Name: t.File.Name,
		},
	}, nil
}

// openKnown opens the bytes with a single GET. It returns nil if that GET does not
// prove that they are the known revision.
func (f *Files) openKnown(ctx context.Context, t *locks.Target) (*davbackend.Content, error) {
	known := t.File.Revision
	if known.ETag == "" {
		return nil, nil
	}
	content, err := t.View.Get(ctx, t.File.Path, 0, -1)
	if err != nil {
		return nil, nil // moved, perhaps: the look decides
	}
	if content.ETag.Same(known.ETag) && fits(content, known.Size) {
		return content, nil
	}
	content.Close()
	return nil, nil
}

// openLooked opens the bytes between two looks, so that they are known to be the
// revision that both saw, whatever the upstream's GET says of itself.
func (f *Files) openLooked(ctx context.Context, q *endpoint.Request, t *locks.Target) (*davbackend.Content, error) {
	const tries = 3
	for range tries {
		before, err := f.Seen(ctx, q)
		if err != nil {
			return nil, err
		}
		content, err := before.View.Get(ctx, before.File.Path, 0, -1)
		if err != nil {
			return nil, err
		}
		*t = before
		if content.ETag.Same(before.Seen.ETag) && fits(content, before.Seen.Size) {
			return content, nil
		}
		after, err := f.Seen(ctx, q)
		if err == nil && after.File.Revision.Number == before.File.Revision.Number && fits(content, after.Seen.Size) {
			return content, nil
		}
		content.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("files: the file kept changing while it was opened: %w", locks.ErrBusy)
}

// fits reports whether an answer may be what a look showed with size bytes. One of
// unknown length is held to it while it is read.
func fits(c *davbackend.Content, size int64) bool { return c.Size == size || c.Size < 0 }

// reading hashes what it hands on, so that a later change of ETag alone can be
// told from a change of contents.
type reading struct {
	content *davbackend.Content
	size    int64 // that the editor was told; -1 unknown
	sum     hash.Hash
	n       int64
	files   *Files
	ctx     context.Context
	file    idmap.Entry
}

// Read reads from the upstream.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	r.sum.Write(p[:n])
	r.n += int64(n)
	if r.size >= 0 && (r.n > r.size || err == io.EOF && r.n != r.size) {
		return n, fmt.Errorf("files: %d bytes of %d: %w", r.n, r.size, dav.ErrIncomplete)
	}
	if err == io.EOF && r.n == r.size && len(r.file.Revision.SHA256) == 0 {
		if err := r.files.IDs.Hash(r.ctx, r.file.ID, r.file.Revision.Number, r.sum.Sum(nil)); err != nil {
			return n, fmt.Errorf("files: remember hash: %w", err)
		}
	}
	return n, err
}

// Close ends the upstream's answer.
func (r *reading) Close() error { return r.content.Close() }
