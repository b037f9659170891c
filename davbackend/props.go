package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"davwopi/davbackend/dav"
)

// SetProps sets dead properties to plain text (PROPPATCH) and returns those of them
// that are really there afterwards, by a PROPFIND: rclone says 200 and stores
// nothing. A server that keeps none is no error; the map is empty then. It returns
// [dav.ErrChanged] if c does not hold, a [*LockedError], [dav.ErrNotFound],
// [dav.ErrUnauthorized], [dav.ErrFull], [dav.ErrUnavailable]; nothing or all may be
// set then.
func (v *View) SetProps(ctx context.Context, p dav.Path, set map[dav.PropName]string, c Condition) (map[dav.PropName]string, error) {
	there := make(map[dav.PropName]string, len(set))
	if len(set) == 0 {
		return there, nil
	}
	err := v.setProps(ctx, p, set, c)
	if errors.Is(err, dav.ErrUnsupported) {
		return there, nil // nginx, x/net: none can be stored
	}
	if err != nil {
		return nil, err
	}
	names := make([]dav.PropName, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	res, err := v.Stat(ctx, p, names...)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if value, ok := res.Props[n]; ok {
			there[n] = value
		}
	}
	return there, nil
}

// setProps sends the PROPPATCH. dav.ErrUnsupported: properties of ours are not stored.
func (v *View) setProps(ctx context.Context, p dav.Path, set map[dav.PropName]string, c Condition) error {
	if err := v.before(ctx, p, &c); err != nil {
		return err
	}
	r := newCall("PROPPATCH", p).xml(dav.ProppatchBody(set, nil))
	if err := v.condition(ctx, &r, c); err != nil {
		return err
	}
	a, err := v.send(ctx, r)
	if err == nil {
		err = v.done(r, a)
	}
	switch status := statusOf(err); {
	case err == nil:
	case errors.Is(err, dav.ErrUnsupported):
		return err
	case status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", dav.ErrUnsupported, err)
	case status == http.StatusFailedDependency, status >= 300 && status < 400:
	default:
		return v.named(ctx, err, c.Token, p)
	}
	return nil
}
