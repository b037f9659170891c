package locks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// ErrNotEmpty refuses to delete a container that has members.
var ErrNotEmpty = errors.New("locks: the container is not empty")

// maxCarried is how many locks of the person who renames a container are taken along;
// with more, the container stays where it is.
const maxCarried = 20

// MoveContainer renames or moves a container, with all that is in it, to a place
// where nothing is. It is refused while somebody else holds a lock on anything below:
// the [*MismatchError] says on what. The locks of the person who asks stay: where they
// do not travel with MOVE they are released, and taken again at the new places.
//
// Errors are those of [Locks.Move].
func (l *Locks) MoveContainer(ctx context.Context, t Target, a Actor, to dav.Path) (idmap.Entry, error) {
	var e idmap.Entry
	err := l.working(ctx, t.File.ID, "move", func(x *Lease, _ *row, now time.Time) error {
		if err := l.stillAt(ctx, t); err != nil {
			return err
		}
		if to == t.File.Path {
			e = t.File
			return nil
		}
		lifted, release, err := l.lift(ctx, t, a, now)
		defer release()
		if err == nil {
			e, err = l.move(ctx, x, t, a, nil, to)
		}
		done, cancel := detached(ctx)
		defer cancel()
		l.settleBelow(done, t, lifted)
		return err
	})
	return e, l.unlessMoved(ctx, t, err)
}

// DeleteContainer deletes a container that has no members. Its ID dies with it.
//
// Errors: [ErrNotEmpty], or a [*MismatchError] if somebody holds a lock below. Others
// are those of [Locks.Delete]. WebDAV's DELETE takes whatever is there when it
// arrives: what another program puts into the container at this very moment is lost,
// and on nginx, which lists no names that begin with a dot, whatever is called so.
func (l *Locks) DeleteContainer(ctx context.Context, t Target, a Actor) error {
	err := l.working(ctx, t.File.ID, "delete", func(x *Lease, _ *row, now time.Time) error {
		if err := l.stillAt(ctx, t); err != nil {
			return err
		}
		if err := l.nobodyBelow(ctx, t, now); err != nil {
			return err
		}
		if err := isEmpty(ctx, t); err != nil {
			return err
		}
		return l.remove(ctx, x, t)
	})
	return l.unlessMoved(ctx, t, err)
}

func isEmpty(ctx context.Context, t Target) error {
	err := t.View.List(ctx, t.File.Path, func(dav.Resource) error { return ErrNotEmpty })
	if errors.Is(err, ErrNotEmpty) {
		return ErrNotEmpty
	}
	return err
}

// A heldFile is a file below a container that has a lock row.
type heldFile struct {
	file  idmap.Entry
	row   *row
	live  bool
	lease *Lease
}

// below are the files below the container of t that are locked, or about to be, or
// whose lock is still to be given back upstream.
func (l *Locks) below(ctx context.Context, t Target, now time.Time) ([]*heldFile, error) {
	rows, err := l.rows(ctx, `WHERE upstream = ? ORDER BY file`, t.Upstream)
	if err != nil {
		return nil, err
	}
	var all []*heldFile
	for _, r := range rows {
		known, err := l.IDs.Known(ctx, t.File.Space, r.file)
		if errors.Is(err, idmap.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("locks: %w", err)
		}
		if t.File.Path.Contains(known.Path) {
			all = append(all, &heldFile{file: known, row: r, live: r.locked(now) || r.pending(now)})
		}
	}
	return all, nil
}

// nobodyBelow refuses what cannot be done to a container while anybody holds something
// below it.
func (l *Locks) nobodyBelow(ctx context.Context, t Target, now time.Time) error {
	found, err := l.below(ctx, t, now)
	if err != nil {
		return err
	}
	for _, h := range found {
		if h.live {
			return heldBelow(ctx, t, h)
		}
	}
	return nil
}

