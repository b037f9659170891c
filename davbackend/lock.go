package davbackend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"davwopi/davbackend/dav"
)

// A LockRequest is what LOCK asks for: an exclusive write lock of depth 0.
type LockRequest struct {
	Owner   string        // plain text, shown to others
	Timeout time.Duration // sent as one Second-N; servers may grant another
}

// Lock locks the resource at p. created says that there was nothing at p and an empty
// file came to be (201); a server may make one without saying so. It returns a
// [*LockedError] if p is locked, [dav.ErrUnsupported] if the upstream has no locks,
// [dav.ErrNotFound] if the parent is missing, [dav.ErrDenied], [dav.ErrUnauthorized].
// After [dav.ErrUnavailable] a lock may have been taken that nobody holds: look for
// the owner text in lockdiscovery.
func (v *View) Lock(ctx context.Context, p dav.Path, r LockRequest) (lock dav.ActiveLock, created bool, err error) {
	c := newCall("LOCK", p).xml(dav.LockBody(r.Owner))
	c.header.Set("Depth", dav.Depth0.String())
	c.header.Set("Timeout", dav.FormatTimeout(r.Timeout))
	a, err := v.send(ctx, c)
	if err != nil {
		return dav.ActiveLock{}, false, err
	}
	if a.status() != http.StatusOK && a.status() != http.StatusCreated {
		if err = v.done(c, a); err == nil {
			err = fmt.Errorf("davbackend: %w: %w", dav.ErrUnsupported, &StatusError{"LOCK", a.status()})
		}
		return dav.ActiveLock{}, false, v.named(ctx, lockKind(err), "", p)
	}
	defer a.close()
	locks, bodyErr := v.lockBody(a)
	header, headerErr := dav.ParseLockToken(a.resp.Header.Get("Lock-Token"))
	created = a.status() == http.StatusCreated
	if headerErr == nil {
		// The token is what counts; a body that cannot be read must not lose it.
		return lockWith(locks, header, r), created, nil
	}
	if len(locks) == 1 && locks[0].Token != "" {
		return locks[0], created, nil
	}
	for _, l := range locks {
		if l.Token != "" && l.Owner == r.Owner {
			return l, created, nil
		}
	}
	if bodyErr == nil {
		bodyErr = errors.New("no lock token")
	}
	return dav.ActiveLock{}, created, &UnavailableError{Origin: v.client.Origin(), Reason: "answer to LOCK cannot be read", Err: bodyErr}
}

// lockKind: a 400 or 412 to a plain LOCK is about LOCK, not about a token.
func lockKind(err error) error {
	if errors.Is(err, dav.ErrChanged) && statusOf(err) == http.StatusBadRequest {
		return fmt.Errorf("davbackend: %w: %w", dav.ErrUnsupported, &StatusError{"LOCK", statusOf(err)})
	}
	return err
}

// lockWith returns the lock with that token, or what is known of it.
func lockWith(locks []dav.ActiveLock, token dav.LockToken, r LockRequest) dav.ActiveLock {
	for _, l := range locks {
		if l.Token == token {
			return l
		}
	}
	return dav.ActiveLock{Token: token, Owner: r.Owner, Exclusive: true}
}

func (v *View) lockBody(a *answer) ([]dav.ActiveLock, error) {
	body, err := dav.DecodeElement(io.LimitReader(a.resp.Body, smallLimits.Bytes), smallLimits)
	if err != nil {
		return nil, err
	}
	return dav.ParseLockAnswer(body)
}

// RefreshLock asks for another timeout of the lock t at p and returns what was
// granted, 0 unknown. [dav.ErrChanged], [dav.ErrLocked] and [dav.ErrNotFound] mean
// that the lock is gone; [dav.ErrUnauthorized], [dav.ErrDenied] and
// [dav.ErrUnavailable] say nothing about it. Success is no proof: lighttpd accepts any
// token.
func (v *View) RefreshLock(ctx context.Context, p dav.Path, t dav.LockToken, timeout time.Duration) (time.Duration, error) {
	if _, err := dav.ParseLockToken(string(t)); err != nil {
		return 0, fmt.Errorf("davbackend: %w: lock token cannot be sent: %w", dav.ErrChanged, err)
	}
	c := newCall("LOCK", p)
	// Untagged in every form: the one that all measured servers take for a refresh.
	c.header.Set("If", dav.If{{Conditions: []dav.Condition{{Token: t}}}}.String())
	c.header.Set("Timeout", dav.FormatTimeout(timeout))
	a, err := v.send(ctx, c)
	if err != nil {
		return 0, err
	}
	if a.status() != http.StatusOK {
		if err := v.done(c, a); err != nil {
			return 0, v.named(ctx, err, t, p)
		}
		return 0, fmt.Errorf("davbackend: %w: %w", dav.ErrChanged, &StatusError{"LOCK", a.status()})
	}
	defer a.close()
	if made, err := dav.ParseLockToken(a.resp.Header.Get("Lock-Token")); err == nil && made != t {
		// nginx takes the refresh of a lost lock for a request for a new one. Nobody
		// would know its token.
		return 0, errors.Join(fmt.Errorf("davbackend: %w: refresh made another lock", dav.ErrChanged), v.Unlock(ctx, p, made))
	}
	locks, err := v.lockBody(a)
	if err != nil {
		return 0, nil // refreshed, for how long is not said
	}
	foreign := false
	for _, l := range locks {
		if l.Token == t {
			return l.Timeout, nil
		}
		foreign = foreign || l.Token != ""
	}
	if foreign {
		return 0, fmt.Errorf("davbackend: %w: refresh answered with another lock", dav.ErrChanged)
	}
	return 0, nil
}

// Unlock releases the lock t at p. [dav.ErrChanged], [dav.ErrLocked] and
// [dav.ErrNotFound] mean that no such lock is there; other errors that it may still
// be. Success is no proof: nginx says so to a wrong token.
func (v *View) Unlock(ctx context.Context, p dav.Path, t dav.LockToken) error {
	if _, err := dav.ParseLockToken(string(t)); err != nil {
		return fmt.Errorf("davbackend: %w: lock token cannot be sent: %w", dav.ErrChanged, err)
	}
	c := newCall("UNLOCK", p)
	c.header.Set("Lock-Token", "<"+string(t)+">")
	a, err := v.send(ctx, c)
	if err != nil {
		return err
	}
	return v.done(c, a)
}
