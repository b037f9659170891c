package locks

import (
	"fmt"
	"time"

	"davwopi/bridge/wopi"
)

// Life is how long a WOPI lock lives after Lock, RefreshLock or
// UnlockAndRelock (MS-WOPI, Lock: 30 minutes).
const Life = 30 * time.Minute

// Reasons of a mismatch between WOPI clients, as people read them.
const (
	reasonOther    = "locked by another editing session"
	reasonUnlocked = "the file is not locked"
	reasonNoID     = "the file is locked, and the request shows no lock ID"
	reasonNonEmpty = "the file is not locked and not empty"
)

// A Lock is the WOPI lock of a file; the zero Lock is unlocked.
//
// Its methods are the rules of WOPI, pure and told the time. Each returns the
// lock that follows, or a [*MismatchError] and l itself, unchanged.
type Lock struct {
	ID      wopi.LockID
	Expires time.Time
}

// Held reports whether l locks the file at now. An expired lock does not.
func (l Lock) Held(now time.Time) bool { return l.ID != "" && now.Before(l.Expires) }

// Acquire is Lock: it takes an unlocked file, and refreshes id's own lock. An
// empty id is [wopi.ErrMalformed].
func (l Lock) Acquire(id wopi.LockID, now time.Time) (Lock, error) {
	if id == "" {
		return l, fmt.Errorf("locks: %w: no lock ID", wopi.ErrMalformed)
	}
	if l.Held(now) && l.ID != id {
		return l, l.mismatch(now)
	}
	return Lock{ID: id, Expires: now.Add(Life)}, nil
}

// Refresh is RefreshLock: it starts the 30 minutes again. An empty id is
// [wopi.ErrMalformed].
func (l Lock) Refresh(id wopi.LockID, now time.Time) (Lock, error) {
	return l.Relock(id, id, now)
}

// Relock is UnlockAndRelock: old's lock becomes id's, in one step. An empty id is
// [wopi.ErrMalformed]; an empty old matches nothing.
func (l Lock) Relock(old, id wopi.LockID, now time.Time) (Lock, error) {
	if id == "" {
		return l, fmt.Errorf("locks: %w: no lock ID", wopi.ErrMalformed)
	}
	if !l.Held(now) || l.ID != old {
		return l, l.mismatch(now)
	}
	return Lock{ID: id, Expires: now.Add(Life)}, nil
}

// Release is Unlock. An empty id is [wopi.ErrMalformed].
func (l Lock) Release(id wopi.LockID, now time.Time) (Lock, error) {
	if _, err := l.Relock(id, id, now); err != nil {
		return l, err
	}
	return Lock{}, nil
}

// MayWrite is PutFile's rule: the lock's ID must be shown, or the file must be
// unlocked and empty. id is nil when the request had none, which never matches;
// size is that of the file in bytes, negative if unknown. The rule hangs on the
// state of the file, not on whether the header is there.
func (l Lock) MayWrite(id *wopi.LockID, size int64, now time.Time) error {
	switch {
	case l.Held(now) && id == nil:
		return &MismatchError{Current: l.ID, Reason: reasonNoID}
	case l.Held(now) && l.ID != *id:
		return l.mismatch(now)
	case !l.Held(now) && size != 0:
		return &MismatchError{Reason: reasonNonEmpty}
	}
	return nil
}

// MayRename is RenameFile's rule: the file is unlocked, or the lock's ID is
// shown.
func (l Lock) MayRename(id *wopi.LockID, now time.Time) error {
	switch {
	case l.Held(now) && id == nil:
		return &MismatchError{Current: l.ID, Reason: reasonNoID}
	case l.Held(now) && l.ID != *id:
		return l.mismatch(now)
	}
	return nil
}

// MayDelete is DeleteFile's rule: the file is unlocked. DeleteFile has no header
// to show a lock ID in.
func (l Lock) MayDelete(now time.Time) error {
	if l.Held(now) {
		return l.mismatch(now)
	}
	return nil
}

func (l Lock) mismatch(now time.Time) *MismatchError {
	if !l.Held(now) {
		return &MismatchError{Reason: reasonUnlocked}
	}
	return &MismatchError{Current: l.ID, Reason: reasonOther}
}
