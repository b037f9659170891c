package locks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A moving is the detail of the intent "move".
type moving struct {
	From     dav.Path `json:"from"`
	To       dav.Path `json:"to"`
	Evidence evidence `json:"evidence"`
}

// Move renames or moves a file to a place where nothing is, under the lease: the
// lock's ID must be shown if the file is locked; id is nil if the request had none.
// The lock stays. Where a DAV lock does not travel with MOVE it is released, and
// taken again at the new place; should that fail, the keeper goes on trying.
//
// Errors: [dav.ErrExists]: something is at to. [*MismatchError]. [ErrBusy], also if
// the file was moved while we waited, so that to may not be what was meant.
// [dav.ErrNotFound] and what else the upstream said to MOVE: nothing was moved.
// After [dav.ErrUnavailable] it may have been, and is settled later.
func (l *Locks) Move(ctx context.Context, t Target, a Actor, id *wopi.LockID, to dav.Path) (idmap.Entry, error) {
	var e idmap.Entry
	err := l.working(ctx, t.File.ID, "move", func(x *Lease, r *row, now time.Time) error {
		if err := l.stillAt(ctx, t); err != nil {
			return err
		}
		if r.locked(now) && r.actor.Editor != a.Editor {
			return otherEditor(r)
		}
		if err := r.wopi(now).MayRename(id, now); err != nil {
			return err
		}
		if to == t.File.Path {
			e = t.File
			return nil
		}
		if !r.locked(now) {
			if err := l.met(ctx, t.File.ID, l.lockFiles(ctx, t, r)); err != nil {
				return err
			}
			if err := l.clear(ctx, t, a, r, now); err != nil {
				return err
			}
			r = nil
		}
		var err error
		e, err = l.move(ctx, x, t, a, r, to)
		return err
	})
	return e, l.unlessMoved(ctx, t, err)
}

// stillAt returns [ErrBusy] if the file was moved through the bridge since t was
// looked up: who waited for the lease must not act on a place that may be
// another file's by now.
func (l *Locks) stillAt(ctx context.Context, t Target) error {
	known, err := l.IDs.Known(ctx, t.File.Space, t.File.ID)
	if errors.Is(err, idmap.ErrNotFound) || errors.Is(err, idmap.ErrMissing) {
		return fmt.Errorf("locks: %w: %w", dav.ErrNotFound, err)
	}
	if err == nil && known.Path != t.File.Path {
		return fmt.Errorf("locks: the file was moved meanwhile: %w", ErrBusy)
	}
	return err
}

// clear gives back at once what an unlocked row still has on the upstream, because
// it would be in the way.
func (l *Locks) clear(ctx context.Context, t Target, a Actor, r *row, now time.Time) error {
	if r == nil {
		return nil
	}
	next, err := l.startReleasing(ctx, r, false, now)
	if err != nil {
		return err
	}
	view, err := l.viewOf(ctx, r, t, a)
	if err != nil {
		return err
	}
	return l.drop(ctx, view, next, now)
}

