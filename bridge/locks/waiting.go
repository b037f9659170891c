package locks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// While a save of a file waits in the journal, the file is pinned (DESIGN 7.5): its
// DAV lock outlives Unlock and expiry, in a row that is `kept`. For WOPI such a file
// is unlocked, but only the editor that has saved it can lock it again; nobody can
// rename or delete it.

const reasonWaiting = "a save of this file is still waiting for the file server"

// ErrWaiting is 409 for what cannot be done to a file while a save of it waits.
func ErrWaiting() *MismatchError { return &MismatchError{Reason: reasonWaiting, Foreign: true} }

// Pin says, inside the transaction that lets a save wait, that editor's save of file
// waits. A row that was about to be released is kept.
func (l *Locks) Pin(ctx context.Context, tx sqldb.Queryer, file idmap.FileID, editor string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO locks_waiting (file, editor, at) VALUES (?, ?, ?)
		ON CONFLICT (file) DO UPDATE SET editor = excluded.editor`, string(file), editor, sqldb.Millis(now))
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE locks_row SET phase = ?, serial = serial + 1 WHERE file = ? AND phase = ?`,
			int64(kept), string(file), int64(releasing))
	}
	if err != nil {
		return fmt.Errorf("locks: pinning %s: %w", file, err)
	}
	return nil
}

// Unpin says, inside the transaction that ends the waiting, that no save of file
// waits any more. The keeper gives back what Unlock has left.
func (l *Locks) Unpin(ctx context.Context, tx sqldb.Queryer, file idmap.FileID) error {
	_, err := tx.Exec(ctx, `DELETE FROM locks_waiting WHERE file = ?`, string(file))
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE locks_row SET next_at = 0, serial = serial + 1 WHERE file = ? AND phase = ?`, string(file), int64(kept))
	}
	if err != nil {
		return fmt.Errorf("locks: unpinning %s: %w", file, err)
	}
	return nil
}

// Renumber says, inside a transaction, that the contents which were revision old of
// file are revision number now: who has read or written them still has.
func (l *Locks) Renumber(ctx context.Context, tx sqldb.Queryer, file idmap.FileID, old, number int64) error {
	for _, query := range []string{
		`UPDATE locks_editing SET base = ? WHERE file = ? AND base = ?`,
		`UPDATE locks_read SET revision = ? WHERE file = ? AND revision = ?`,
		`UPDATE locks_editor_read SET revision = ? WHERE file = ? AND revision = ?`,
	} {
		if _, err := tx.Exec(ctx, query, number, string(file), old); err != nil {
			return fmt.Errorf("locks: renumbering a revision of %s: %w", file, err)
		}
	}
	return nil
}

// pinnedBy is the editor whose save of file waits; false if none does.
func (l *Locks) pinnedBy(ctx context.Context, file idmap.FileID) (editor string, waits bool, err error) {
	return pinnedBy(ctx, l.DB.Read(), file)
}

func pinnedBy(ctx context.Context, q sqldb.Queryer, file idmap.FileID) (editor string, waits bool, err error) {
	err = q.QueryRow(ctx, `SELECT editor FROM locks_waiting WHERE file = ?`, string(file)).Scan(&editor)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("locks: looking for a waiting save of %s: %w", file, err)
	}
	return editor, true, nil
}

// unlessPinned returns errRaced, inside the transaction that takes a file or gives it up, if
// a save of it has begun to wait since the caller looked: it asks nobody for the lease.
func unlessPinned(ctx context.Context, tx sqldb.Queryer, file idmap.FileID) error {
	_, waits, err := pinnedBy(ctx, tx, file)
	if err == nil && waits {
		err = errRaced
	}
	return err
}

// mayTouch refuses a move or deletion of a file that only the journal holds.
func (l *Locks) mayTouch(ctx context.Context, file idmap.FileID, op string, r *row, now time.Time) error {
	if op != "move" && op != "delete" || r.locked(now) {
		return nil
	}
	_, waits, err := l.pinnedBy(ctx, file)
	if err == nil && waits {
		err = ErrWaiting()
	}
	return err
}

// lockKept is takeAgain for a pinned file: the upstream, which may be away, is not
// asked; the keeper takes the DAV lock when it can. False: the file is not pinned.
func (l *Locks) lockKept(ctx context.Context, k *taker, now time.Time) (bool, error) {
	editor, waits, err := l.pinnedBy(ctx, k.t.File.ID)
	if err != nil || !waits {
		return false, err
	}
	if editor != k.a.Editor {
		return true, ErrWaiting()
	}
	next := row{file: k.t.File.ID, space: k.t.File.Space, upstream: k.t.Upstream, path: k.t.File.Path, actor: k.a, lost: true}
	if k.old != nil {
		next = *k.old
	}
	switch {
	case k.old == nil || k.old.token == "":
		if next.pinned, err = k.t.pin(ctx); err != nil {
			return true, err
		}
		next.actor, next.lost = k.a, true
	case k.old.actor.UserID == k.a.UserID:
		next.actor = k.a // else the DAV lock, and its credential, stay those of who took it
	}
	next.phase, next.lock, next.since = held, Lock{ID: k.id, Expires: now.Add(Life)}, now
	next.next, next.takingUntil = now, time.Time{}
	return true, l.swap(ctx, k.old, &next, func(tx sqldb.Queryer) error {
		var err error
		if k.again == nil {
			next.editing, err = beginEditing(ctx, tx, k.t.File, k.a, next.lock, now)
		} else {
			next.editing = k.again.ID
			err = goOnEditing(ctx, tx, next.editing, k.a, next.lock, k.byLock, now)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE locks_row SET editing = ? WHERE file = ?`, next.editing, string(next.file))
		}
		return err
	})
}

