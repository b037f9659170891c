package main

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/profile"
	"davwopi/oauth"
)

// How often an upstream is asked whether it is still what was measured, how soon a
// measuring that failed is tried again (doubled up to the first), and one that another
// bridge is at, which may have died over it.
const (
	profileEvery = 6 * time.Hour
	profileRetry = time.Minute
	profileBusy  = 30 * time.Second
)

// openProfiles lets the clients know what was measured before.
func (h *house) openProfiles(ctx context.Context) (err error) {
	if h.profiles, err = profile.New(ctx, h.db); err != nil {
		return err
	}
	h.signedIn = make(chan oauth.Principal, 16)
	for _, up := range h.upstreams.List {
		f, known, err := h.facts(ctx, up.Name)
		if err != nil {
			return err
		}
		if known && !h.embedded(up) {
			learn(up, f)
		}
	}
	if h.db.Shared() {
		return nil
	}
	return h.profiles.Alone(ctx)
}

// learn lets up's client know what was measured. That an account may not write says
// nothing about others', unless it is everybody's and the server says so, too.
func learn(up *access.Upstream, f profile.Facts) {
	p := f.Profile()
	if f.ReadOnly {
		p = up.Client.Assumed
		p.ReadOnly = f.NoWriting && up.Service != nil
	}
	up.Client.Learn(p)
}

// embedded reports whether up is the server in this process, of which everything is
// known.
func (h *house) embedded(up *access.Upstream) bool {
	return h.local != nil && up == h.upstreams.List[0]
}

// facts are what is known of an upstream.
func (h *house) facts(ctx context.Context, name string) (profile.Facts, bool, error) {
	up, err := h.upstreams.Get(name)
	if err != nil {
		return profile.Facts{}, false, err
	}
	if h.embedded(up) {
		return profile.Embedded(), true, nil
	}
	return h.profiles.Facts(ctx, name)
}

// keepProfiles measures what is not known, and what has changed: with the service
// account, or with that of a person who has just signed in. It delays nobody.
func (h *house) keepProfiles(ctx context.Context) error {
	pause := h.lookAtUpstreams(ctx, profileRetry)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-h.signedIn:
			h.lookAs(ctx, p)
		case <-timer.C:
			pause = h.lookAtUpstreams(ctx, pause)
			timer.Reset(pause)
		}
	}
}

// lookAtUpstreams looks at all upstreams with a service account, removes what a
// killed measuring has left, and says when to look again.
func (h *house) lookAtUpstreams(ctx context.Context, pause time.Duration) time.Duration {
	busy := false
	err := h.tidy(ctx)
	for _, up := range h.upstreams.List {
		if up.Service == nil || h.embedded(up) || ctx.Err() != nil {
			continue
		}
		if lookErr := h.look(ctx, up, oauth.Principal{}); lookErr != nil {
			h.tell(ctx, "the upstream could not be measured; it is treated with every care, and tried again; davwopi doctor says what helps", up.Name, lookErr)
			err, busy = lookErr, busy || errors.Is(lookErr, profile.ErrBusy)
		}
	}
	// Once more: the claim of a bridge that was killed may have run out meanwhile.
	if tidyErr := h.tidy(ctx); tidyErr != nil {
		err = tidyErr
	}
	if busy {
		return profileBusy
	}
	if err != nil {
		return min(2*pause, profileEvery)
	}
	return profileEvery
}

// tidy removes what a killed measuring has left.
func (h *house) tidy(ctx context.Context) error {
	err := h.profiles.Tidy(ctx, h.upstreams.Pinned)
	h.tell(ctx, "a folder in which an upstream was measured could not be removed yet", "", err)
	return err
}

// lookAs measures, with the account of p, the upstreams of which nothing is known
// that only persons can reach.
func (h *house) lookAs(ctx context.Context, p oauth.Principal) {
	for _, up := range h.upstreams.List {
		if up.Service != nil {
			continue
		}
		err := h.look(ctx, up, p)
		if errors.Is(err, access.ErrNeedsSignIn) || errors.Is(err, dav.ErrUnauthorized) {
			continue // it was another upstream's password
		}
		h.tell(ctx, "the upstream could not be measured; it is treated with every care, and tried at the next sign-in", up.Name, err)
	}
}

// look measures up if it is not known, only known from an account that may not
// write, or not what it was.
func (h *house) look(ctx context.Context, up *access.Upstream, p oauth.Principal) error {
	f, known, err := h.profiles.Facts(ctx, up.Name)
	if err != nil {
		return err
	}
	if known && !f.ReadOnly {
		up.Client.Learn(f.Profile()) // another replica may have measured it
		view, err := h.upstreams.View(ctx, up.Name, p)
		if err != nil {
			return err
		}
		if changed, err := profile.Changed(ctx, view, f); err != nil || !changed {
			return err
		}
	}
	_, err = h.measure(ctx, up.Name, p)
	return err
}

// measure measures an upstream now, as p sees it where there is no service account.
func (h *house) measure(ctx context.Context, name string, p oauth.Principal) (profile.Facts, error) {
	var view *davbackend.View
	var f profile.Facts
	view, err := h.upstreams.View(ctx, name, p)
	if err != nil {
		return f, err
	}
	pinned, err := h.upstreams.Pin(ctx, name, p)
	if err != nil {
		return f, err
	}
	f, err = h.profiles.Measure(ctx, name, view, pinned)
	if (errors.Is(err, dav.ErrUnavailable) || errors.Is(err, dav.ErrIncomplete)) && ctx.Err() == nil {
		f, err = h.profiles.Measure(ctx, name, view, pinned) // it may have hung up once
	}
	if errors.Is(err, profile.ErrBusy) {
		return f, nil // the other one's result is taken at the next look
	}
	if err == nil && f.ReadOnly {
		err = h.recall(ctx, name)
	}
	if err == nil {
		h.log.Info().Str("upstream", name).Str("server", f.Server).Str("kind", f.Kind).
			Bool("in_place", f.Profile().InPlace).Int("requests", f.Requests).Msg("the upstream is measured")
	}
	return f, err
}

// recall lets the client know what is kept of an upstream.
func (h *house) recall(ctx context.Context, name string) error {
	up, err := h.upstreams.Get(name)
	if err != nil {
		return err
	}
	f, known, err := h.profiles.Facts(ctx, name)
	if err == nil && known {
		learn(up, f)
	}
	return err
}

// tell logs err, if there is one that is not our own end.
func (h *house) tell(ctx context.Context, what, upstream string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	line := h.log.Warn().Str("cause", bridge.Cause(err))
	if upstream != "" {
		line = line.Str("upstream", upstream)
	}
	line.Msg(what)
}

// hasSignedIn is told of everybody who has signed in with a password.
func (h *house) hasSignedIn(p oauth.Principal) {
	select {
	case h.signedIn <- p:
	default: // enough people have come already
	}
}
