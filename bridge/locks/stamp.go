package locks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A file that is opened for editing is stamped, where the upstream keeps stamps and has
// no better ID (DESIGN 5), so that it is known again when others edit and move it. The
// editor does not wait for that: the next pass of the keeper does it, under the DAV lock
// that the editor holds. What comes to nothing is tried again at the next opening.

// maxStamps bounds the files that wait for their stamps; more are left out.
const maxStamps = 1000

// opened notes that the file of t was locked, and may want a stamp.
func (l *Locks) opened(t Target) {
	if !t.View.Client().Profile().Stamps || !t.View.MayWrite(t.Seen) || !t.Seen.StampKnown {
		return
	}
	l.k.mu.Lock()
	defer l.k.mu.Unlock()
	if l.k.unstamped == nil {
		l.k.unstamped = make(map[idmap.FileID]Target)
	}
	if len(l.k.unstamped) < maxStamps {
		l.k.unstamped[t.File.ID] = t
	}
}

// stampOpened stamps what was opened since the last pass.
func (l *Locks) stampOpened(ctx context.Context) {
	l.k.mu.Lock()
	due := l.k.unstamped
	l.k.unstamped = nil
	l.k.mu.Unlock()
	files := slices.Sorted(maps.Keys(due))
	forEach(ctx, files, func(file idmap.FileID) {
		ctx, cancel := context.WithTimeout(ctx, keeperLimit)
		defer cancel()
		if err := l.stamp(ctx, due[file]); err != nil && ctx.Err() == nil {
			l.noStamp(due[file].Upstream, err)
		}
	})
}

// stamp costs two requests if the file needs a stamp, else none.
func (l *Locks) stamp(ctx context.Context, t Target) error {
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	r, err := readRow(ctx, l.DB.Read(), t.File.ID)
	if err != nil || !r.locked(now) || r.path != t.Seen.Path || r.lost {
		return err // closed or moved again, or somebody else may have a lock on it
	}
	stamp, err := l.IDs.NextStamp(ctx, t.File.Space, t.File.ID, t.Seen)
	if err != nil || stamp == "" {
		return err
	}
	if err := t.View.WriteStamp(ctx, r.path, stamp, davbackend.Condition{Token: r.token}); err != nil {
		return fmt.Errorf("locks: writing a stamp: %w", err)
	}
	res, err := t.View.Stat(ctx, r.path)
	if errors.Is(err, dav.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if res.Stamp != stamp {
		return fmt.Errorf("locks: the stamp was not kept: %w", dav.ErrUnsupported)
	}
	return l.IDs.Stamped(ctx, t.File.Space, t.File.ID, stamp, res)
}

// noStamp tells why a file of an upstream could not be stamped, once for each.
func (l *Locks) noStamp(upstream string, err error) {
	l.k.mu.Lock()
	told := l.k.noStamps[upstream]
	if l.k.noStamps == nil {
		l.k.noStamps = make(map[string]bool)
	}
	l.k.noStamps[upstream] = true
	l.k.mu.Unlock()
	if !told && l.Debug != nil {
		l.Debug("stamping a file", err)
	}
}