// heldBelow refuses what cannot be done to a container because of h. It names the
// file and its holder only to who can see that file (DESIGN 8).
func heldBelow(ctx context.Context, t Target, h *heldFile) error {
	if _, err := t.View.Stat(ctx, h.file.Path); err != nil {
		return &MismatchError{Reason: "a document in it is being edited"}
	}
	who := h.row.actor.Name
	if who == "" {
		who = "somebody"
	}
	return &MismatchError{Holder: who, File: h.file.Name, Reason: fmt.Sprintf("%s is being edited by %s", h.file.Name, who)}
}

// lift makes everything below ready to be moved: it takes the leases of the files that
// have lock rows, and gives DAV locks back that do not travel or are not wanted any
// more. It returns a [*MismatchError] if anybody but a's person holds one. release is
// never nil.
func (l *Locks) lift(ctx context.Context, t Target, a Actor, now time.Time) (lifted []*heldFile, release func(), err error) {
	release = func() {
		for _, h := range lifted {
			if h.lease != nil {
				h.lease.Release()
			}
		}
	}
	// In the order of their IDs, so that two who do this do not wait for each other.
	found, err := l.below(ctx, t, now)
	if err != nil {
		return nil, release, err
	}
	for _, h := range found {
		if h.live && (h.row.actor.UserID != a.UserID || len(found) > maxCarried) {
			return nil, release, heldBelow(ctx, t, h)
		}
	}
	for _, h := range found {
		lifted = append(lifted, h)
		if h.lease, err = l.Lease(ctx, h.file.ID, "move", l.k.patience); err == nil {
			err = l.giveBack(ctx, t.of(h.file), a, now)
		}
		if err != nil {
			return lifted, release, err
		}
	}
	return lifted, release, nil
}

// giveBack makes the upstream forget the lock of a file whose folder moves. The row
// stays where the file is locked.
func (l *Locks) giveBack(ctx context.Context, t Target, a Actor, now time.Time) error {
	r, err := readRow(ctx, l.DB.Read(), t.File.ID)
	switch {
	case err != nil || r == nil:
		return err
	case r.locked(now):
		if err := l.withdraw(ctx, t.File.ID, now); err != nil {
			return err
		}
		return l.unlockForMove(ctx, t, a, r)
	case r.phase == taking:
		return fmt.Errorf("locks: a file below is just being locked: %w", ErrBusy)
	}
	if err = l.clear(ctx, t, a, r, now); errors.Is(err, errRaced) {
		err = fmt.Errorf("locks: a file below is just being saved: %w", ErrBusy)
	}
	return err
}

// withdraw removes the lock files of ours beside a file whose folder moves: it would
// take them along to where nobody knows of them. They are written anew there.
func (l *Locks) withdraw(ctx context.Context, file idmap.FileID, now time.Time) error {
	ours, err := l.lockFilesOfOurs(ctx, `w.file = ?`, string(file))
	for _, a := range ours {
		l.removeLockFile(ctx, a, now)
	}
	return err
}

// of is t for a file below it.
func (t Target) of(file idmap.Entry) Target {
	return Target{File: file, Upstream: t.Upstream, View: t.View, Pin: t.Pin, May: t.May}
}

// settleBelow takes the locks that lift has given back again, wherever the files are
// now, and sends the keeper to those that were taken meanwhile.
func (l *Locks) settleBelow(ctx context.Context, t Target, lifted []*heldFile) {
	mine := make(map[idmap.FileID]bool)
	for _, h := range lifted {
		if h.lease == nil {
			continue
		}
		mine[h.file.ID] = true
		known, err := l.IDs.Known(ctx, t.File.Space, h.file.ID)
		if err == nil {
			err = l.bring(ctx, h.lease, t.of(known))
		}
		l.failed("bringing a lock along", err)
	}
	var err error
	if t.File, err = l.IDs.Known(ctx, t.File.Space, t.File.ID); err != nil {
		return // the keeper finds out
	}
	now, err := l.now(ctx)
	if err != nil {
		return
	}
	late, err := l.below(ctx, t, now)
	l.failed("looking for locks below a container", err)
	for _, h := range late {
		if mine[h.file.ID] {
			continue
		}
		_, err := l.amend(ctx, h.file.ID, func(p *row) error { p.next = time.Time{}; return nil }, nil)
		if !errors.Is(err, errRaced) {
			l.failed("calling the keeper", err)
		}
	}
}