// keepForJournal keeps the DAV lock of a file that WOPI has let go of.
func (l *Locks) keepForJournal(ctx context.Context, r *row, now time.Time) error {
	if r.phase == kept {
		return l.keepAlive(ctx, r, now)
	}
	next := *r
	next.phase, next.next, next.tries = kept, now, 0
	if err := l.swap(ctx, r, &next, nil); err != nil {
		return err
	}
	return l.keepAlive(ctx, &next, now)
}

// PermitKept is [Locks.Permit] from the database alone, for bytes that are to wait
// because the upstream is away: it takes nothing there, and its permit shows no
// token. Errors: [*MismatchError], [ErrStale].
func (l *Locks) PermitKept(ctx context.Context, x *Lease, t Target, a Actor, id *wopi.LockID) (Permit, error) {
	if err := x.Check(ctx); err != nil {
		return Permit{}, err
	}
	now, err := l.now(ctx)
	if err != nil {
		return Permit{}, err
	}
	p, err := l.permitFrom(ctx, l.DB.Read(), now, t, a, id)
	if errors.Is(err, errWait) || err == nil && p.Editing == nil {
		err = &MismatchError{Reason: reasonUnlocked}
	}
	var late *SupersededError
	if errors.As(err, &late) {
		err = late.Mismatch
	}
	return p, err
}

// PermitBehind is PermitKept inside the transaction that lets bytes wait while somebody
// else holds the lease. Errors: [*MismatchError]; [*SupersededError], as of
// [Locks.Permit]; [ErrBusy]: the lock is just being taken, ask again.
func (l *Locks) PermitBehind(ctx context.Context, tx sqldb.Queryer, now time.Time, t Target, a Actor, id *wopi.LockID) (Permit, error) {
	p, err := l.permitFrom(ctx, tx, now, t, a, id)
	if errors.Is(err, errWait) {
		err = ErrBusy
	}
	return p, err
}

// permitFrom is the permit that the database alone can give.
func (l *Locks) permitFrom(ctx context.Context, q sqldb.Queryer, now time.Time, t Target, a Actor, id *wopi.LockID) (Permit, error) {
	s, err := l.standingIn(ctx, q, now, t, a, id)
	if err != nil {
		return Permit{}, err
	}
	switch v, mismatch := s.judge(a, id, t.File.Revision.Size, t.File.Revision.Number); v {
	case write:
		e, err := editingByID(ctx, q, s.row.editing)
		if err != nil {
			return Permit{}, err
		}
		return Permit{Lock: s.row.lock, Editing: &e.Editing, View: t.View}, nil
	case retake, afterEnd:
		return Permit{Editing: &s.of.Editing, View: t.View, Retaken: true}, nil
	case wait:
		return Permit{}, errWait
	case supersede:
		return Permit{}, &SupersededError{Editing: &s.of.Editing, Mismatch: mismatch}
	case refuse:
		return Permit{}, mismatch
	}
	return Permit{View: t.View}, nil // an empty file that nobody edits
}
