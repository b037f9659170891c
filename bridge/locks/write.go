package locks

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A verdict is what the database says about a PutFile.
type verdict int

const (
	refuse    verdict = iota + 1 // 409
	write                        // the lock's ID is shown
	create                       // unlocked, and the file is empty
	retake                       // the latest editing's lock has only expired
	afterEnd                     // save after Unlock, by the latest editing
	supersede                    // an ID of ours, but somebody else holds the file: kept as changed outside
	wait                         // somebody is just taking the lock
)

// A standing is what decides about a PutFile, as read at one time.
type standing struct {
	now     time.Time
	row     *row
	latest  *editingRow // of the file
	anybody bool        // may write: theRule is left out
	of      *editingRow // newest editing through this editor that has had the ID, nil if none
}

func (l *Locks) standing(ctx context.Context, t Target, a Actor, id *wopi.LockID) (standing, error) {
	now, err := l.now(ctx)
	if err != nil {
		return standing{}, err
	}
	return l.standingIn(ctx, l.DB.Read(), now, t, a, id)
}

func (l *Locks) standingIn(ctx context.Context, q sqldb.Queryer, now time.Time, t Target, a Actor, id *wopi.LockID) (standing, error) {
	s := standing{now: now, anybody: l.lacks(theRule)}
	var err error
	if s.row, err = readRow(ctx, q, t.File.ID); err != nil {
		return s, err
	}
	if id == nil || (s.row.locked(s.now) && s.row.lock.ID == *id && s.row.actor.Editor == a.Editor) {
		return s, nil // nothing else matters
	}
	if s.latest, err = latestEditing(ctx, q, t.File.ID); err != nil {
		return s, err
	}
	s.of, err = editingThatHeld(ctx, q, t.File.ID, a.Editor, *id)
	return s, err
}

// judge is PutFile's whole rule: WOPI's table (Lock.MayWrite), one editor at a
// time, and the mercy for lock IDs that were held here. revision and size are the
// file's, as just seen. The error says why not; it is nil unless the verdict is
// refuse or supersede.
func (s standing) judge(a Actor, id *wopi.LockID, size, revision int64) (verdict, *MismatchError) {
	if s.row.locked(s.now) {
		return s.judgeLocked(a, id, size)
	}
	if s.row.pending(s.now) {
		return wait, nil
	}
	if s.of != nil && s.of.ID == s.latest.ID {
		switch {
		case s.of.Ended.IsZero():
			return retake, nil
		case s.now.Sub(s.of.Ended) < afterUnlock || s.of.Base == revision:
			return afterEnd, nil
		}
	}
	err := Lock{}.MayWrite(id, size, s.now)
	if err == nil {
		return create, nil
	}
	return s.strangerOr(err)
}

func (s standing) judgeLocked(a Actor, id *wopi.LockID, size int64) (verdict, *MismatchError) {
	if s.anybody {
		return write, nil
	}
	err := s.row.lock.MayWrite(id, size, s.now)
	if s.row.actor.Editor != a.Editor {
		err = otherEditor(s.row)
	}
	if err == nil {
		return write, nil
	}
	return s.strangerOr(err)
}

// strangerOr refuses with err, or supersedes if the ID was one of ours not long
// ago.
func (s standing) strangerOr(err error) (verdict, *MismatchError) {
	var m *MismatchError
	if !errors.As(err, &m) {
		m = &MismatchError{Reason: reasonUnlocked}
	}
	locked := s.row.locked(s.now)
	if locked && s.of != nil && (s.of.Ended.IsZero() || s.now.Sub(s.of.Ended) < keepsIDs) {
		return supersede, m
	}
	return refuse, m
}

// MayWrite is PutFile's lock rule from the database only, to be asked before the
// body is read; [Locks.Permit] asks it again when the body is there. The size that
// counts is that of t.File.Revision: of the file as just seen, negative if
// unknown. It returns nil too when the body is wanted only to be kept.
//
// Error: [*MismatchError].
func (l *Locks) MayWrite(ctx context.Context, t Target, a Actor, id *wopi.LockID) error {
	s, err := l.standing(ctx, t, a, id)
	if err != nil {
		return err
	}
	if v, mismatch := s.judge(a, id, t.File.Revision.Size, t.File.Revision.Number); v == refuse {
		return mismatch
	}
	return nil
}

// Permit asks PutFile's rule again, under the lease, and takes again what the
// latest editing had: row and DAV lock after its lock expired; only the DAV lock,
// for as long as the lease lasts, after its Unlock. A DAV lock that was lost, or
// whose file was found at a new place, is taken anew.
//
// Errors: [*MismatchError]: nothing may be written. [*SupersededError], which is a
// MismatchError too: nothing may be written, but the bytes are to be kept as if
// the file had been changed outside. [ErrStale]. [dav.ErrNotFound]. Whatever the
// upstream said to LOCK: an outage.
func (l *Locks) Permit(ctx context.Context, x *Lease, t Target, a Actor, id *wopi.LockID) (Permit, error) {
	var out Permit
	retaken := false
	err := l.untilSettled(ctx, t.File.ID, func(*row, time.Time) error {
		if err := x.Check(ctx); err != nil {
			return err
		}
		s, err := l.standing(ctx, t, a, id)
		if err != nil {
			return err
		}
		v, mismatch := s.judge(a, id, t.File.Revision.Size, t.File.Revision.Number)
		switch v {
		case wait:
			return errWait
		case refuse:
			return mismatch
		case supersede:
			return &SupersededError{Editing: &s.of.Editing, Mismatch: mismatch}
		case create:
			out = Permit{View: t.View}
			return l.outsider(ctx, t, s.row)
		case retake:
			retaken = true
			err := l.takeAgain(ctx, &taker{l: l, t: t, a: a, id: *id, old: s.row, again: s.of}, x, s.now)
			if err == nil {
				err = errRaced // look again: it is locked now
			}
			return keepBytes(err, s.of)
		case afterEnd:
			out, err = l.borrow(ctx, x, t, a, s)
			return keepBytes(err, s.of)
		}
		out, err = l.permitHeld(ctx, x, t, a, s.row)
		return err
	})
	out.Retaken = out.Retaken || retaken
	return out, err
}