// move carries the move out; r is the live lock, or nil.
func (l *Locks) move(ctx context.Context, x *Lease, t Target, a Actor, r *row, to dav.Path) (idmap.Entry, error) {
	pinned, err := t.pin(ctx)
	if err != nil {
		return idmap.Entry{}, err
	}
	m := moving{From: t.File.Path, To: to, Evidence: t.evidence()}
	if m.Evidence.anyFolder() {
		// What is there afterwards cannot be told from the folder itself.
		if _, err := t.View.Stat(ctx, to); err == nil {
			return idmap.Entry{}, fmt.Errorf("locks: %w", dav.ErrExists)
		} else if !errors.Is(err, dav.ErrNotFound) {
			return idmap.Entry{}, err
		}
	}
	i := Intent{Kind: kindMove, File: t.File.ID, Space: t.File.Space, Upstream: t.Upstream, Pinned: pinned, Detail: detail(m)}
	if i.ID, err = l.Intend(ctx, x, i); err != nil {
		return idmap.Entry{}, err
	}
	source := davbackend.Condition{}
	if r != nil && r.token != "" && t.View.Client().Profile().MoveCarriesLock {
		source.Token = r.token
	} else if err := l.unlockForMove(ctx, t, a, r); err != nil {
		l.failed("forgetting an intent", l.Done(ctx, i.ID))
		return idmap.Entry{}, err
	}
	if err := x.Check(ctx); err != nil {
		return idmap.Entry{}, err // the intent is settled by who took over
	}
	err = t.View.Move(ctx, m.From, to, false, source, davbackend.Condition{})
	done, cancel := detached(ctx)
	defer cancel()
	if err != nil {
		return l.wasMoved(done, x, t, i, m, err)
	}
	res, err := t.View.Stat(done, to)
	if err != nil {
		res = dav.Resource{}
	}
	return l.arrive(done, x, t, i, m, res)
}

// unlockForMove releases the DAV lock of r, which would not travel, and says so in
// the row.
func (l *Locks) unlockForMove(ctx context.Context, t Target, a Actor, r *row) error {
	if r == nil || r.token == "" {
		return nil
	}
	mine, err := l.asTaker(ctx, r, t, a)
	if err != nil {
		return err
	}
	if err := unlock(ctx, mine.View, r.path, r.token); err != nil {
		return err
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	_, err = l.amend(ctx, r.file, func(p *row) error {
		if p.token == r.token {
			p.token, p.lost, p.next = "", true, now.Add(takingFor)
		}
		return nil
	}, nil)
	return err
}

// wasMoved looks at the upstream after a MOVE that had no answer, or was refused: a
// proxy that sends it twice gets a refusal for what it has done.
func (l *Locks) wasMoved(ctx context.Context, x *Lease, t Target, i Intent, m moving, cause error) (idmap.Entry, error) {
	moved, res, err := whereIs(ctx, t.View, m)
	if m.Evidence.anyFolder() {
		moved, res, err = whereIsFolder(ctx, t.View, m, unclear(cause))
	}
	switch {
	case err != nil && unclear(cause):
		return idmap.Entry{}, cause // the intent stays
	case moved:
		return l.arrive(ctx, x, t, i, m, res)
	}
	l.stay(ctx, x, t, i, m, res)
	l.failed("forgetting an intent", l.Done(ctx, i.ID))
	return idmap.Entry{}, l.met(ctx, t.File.ID, refusedForLock(cause))
}

// errNowhere says that the file is at neither end of a move.
var errNowhere = errors.New("locks: the file is at neither end of its move")

// whereIs finds out whether m has happened: a move leaves nothing at its source,
// while a copy of equal looks may lie at the target. An error means that nobody
// knows.
func whereIs(ctx context.Context, view *davbackend.View, m moving) (moved bool, res dav.Resource, err error) {
	res, err = view.Stat(ctx, m.From)
	if err == nil && m.Evidence.matches(res) {
		return false, res, nil
	}
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return false, res, err
	}
	res, err = view.Stat(ctx, m.To)
	if err == nil && m.Evidence.matches(res) {
		return true, res, nil
	}
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return false, res, err
	}
	return false, dav.Resource{}, errNowhere
}

// whereIsFolder is whereIs for a folder that has no ID upstream: only that nothing was
// at m.To before the MOVE says whose folder lies there. A refusal is believed then,
// whatever is there now; without an answer the new folder is ours, though somebody may
// have made another one at the old place.
func whereIsFolder(ctx context.Context, view *davbackend.View, m moving, unanswered bool) (moved bool, res dav.Resource, err error) {
	if unanswered {
		res, err = view.Stat(ctx, m.To)
		if err == nil && res.Collection {
			return true, res, nil
		}
		if err != nil && !errors.Is(err, dav.ErrNotFound) {
			return false, res, err
		}
	}
	res, err = view.Stat(ctx, m.From)
	if errors.Is(err, dav.ErrNotFound) {
		err = errNowhere
	}
	return false, res, err
}

