package davbackend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"davwopi/davbackend/dav"
)

// expectFrom is the size from which a PUT waits for 100 Continue, so that a refusal
// costs no upload.
const expectFrom = 1 << 20

// A Condition is what must hold for a write. The zero Condition always holds.
type Condition struct {
	Token  dav.LockToken // our lock on the resource
	ETag   dav.ETag      // contents that must still be there
	Absent bool          // nothing may be there
}

// A Body is what PUT sends.
type Body struct {
	// Open returns the bytes from their beginning. It is called again when the request
	// has to be repeated after a challenge or on a new connection.
	Open func() (io.ReadCloser, error)
	Size int64  // bytes, sent as Content-Length; never chunked
	Type string // Content-Type, "" application/octet-stream
	// Tag is set to the ETag that the answer to a PUT gives to what was written, "" if it
	// names none. Many servers' is not PROPFIND's. May be nil.
	Tag *dav.ETag
}

// Put writes the file at p. It returns [dav.ErrChanged] if c does not hold,
// [dav.ErrExists] if c.Absent does not, a [*LockedError] if p is locked and c.Token
// does not open it, [dav.ErrNotFound] if the parent is missing, [dav.ErrFull],
// [dav.ErrTooLarge], [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrBadName],
// [dav.ErrUnsupported] if p is a collection, [dav.ErrIncomplete] if the body is not
// b.Size bytes long, or the error of b.Open. After [dav.ErrUnavailable] the write may
// or may not have happened, wholly or in part; after any error the old contents are
// to be assumed in place but unconfirmed. A nil error means that the upstream said
// yes, not that the bytes are there: Stat.
//
// Where the profile says that conditions are not honoured, c.ETag and c.Absent are
// compared by a PROPFIND just before. Until the upstream is measured a PUT that is
// refused for the lock is sent once more with the token in Lock-Token.
func (v *View) Put(ctx context.Context, p dav.Path, b Body, c Condition) error {
	if b.Size < 0 || b.Open == nil {
		return fmt.Errorf("davbackend: %w: body without a size", dav.ErrUnsupported)
	}
	if err := v.before(ctx, p, &c); err != nil {
		return err
	}
	request := newCall("PUT", p)
	request.body = &b
	if b.Size >= expectFrom {
		request.header.Set("Expect", "100-continue")
	}
	if err := v.condition(ctx, &request, c); err != nil {
		return err
	}
	a, err := v.send(ctx, request)
	if err != nil {
		return err
	}
	if b.Tag != nil {
		*b.Tag, _ = dav.ParseETag(a.resp.Header.Get("ETag"))
	}
	err = v.done(request, a)
	if errors.Is(err, dav.ErrLocked) && c.Token != "" && v.client.unmeasured() {
		// It may be an OpenCloud; nobody else takes this for more than what was refused.
		request.header.Del("If")
		request.header.Set("Lock-Token", "<"+string(c.Token)+">")
		if a, err = v.send(ctx, request); err != nil {
			return err
		}
		err = v.done(request, a)
	}
	if c.Absent && errors.Is(err, dav.ErrChanged) {
		return fmt.Errorf("davbackend: %w: %w", dav.ErrExists, &StatusError{"PUT", statusOf(err)})
	}
	return v.named(ctx, err, c.Token, p)
}

// unmeasured reports whether nothing is known about the upstream.
func (c *Client) unmeasured() bool {
	name := c.Profile().Name
	return name == "" || name == Unknown.Name
}