// keepBytes turns a refusal of what e wanted back into one that keeps its bytes.
func keepBytes(err error, e *editingRow) error {
	var m *MismatchError
	if e != nil && errors.As(err, &m) {
		return &SupersededError{Editing: &e.Editing, Mismatch: m}
	}
	return err
}

// permitHeld is the permit of who shows the lock's ID.
func (l *Locks) permitHeld(ctx context.Context, x *Lease, t Target, a Actor, r *row) (Permit, error) {
	e, err := editingByID(ctx, l.DB.Read(), r.editing)
	if err != nil {
		return Permit{}, err
	}
	if r.lost || (r.space == t.File.Space && r.path != t.File.Path) {
		mine, err := l.asTaker(ctx, r, t, a)
		if err != nil {
			return Permit{}, err
		}
		if r, err = l.reshadow(ctx, x, mine, r); err != nil {
			return Permit{}, keepBytes(err, e) // a lasting foreign lock is an outside change
		}
	}
	taker, err := l.takerView(ctx, r, a)
	if err != nil {
		return Permit{}, err
	}
	return Permit{Lock: r.lock, Editing: &e.Editing, Token: r.shadowToken(), View: t.View, Taker: taker}, nil
}

// asTaker is t with the view of whoever took r's DAV lock: a's own, or the pinned.
func (l *Locks) asTaker(ctx context.Context, r *row, t Target, a Actor) (Target, error) {
	if r.actor.UserID == a.UserID && r.space == t.File.Space {
		return t, nil
	}
	return l.forTaker(ctx, r, t)
}

// takerView is the pinned view of whoever took r's DAV lock; nil if that is a, or
// one account serves all.
func (l *Locks) takerView(ctx context.Context, r *row, a Actor) (*davbackend.View, error) {
	up, err := l.Upstreams.Get(r.upstream)
	if err != nil {
		return nil, err
	}
	if r.actor.UserID == a.UserID || up.Service != nil {
		return nil, nil
	}
	view, err := l.keep(ctx, r.upstream, r.pinned)
	if err != nil {
		l.failed("opening the lock taker's credential", err)
		return nil, nil // the writer's own may do
	}
	return view, nil
}

// borrow is the permit for a save after Unlock: the DAV lock is taken for the time
// of the lease, in a row that is releasing from the start. For WOPI the file stays
// unlocked, so that the next session can lock it at once; the keeper gives the
// DAV lock back when the lease is over.
func (l *Locks) borrow(ctx context.Context, x *Lease, t Target, a Actor, s standing) (Permit, error) {
	out := Permit{Editing: &s.of.Editing, View: t.View, Retaken: true}
	r := s.row
	if r == nil {
		pinned, err := t.pin(ctx)
		if err != nil {
			return out, err
		}
		r = &row{
			file: t.File.ID, phase: releasing, lock: Lock{Expires: s.now}, editing: s.of.ID, since: s.now, actor: a,
			space: t.File.Space, upstream: t.Upstream, pinned: pinned, path: t.File.Path, lost: true, next: s.now,
		}
		if err := l.swap(ctx, nil, r, nil); err != nil {
			return out, err
		}
	}
	if r.token == "" || r.lost || !s.now.Before(r.granted) || r.path != t.File.Path {
		mine, err := l.asTaker(ctx, r, t, a)
		if err != nil {
			return out, err
		}
		if r, err = l.reshadow(ctx, x, mine, r); err != nil {
			return out, err
		}
	}
	taker, err := l.takerView(ctx, r, a)
	out.Token, out.Taker = r.shadowToken(), taker
	return out, err
}

// Reshadow takes a DAV lock anew that the upstream has dropped: a save was refused
// (412, 423), but lockdiscovery shows nobody else's lock. The caller compares the
// contents with the base afterwards. It returns the new token, "" if the upstream
// has no LOCK. Errors: [*MismatchError] if somebody else has locked the file, or
// if no lock of ours is there; [ErrStale]; [dav.ErrNotFound]; an outage.
func (l *Locks) Reshadow(ctx context.Context, x *Lease, t Target) (dav.LockToken, error) {
	var token dav.LockToken
	err := l.untilSettled(ctx, t.File.ID, func(r *row, now time.Time) error {
		if err := x.Check(ctx); err != nil {
			return err
		}
		if r == nil || r.phase == taking {
			return &MismatchError{Reason: reasonUnlocked}
		}
		mine, err := l.forTaker(ctx, r, t)
		if err != nil {
			return err
		}
		r, err = l.reshadow(ctx, x, mine, r)
		if err == nil {
			token = r.shadowToken()
		}
		return err
	})
	return token, err
}
