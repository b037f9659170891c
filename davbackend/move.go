package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"davwopi/davbackend/dav"
)

// Move renames from to to, with everything below it. Without overwrite it returns
// [dav.ErrExists] if there is something at to; every server that was
// measured for reference keeps that promise, so it is the one way to create a file only
// where none is. Where the profile does not say so it is looked for before. source and
// target are conditions on either end; Absent is only for target and means no
// overwrite. It returns [dav.ErrNotFound] if from or to's parent is missing,
// [dav.ErrChanged] if a condition does not hold, a [*LockedError] for a lock on either
// end, [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrFull], [dav.ErrBadName]. After
// [dav.ErrUnavailable] it may have happened; on x/net-based servers the target may be
// gone and the source still there.
func (v *View) Move(ctx context.Context, from, to dav.Path, overwrite bool, source, target Condition) error {
	return v.transfer(ctx, transfer{"MOVE", from, to, overwrite, source, target})
}

// Copy copies from to to, a collection with everything in it. Errors are those of
// [View.Move].
func (v *View) Copy(ctx context.Context, from, to dav.Path, overwrite bool, target Condition) error {
	return v.transfer(ctx, transfer{"COPY", from, to, overwrite, Condition{}, target})
}

// A transfer is a MOVE or a COPY.
type transfer struct {
	method         string
	from, to       dav.Path
	overwrite      bool
	source, target Condition
}

func (v *View) transfer(ctx context.Context, t transfer) error {
	if t.from.IsRoot() || t.to.IsRoot() || t.from == t.to {
		return fmt.Errorf("davbackend: %w: %s of the root or onto itself", dav.ErrDenied, t.method)
	}
	t.overwrite = t.overwrite && !t.target.Absent
	t.target.Absent = false // Overwrite: F says it
	if err := v.before(ctx, t.from, &t.source); err != nil {
		return err
	}
	if err := v.beforeTarget(ctx, &t); err != nil {
		return err
	}
	if !t.overwrite && !v.client.Profile().OverwriteF {
		if _, err := v.Stat(ctx, t.to); err == nil {
			return fmt.Errorf("davbackend: %w: there is something at the target", dav.ErrExists)
		} else if !errors.Is(err, dav.ErrNotFound) {
			return err
		}
	}
	err := v.asCollection(ctx, t.from, func(slash bool) error {
		r := newCall(t.method, t.from)
		r.slash = slash
		if err := v.transferHeaders(ctx, &r, t); err != nil {
			return err
		}
		a, err := v.send(ctx, r)
		if err != nil {
			return err
		}
		return v.done(r, a)
	})
	if err == nil {
		return nil
	}
	return v.transferError(ctx, t, err)
}

// beforeTarget looks at the target's ETag where no header can say it: the lists of an
// If are alternatives, so a list about the source would excuse the target.
func (v *View) beforeTarget(ctx context.Context, t *transfer) error {
	if t.target.ETag == "" {
		return nil
	}
	honoured := v.client.Profile().Conditions && v.client.Profile().Form != FormLockToken && t.source.Token == ""
	if honoured {
		return nil
	}
	if err := v.sameETag(ctx, t.to, t.target.ETag); err != nil {
		return err
	}
	t.target.ETag = ""
	return nil
}

func (v *View) transferHeaders(ctx context.Context, r *call, t transfer) error {
	if err := v.locate(ctx); err != nil {
		return err
	}
	h := r.header
	destination := v.url(t.to, r.slash).String()
	h.Set("Destination", destination) // absolute: Apache and nginx refuse a bare path
	h.Set("Overwrite", map[bool]string{true: "T", false: "F"}[t.overwrite])
	if t.method == "COPY" {
		h.Set("Depth", dav.DepthInfinity.String())
	}
	r.hadETag = t.source.ETag != "" || t.target.ETag != ""
	for _, token := range []dav.LockToken{t.source.Token, t.target.Token} {
		if _, err := dav.ParseLockToken(string(token)); token != "" && err != nil {
			return fmt.Errorf("davbackend: %w: lock token cannot be sent: %w", dav.ErrChanged, err)
		}
	}
	if v.client.Profile().Form == FormLockToken {
		if token := cmpOr(t.source.Token, t.target.Token); token != "" {
			h.Set("Lock-Token", "<"+string(token)+">")
		}
		if t.source.ETag != "" {
			h.Set("If-Match", string(t.source.ETag))
		}
		return nil
	}
	// Always tagged: an untagged list is about the source only, and Apache and x/net
	// answer 412 or 424.
	var value dav.If
	if own := terms(t.source); len(own) > 0 {
		value = append(value, dav.IfList{Tag: v.url(t.from, r.slash).String(), Conditions: own})
	}
	if other := terms(t.target); len(other) > 0 {
		value = append(value, dav.IfList{Tag: destination, Conditions: other})
	}
	if len(value) > 0 {
		h.Set("If", value.String())
	}
	return nil
}

func cmpOr(a, b dav.LockToken) dav.LockToken {
	if a != "" {
		return a
	}
	return b
}

// transferError finds out what a status that can mean several things meant.
func (v *View) transferError(ctx context.Context, t transfer, err error) error {
	status := statusOf(err)
	said := &StatusError{Method: t.method, Status: status}
	switch {
	case status == http.StatusPreconditionFailed && !t.overwrite:
		if t.source == (Condition{}) && t.target == (Condition{}) {
			return fmt.Errorf("davbackend: %w: %w", dav.ErrExists, said)
		}
		if _, statErr := v.Stat(ctx, t.to); statErr == nil {
			return fmt.Errorf("davbackend: %w: %w", dav.ErrExists, said)
		}
	case status == http.StatusForbidden, status == http.StatusInternalServerError:
		// x/net and Apache say these for a missing parent, rclone 403 for a missing source.
		// After a 500 the source may be gone because it was moved.
		looks := []dav.Path{t.to.Parent(), t.from}
		if status == http.StatusInternalServerError {
			looks = looks[:1]
		}
		for _, p := range looks {
			if _, statErr := v.Stat(ctx, p); errors.Is(statErr, dav.ErrNotFound) {
				return fmt.Errorf("davbackend: %w: %w", dav.ErrNotFound, said)
			}
		}
	}
	return v.named(ctx, err, cmpOr(t.target.Token, t.source.Token), t.to, t.from)
}
