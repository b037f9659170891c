package locks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// foreignLock is the 409 for a DAV lock of somebody else.
func foreignLock(holder string) *MismatchError {
	holder = cleanHolder(holder)
	return &MismatchError{Foreign: true, Holder: holder, Reason: "locked by " + cmp.Or(holder, "another program") + " on the file server"}
}

// foreignFile is the 409 for a lock file of a desktop program.
func foreignFile(kind lockFileKind, holder string) *MismatchError {
	program := "LibreOffice"
	if kind == msOffice {
		program = "Microsoft Office"
	}
	return &MismatchError{Foreign: true, Holder: holder, Program: program, Reason: "opened by " + cmp.Or(holder, "somebody") + " with " + program + " on a desktop (lock file)"}
}

// An ownLockError says that a LOCK of ours, whose answer was lost, may be what
// locks the file on an upstream that does not show whose its locks are. It ends by
// itself. For a save that is an outage and no change from outside, so it unwraps
// to [dav.ErrLocked].
type ownLockError struct{ until time.Time }

func (e *ownLockError) Error() string {
	return "locks: locked by ourselves until " + e.until.UTC().Format("15:04:05") + " UTC"
}

func (e *ownLockError) Unwrap() error { return dav.ErrLocked }

// asMismatch is what an editor that wants the lock is told: 409, for all errors
// that say who has it.
func asMismatch(err error) error {
	var own *ownLockError
	if errors.As(err, &own) {
		return &MismatchError{Foreign: true, Reason: strings.TrimPrefix(own.Error(), "locks: ")}
	}
	return err
}

// otherEditor is the 409 for a request through another editor than the one that
// holds r: two editors never edit one file at once, even with one lock ID.
func otherEditor(r *row) *MismatchError {
	where := "by a script, through no editor"
	if r.actor.Editor != "" {
		where = "in another editor (" + cleanHolder(r.actor.Editor) + ")"
	}
	return &MismatchError{Foreign: true, Holder: r.actor.Name, Reason: "open " + where}
}

// refusedForLock turns the upstream's 423 into WOPI's 409; other errors stay.
func refusedForLock(err error) error {
	var locked *davbackend.LockedError
	switch {
	case errors.As(err, &locked):
		return foreignLock(locked.Holder)
	case errors.Is(err, dav.ErrLocked):
		return foreignLock("")
	}
	return err
}

// own is what tells our DAV locks of one file from those of others.
type own struct {
	tokens []dav.LockToken
	nonces []string
}

// is reports whether lock is ours: it has a token that we know, or its owner ends
// with a nonce that we stored before.
func (o own) is(lock dav.ActiveLock) bool {
	for _, t := range o.tokens {
		if t != "" && lock.Token == t {
			return true
		}
	}
	for _, n := range o.nonces {
		if carries(lock.Owner, n) {
			return true
		}
	}
	return false
}

// stranger is the first of locks that is not ours, nil if all are.
func (o own) stranger(locks []dav.ActiveLock) *dav.ActiveLock {
	for i := range locks {
		if !o.is(locks[i]) {
			return &locks[i]
		}
	}
	return nil
}

// carries reports whether an owner text ends with nonce.
func carries(owner, nonce string) bool {
	return nonce != "" && strings.HasSuffix(strings.TrimSpace(owner), nonce)
}

// ownOf gathers what is ours at the file of r: the row and what intents are still
// to release.
func (l *Locks) ownOf(ctx context.Context, file idmap.FileID, r *row) (own, []leftover, error) {
	var o own
	if r != nil {
		o.tokens, o.nonces = append(o.tokens, r.token), append(o.nonces, r.nonce)
	}
	left, err := l.leftovers(ctx, file)
	for _, w := range left {
		o.tokens, o.nonces = append(o.tokens, w.Token), append(o.nonces, w.Nonce)
	}
	return o, left, err
}

// outsider returns a [*MismatchError] if something that is not WOPI locks the
// file: a DAV lock or, if we respect them, a lock file. No trip is made for the
// DAV lock if this request's PROPFIND showed that there is none.
func (l *Locks) outsider(ctx context.Context, t Target, r *row) error {
	if err := l.outsideLock(ctx, t, r); err != nil {
		return l.met(ctx, t.File.ID, err)
	}
	return l.met(ctx, t.File.ID, l.lockFiles(ctx, t, r))
}

func (l *Locks) outsideLock(ctx context.Context, t Target, r *row) error {
	if r != nil && r.phase == held && r.token != "" {
		return nil // ours is exclusive
	}
	o, _, err := l.ownOf(ctx, t.File.ID, r)
	if err != nil {
		return err
	}
	seen := t.Seen
	if seen.Path != "" && (!seen.LocksKnown || o.stranger(seen.Locks) == nil) {
		return nil
	}
	// What this request saw may have been our own lock a moment ago: look again.
	seen, err = t.View.Stat(ctx, t.File.Path)
	if err != nil {
		return err
	}
	if s := o.stranger(seen.Locks); s != nil {
		return foreignLock(s.Owner)
	}
	return nil
}

// lockFiles looks for lock files of desktop programs beside the file: at most two
// PROPFINDs, and one GET to name the holder.
func (l *Locks) lockFiles(ctx context.Context, t Target, r *row) error {
	if !l.Respect {
		return nil
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	for _, name := range lockFileNames(t.File.Path) {
		res, err := t.View.Stat(ctx, name.path)
		if errors.Is(err, dav.ErrUnavailable) {
			return err
		}
		if err != nil || res.Collection || (!res.Modified.IsZero() && now.Sub(res.Modified) > lockFileLife) {
			continue
		}
		b, err := readSmall(ctx, t.View, name.path)
		if errors.Is(err, dav.ErrNotFound) {
			continue // closed this moment
		}
		if err != nil && !errors.Is(err, dav.ErrDenied) && !errors.Is(err, dav.ErrLocked) {
			return err
		}
		if ours, err := l.ownLockFile(ctx, t.File.ID, name.path, b); err != nil {
			return err
		} else if ours {
			continue
		}
		if name.kind == msOffice {
			return foreignFile(name.kind, parseOwnerFile(b))
		}
		return foreignFile(name.kind, parseLockFile(string(b)))
	}
	return nil
}

// readSmall reads the beginning of a small file.
func readSmall(ctx context.Context, view *davbackend.View, p dav.Path) ([]byte, error) {
	content, err := view.Get(ctx, p, 0, -1)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	b, err := io.ReadAll(io.LimitReader(content, maxLockFile))
	if err != nil {
		return nil, fmt.Errorf("locks: reading a lock file: %w", err)
	}
	return b, nil
}

// met remembers who holds the file, for people, if err says that somebody does;
// and returns err.
func (l *Locks) met(ctx context.Context, file idmap.FileID, err error) error {
	var m *MismatchError
	if !errors.As(err, &m) || !m.Foreign {
		return err
	}
	now, clockErr := l.now(ctx)
	if clockErr != nil {
		return err
	}
	l.failed("remembering a foreign lock", l.DB.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO locks_foreign (file, holder, program, since, at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (file) DO UPDATE SET holder = excluded.holder, program = excluded.program, at = excluded.at,
				since = CASE WHEN locks_foreign.at > ? AND locks_foreign.holder = excluded.holder THEN locks_foreign.since ELSE excluded.since END`,
			string(file), m.Holder, m.Program, sqldb.Millis(now), sqldb.Millis(now), sqldb.Millis(now.Add(-foreignFresh)))
		return err
	}))
	return err
}
