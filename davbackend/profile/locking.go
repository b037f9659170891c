package profile

import (
	"context"
	"errors"
	"net/http"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// The steps about locks.

const lockFor = 30 * time.Minute

func unreachable(err error) bool {
	return errors.Is(err, dav.ErrUnavailable) || errors.Is(err, dav.ErrUnauthorized) || errors.Is(err, dav.ErrIncomplete)
}

// lock takes the lock of the document; false if there is none to be had.
func (m *measuring) lock(ctx context.Context) (dav.ActiveLock, bool, error) {
	lock, _, err := m.v.Lock(ctx, m.file, davbackend.LockRequest{Owner: "davwopi measures", Timeout: lockFor})
	if err != nil {
		return lock, false, m.onlyOutage(err)
	}
	m.token = lock.Token
	if m.scratch != nil {
		err = m.scratch.Locked(ctx, m.file, lock.Token)
	}
	return lock, true, err
}

func (m *measuring) locking(ctx context.Context) error {
	lock, ok, err := m.lock(ctx)
	if err != nil {
		return err
	}
	if !ok {
		m.f.Lock = "none"
		return nil
	}
	m.f.LockGranted = int64(lock.Timeout / time.Second)
	res, ok, err := m.look(ctx, m.file)
	if err != nil || !ok {
		return err
	}
	m.f.LockShown = "nothing"
	for _, l := range res.Locks {
		switch {
		case l.Token == m.token && l.Owner != "":
			m.f.LockShown = "token and owner"
		case l.Token == m.token:
			m.f.LockShown = "token"
		}
	}
	held, sure, err := m.held(ctx)
	switch {
	case err != nil || !sure:
		return err
	case held:
		m.f.Lock = "works"
	default:
		m.f.Lock = "protects nothing"
	}
	return nil
}

// held tries to write the document without the token. It is not sure after a refusal
// that is about something else.
func (m *measuring) held(ctx context.Context) (held, sure bool, err error) {
	a, err := m.put(ctx, m.file)
	if err != nil {
		return false, false, err
	}
	locked := a.Status == http.StatusLocked || a.Status == http.StatusPreconditionFailed
	return locked, locked || a.OK(), nil
}

// working reports whether the lock steps make sense.
func (m *measuring) working() bool { return m.f.Lock == "works" }

func (m *measuring) tokens(ctx context.Context) error {
	if !m.working() {
		return nil
	}
	for _, form := range []struct {
		works  *bool
		header []string
	}{
		{&m.f.TokenUntagged, []string{"If", m.list("")}},
		{&m.f.TokenTagged, []string{"If", m.list(m.v.URL(m.file, false))}},
		{&m.f.TokenHeader, []string{"Lock-Token", "<" + string(m.token) + ">"}},
	} {
		a, err := m.put(ctx, m.file, form.header...)
		if err != nil {
			return err
		}
		*form.works = a.OK()
	}
	return nil
}

// list is an If with the lock's token.
func (m *measuring) list(tag string) string {
	return dav.If{{Tag: tag, Conditions: []dav.Condition{{Token: m.token}}}}.String()
}

// show is how MOVE is shown the token of the resource at p.
func (m *measuring) show(p dav.Path) []string {
	if m.f.TokenHeader && !m.f.TokenUntagged && !m.f.TokenTagged {
		return []string{"Lock-Token", "<" + string(m.token) + ">"}
	}
	return []string{"If", m.list(m.v.URL(p, false))}
}

// movingOntoLocked replaces the locked document, as a save by temporary file does.
func (m *measuring) movingOntoLocked(ctx context.Context) error {
	if !m.working() {
		return nil
	}
	a, err := m.moveOver(ctx, m.show(m.file)...)
	if err != nil {
		return err
	}
	if !a.OK() {
		m.f.MoveOntoLocked = "refused"
		return nil
	}
	held, sure, err := m.held(ctx)
	if err != nil || !sure {
		return err
	}
	if m.f.MoveOntoLocked = "drops the lock"; held {
		m.f.MoveOntoLocked = "keeps the lock"
		return nil
	}
	_, _, err = m.lock(ctx)
	return err
}

// movingLocked renames the locked document.
func (m *measuring) movingLocked(ctx context.Context) error {
	if !m.working() {
		return nil
	}
	to := child(m.dir, "renamed.txt")
	a, err := m.transfer(ctx, "MOVE", m.file, to, "F", m.show(m.file)...)
	if err != nil {
		return err
	}
	if !a.OK() {
		m.f.MoveOfLocked = "refused"
		return nil
	}
	old := m.file
	m.file = to
	held, sure, err := m.held(ctx)
	if err != nil || !sure {
		return err
	}
	if m.f.MoveOfLocked = "drops the lock"; held {
		m.f.MoveOfLocked = "carries the lock"
		if m.scratch != nil {
			return m.scratch.Locked(ctx, to, m.token)
		}
		return nil
	}
	// The old place may still be locked; nothing else of ours is there.
	return m.onlyOutage(m.v.Unlock(ctx, old, m.token))
}

// unlocking releases the document for the steps that follow.
func (m *measuring) unlocking(ctx context.Context) error {
	if m.token == "" {
		return nil
	}
	return m.onlyOutage(m.v.Unlock(ctx, m.file, m.token))
}

// listing asks for a listing without end, and for one of hidden names.
func (m *measuring) listing(ctx context.Context) error {
	a, err := m.v.Raw(ctx, davbackend.Raw{Method: "PROPFIND", Path: m.dir, Slash: true,
		Header: headers([]string{"Depth", "infinity"}), XML: dav.PropfindBody([]dav.PropName{dav.PropResourceType})})
	if err != nil {
		return err
	}
	m.f.DepthInfinity = "refused"
	if a.Status == http.StatusMultiStatus {
		m.f.DepthInfinity = "cut to 1"
		if mentions(a.Body, "inside.txt") {
			m.f.DepthInfinity = "answered"
		}
	}
	const dot = ".hidden.txt"
	if a, err := m.put(ctx, child(m.dir, dot)); err != nil || !a.OK() {
		return err
	}
	m.f.HidesDotfiles = true
	err = m.v.List(ctx, m.dir, func(res dav.Resource) error {
		if res.Path.Base() == dot {
			m.f.HidesDotfiles = false
		}
		return nil
	})
	return m.onlyOutage(err)
}