// arrive records that the file is at m.To now: first the ID's place, then the lock.
// res is zero if the look at it failed.
func (l *Locks) arrive(ctx context.Context, x *Lease, t Target, i Intent, m moving, res dav.Resource) (idmap.Entry, error) {
	e, err := l.IDs.Moved(ctx, i.Space, i.File, m.To, res)
	if err != nil {
		return idmap.Entry{}, fmt.Errorf("locks: recording a move: %w", err) // the intent stays
	}
	t.File, t.Seen = e, res
	l.failed("bringing a lock along", l.bring(ctx, x, t))
	l.failed("forgetting an intent", l.Done(ctx, i.ID))
	return e, nil
}

// stay takes the DAV lock again after a move that has not happened.
func (l *Locks) stay(ctx context.Context, x *Lease, t Target, i Intent, m moving, res dav.Resource) {
	t.File.Path, t.Seen = m.From, res
	l.failed("taking a lock again", l.bring(ctx, x, t))
}

// bring makes the lock of a file that is at t now complete: path, DAV lock and
// lock file. The row, if there is one, is held or about to be released anyway.
func (l *Locks) bring(ctx context.Context, x *Lease, t Target) error {
	r, err := readRow(ctx, l.DB.Read(), t.File.ID)
	if err != nil || r == nil || r.phase == taking {
		return err
	}
	mine, err := l.forTaker(ctx, r, t)
	if err != nil {
		return err
	}
	travelled := r.token != "" && !r.lost && mine.View.Client().Profile().MoveCarriesLock &&
		(!t.Seen.LocksKnown || own{tokens: []dav.LockToken{r.token}}.any(t.Seen.Locks))
	if travelled || (r.token == "" && !r.lost) || r.phase == releasing {
		next, err := l.amend(ctx, r.file, func(p *row) error {
			p.path, p.space = mine.File.Path, mine.File.Space
			return nil
		}, nil)
		if err == nil && next.phase == held {
			l.announceAnew(ctx, mine.View, next)
		}
		return err
	}
	if r.path == mine.File.Path && !r.lost {
		return nil
	}
	_, err = l.reshadow(ctx, x, mine, r)
	return err
}

// any reports whether one of locks is ours.
func (o own) any(locks []dav.ActiveLock) bool {
	for _, lock := range locks {
		if o.is(lock) {
			return true
		}
	}
	return false
}

// settleMove finishes what is known of a move whose process has died.
func (l *Locks) settleMove(ctx context.Context, x *Lease, i Intent) error {
	var m moving
	if err := json.Unmarshal(i.Detail, &m); err != nil {
		return fmt.Errorf("locks: detail of an intent %q: %w", i.Kind, err)
	}
	view, err := l.keep(ctx, i.Upstream, i.Pinned)
	if err != nil {
		return err
	}
	moved, res, err := whereIs(ctx, view, m)
	if errors.Is(err, errNowhere) {
		return nil // renamed again by somebody else: idmap looks for it
	}
	if err != nil {
		return err
	}
	t := Target{Upstream: i.Upstream, View: view, Seen: res}
	if moved {
		t.File, err = l.IDs.Moved(ctx, i.Space, i.File, m.To, res)
	} else {
		t.File, err = l.IDs.Known(ctx, i.Space, i.File)
		t.File.Path = m.From
	}
	if errors.Is(err, idmap.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l.failed("bringing a lock along", l.bring(ctx, x, t)) // a lost one is the keeper's
	// The UNLOCK before the move may have been sent: the keeper looks at once.
	_, err = l.amend(ctx, i.File, func(p *row) error {
		p.next = time.Time{}
		return nil
	}, nil)
	if !errors.Is(err, errRaced) {
		l.failed("calling the keeper", err)
	}
	return nil
}
