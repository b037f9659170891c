package locks

import (
	"context"

	"davwopi/bridge/wopi"
)

// Get is GetLock: the present lock ID, "" if the file is unlocked. It compares
// nothing and changes nothing. Something that is not WOPI and locks the file is a
// [*MismatchError] with an empty Current, because it has no ID that an editor
// could use.
//
// No trip while we hold the file, nor if t.Seen shows no lock; else one PROPFIND,
// and those for lock files.
func (l *Locks) Get(ctx context.Context, t Target, a Actor) (wopi.LockID, error) {
	now, err := l.now(ctx)
	if err != nil {
		return "", err
	}
	r, err := readRow(ctx, l.DB.Read(), t.File.ID)
	if err != nil {
		return "", err
	}
	switch {
	case r.locked(now):
		return r.lock.ID, nil
	case r.pending(now):
		return "", nil // not yet: its LOCK may be seen on the upstream already
	}
	if _, waits, err := l.pinnedBy(ctx, t.File.ID); err != nil || waits {
		return "", err
	}
	return "", l.outsider(ctx, t, r)
}