// before checks by PROPFIND what the upstream would not check, and takes it out of c.
func (v *View) before(ctx context.Context, p dav.Path, c *Condition) error {
	profile := v.client.Profile()
	ignored := c.Absent && !profile.IfNoneMatch // OpenCloud, which honours the others
	if profile.Conditions && !ignored || c.ETag == "" && !c.Absent {
		return nil
	}
	res, err := v.Stat(ctx, p)
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return err
	}
	switch {
	case c.Absent && err == nil:
		return fmt.Errorf("davbackend: %w", dav.ErrExists)
	case c.ETag != "" && err != nil:
		return fmt.Errorf("davbackend: %w: file is gone", dav.ErrChanged)
	case c.ETag != "" && !res.ETag.Same(c.ETag):
		return fmt.Errorf("davbackend: %w: ETag is another one", dav.ErrChanged)
	}
	c.ETag, c.Absent = "", false
	return nil
}

// condition puts c into the headers, in the form that the profile names.
func (v *View) condition(ctx context.Context, r *call, c Condition) error {
	if err := v.locate(ctx); err != nil {
		return err
	}
	if c.Token != "" {
		if _, err := dav.ParseLockToken(string(c.Token)); err != nil {
			return fmt.Errorf("davbackend: %w: lock token cannot be sent: %w", dav.ErrChanged, err)
		}
	}
	r.hadETag = c.ETag != ""
	if c.Absent {
		r.header.Set("If-None-Match", "*")
	}
	if c.Token == "" && c.ETag == "" {
		return nil
	}
	if v.client.Profile().Form == FormLockToken {
		if c.Token != "" {
			r.header.Set("Lock-Token", "<"+string(c.Token)+">")
		}
		if c.ETag != "" {
			r.header.Set("If-Match", string(c.ETag))
		}
		return nil
	}
	list := dav.IfList{Conditions: terms(c)}
	if v.client.Profile().Form == FormTagged {
		list.Tag = v.url(r.path, r.slash).String()
	}
	r.header.Set("If", dav.If{list}.String())
	return nil
}

// terms: If rather than If-Match even for an ETag alone, since Apache refuses If-Match
// with the weak tags that it gives out for two seconds after a write.
func terms(c Condition) []dav.Condition {
	var out []dav.Condition
	if c.Token != "" {
		out = append(out, dav.Condition{Token: c.Token})
	}
	if c.ETag != "" {
		out = append(out, dav.Condition{ETag: c.ETag})
	}
	return out
}

// Delete removes the file, or the collection with all that is in it. It returns
// [dav.ErrNotFound] if there is nothing at p, [dav.ErrChanged] if c does not hold, a
// [*LockedError] if p or something in it is locked, [dav.ErrDenied],
// [dav.ErrUnauthorized]. After an error of a collection part of it may be gone.
func (v *View) Delete(ctx context.Context, p dav.Path, c Condition) error {
	if p.IsRoot() {
		return fmt.Errorf("davbackend: %w: the root cannot be deleted", dav.ErrDenied)
	}
	if err := v.before(ctx, p, &c); err != nil {
		return err
	}
	err := v.asCollection(ctx, p, func(slash bool) error {
		r := newCall("DELETE", p)
		r.slash = slash
		if err := v.condition(ctx, &r, c); err != nil {
			return err
		}
		a, err := v.send(ctx, r)
		if err != nil {
			return err
		}
		return v.done(r, a)
	})
	return v.named(ctx, err, c.Token, p)
}

// Mkcol makes a collection. It returns [dav.ErrExists] if there is something at p,
// [dav.ErrNotFound] if the parent is missing, a [*LockedError] if the parent is
// locked, [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrFull], [dav.ErrBadName].
func (v *View) Mkcol(ctx context.Context, p dav.Path) error {
	r := newCall("MKCOL", p)
	r.slash = true // nginx wants it
	a, err := v.send(ctx, r)
	if err != nil {
		return err
	}
	err = v.done(r, a)
	if s := statusOf(err); s >= 300 && s < 400 || s == http.StatusConflict {
		// A file at p: some say that its "children" cannot be made.
		if _, statErr := v.Stat(ctx, p); statErr == nil {
			return fmt.Errorf("davbackend: %w: %w", dav.ErrExists, &StatusError{"MKCOL", s})
		}
	}
	return v.named(ctx, err, "", p.Parent())
}
