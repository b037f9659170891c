package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"davwopi/davbackend/dav"
)

// MaxChunks is how many chunks one upload may have.
const MaxChunks = 10_000

// An Upload is a file on its way to a Nextcloud in chunks (its chunked upload, version
// 2): a folder of the person's own, in which the chunks lie until they are put together
// over the target. The target keeps its ID, its shares and its versions, and a
// connection that breaks costs a chunk. A folder that is not finished is removed by the
// server after 24 hours.
type Upload struct {
	ID     string   // name of the folder; one is never used again
	Target dav.Path // where the file goes
	Size   int64    // bytes of the whole
}

// uploads is the URL of escaped below the person's uploads.
func (v *View) uploads(ctx context.Context, escaped string, slash bool) (*url.URL, error) {
	if err := v.locate(ctx); err != nil {
		return nil, err
	}
	a := v.account.Load()
	if a == nil || a.dav == nil || a.user == "" {
		return nil, fmt.Errorf("davbackend: %w: upload in chunks", dav.ErrUnsupported)
	}
	return within(a.dav, "/uploads"+(dav.Root+dav.Path(a.user)).Escaped()+escaped, slash), nil
}

// uploadCall is a request about name in u's folder, or about the folder itself.
func (v *View) uploadCall(ctx context.Context, method string, u Upload, name string) (call, error) {
	c := newCall(method, u.Target)
	escaped := (dav.Root + dav.Path(u.ID)).Escaped()
	if name != "" {
		escaped += "/" + name
	}
	var err error
	if c.at, err = v.uploads(ctx, escaped, name == ""); err != nil {
		return c, err
	}
	if u.Target != "" {
		c.header.Set("Destination", v.url(u.Target, false).String())
		c.header.Set("OC-Total-Length", strconv.FormatInt(u.Size, 10))
	}
	return c, nil
}

// BeginUpload makes u's folder. It returns [dav.ErrUnsupported] where uploads in chunks
// are not known, [dav.ErrDenied], [dav.ErrFull], [dav.ErrUnauthorized].
func (v *View) BeginUpload(ctx context.Context, u Upload) error {
	c, err := v.uploadCall(ctx, "MKCOL", u, "")
	if err != nil {
		return err
	}
	a, err := v.send(ctx, c)
	if err != nil {
		return err
	}
	err = v.done(c, a)
	if errors.Is(err, dav.ErrExists) || errors.Is(err, dav.ErrNotFound) {
		// The name is new, so that 405, 404 and 409 are about the place.
		err = fmt.Errorf("davbackend: %w: %w", dav.ErrUnsupported, &StatusError{"MKCOL", statusOf(err)})
	}
	return err
}

// PutChunk sends chunk n, from 1 on, in u's folder; it may be sent again. All but the
// last must have 5 MB or more, since it may go straight to an object store. It returns
// [dav.ErrNotFound] if the folder is gone, and the other errors of [View.Put].
func (v *View) PutChunk(ctx context.Context, u Upload, n int, b Body) error {
	if n < 1 || n > MaxChunks || b.Size < 0 || b.Open == nil {
		return fmt.Errorf("davbackend: %w: chunk %d of %d bytes", dav.ErrUnsupported, n, b.Size)
	}
	c, err := v.uploadCall(ctx, http.MethodPut, u, fmt.Sprintf("%05d", n))
	if err != nil {
		return err
	}
	c.body = &b
	if b.Size >= expectFrom {
		c.header.Set("Expect", "100-continue")
	}
	a, err := v.send(ctx, c)
	if err != nil {
		return err
	}
	return v.done(c, a)
}

// FinishUpload puts the chunks together over u.Target, if cond holds; the folder is gone
// then. Errors are those of [View.Put], and [dav.ErrNotFound] also if the folder is
// gone, [dav.ErrBadName] if chunks are missing. After [dav.ErrUnavailable] it may have
// happened, may happen still, or have left a piece: the server may go on after a
// gateway in front of it gave up. So the folder must not be used again.
func (v *View) FinishUpload(ctx context.Context, u Upload, cond Condition) error {
	if cond.Absent {
		return fmt.Errorf("davbackend: %w: upload in chunks of a new file only", dav.ErrUnsupported)
	}
	p := v.client.Profile()
	if cond.ETag != "" && (!p.Conditions || p.Form == FormLockToken) {
		// If-Match would be about the folder, so that nothing but a look is left.
		if err := v.sameETag(ctx, u.Target, cond.ETag); err != nil {
			return err
		}
		cond.ETag = ""
	}
	c, err := v.uploadCall(ctx, "MOVE", u, ".file")
	if err != nil {
		return err
	}
	c.header.Set("Overwrite", "T")
	c.hadETag = cond.ETag != ""
	if _, err := dav.ParseLockToken(string(cond.Token)); cond.Token != "" && err != nil {
		return fmt.Errorf("davbackend: %w: lock token cannot be sent: %w", dav.ErrChanged, err)
	}
	switch list := terms(cond); {
	case p.Form == FormLockToken && cond.Token != "":
		c.header.Set("Lock-Token", "<"+string(cond.Token)+">")
	case len(list) > 0:
		c.header.Set("If", dav.If{{Tag: v.url(u.Target, false).String(), Conditions: list}}.String())
	}
	a, err := v.send(ctx, c)
	if err != nil {
		return err
	}
	return v.named(ctx, v.done(c, a), cond.Token, u.Target)
}

// sameETag returns [dav.ErrChanged] if the file at p is not what it was.
func (v *View) sameETag(ctx context.Context, p dav.Path, etag dav.ETag) error {
	res, err := v.Stat(ctx, p)
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return fmt.Errorf("davbackend: %w: target is gone", dav.ErrChanged)
	case err != nil:
		return err
	case !res.ETag.Same(etag):
		return fmt.Errorf("davbackend: %w: target's ETag is another one", dav.ErrChanged)
	}
	return nil
}

// DropUpload removes the folder of that name with what lies in it; none is no error.
func (v *View) DropUpload(ctx context.Context, id string) error {
	c, err := v.uploadCall(ctx, http.MethodDelete, Upload{ID: id}, "")
	if err != nil {
		return err
	}
	a, err := v.send(ctx, c)
	if err == nil {
		err = v.done(c, a)
	}
	if errors.Is(err, dav.ErrNotFound) {
		return nil
	}
	return err
}

// Uploads lists the folders whose names begin with prefix. An error may wrap
// [dav.ErrUnsupported] or [dav.ErrNotFound] where there is no such place.
func (v *View) Uploads(ctx context.Context, prefix string) ([]string, error) {
	u, err := v.uploads(ctx, "", true)
	if err != nil {
		return nil, err
	}
	c := v.propfindAt(u, dav.PropResourceType)
	c.header.Set("Depth", dav.Depth1.String())
	var names []string
	err = v.multistatus(ctx, c, func(r dav.Response) error {
		res, err := r.Resource(u)
		if err == nil && r.Status < 300 && len(res.Path.Segments()) == 1 && strings.HasPrefix(res.Path.Base(), prefix) {
			names = append(names, res.Path.Base())
		}
		return nil
	})
	return names, err
}
