package saves

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Undo writes a pre-image back over its file, as [Saves.Overwrite] does: nobody may have
// the file, it must be what t says, and what lies there now becomes a pre-image first, so
// that the undoing can be undone. Where none can be kept nothing is written.
//
// Errors are Overwrite's, and [ErrNoEntry] if id is no pre-image of t.File.
func (s *Saves) Undo(ctx context.Context, t locks.Target, a locks.Actor, id string) (idmap.Entry, error) {
	r, err := s.entry(ctx, id)
	if err != nil {
		return idmap.Entry{}, err
	}
	if r.state != statePreimage || r.file != t.File.ID {
		return idmap.Entry{}, ErrNoEntry
	}
	body, _, err := s.Open(ctx, id)
	if err != nil {
		return idmap.Entry{}, err
	}
	defer body.Close()
	e, err := s.overwriteWith(ctx, t, a, body, r.size, true)
	if errors.Is(err, dav.ErrIncomplete) {
		return idmap.Entry{}, fmt.Errorf("saves: entry %s: %w", id, err)
	}
	return e, err
}

// LastPreimage is what the last save of file through us has replaced, as far as it was
// kept; [ErrNoEntry].
func (s *Saves) LastPreimage(ctx context.Context, file idmap.FileID) (Entry, error) {
	r, err := s.lastPreimage(ctx, file)
	if err != nil {
		return Entry{}, err
	}
	return r.public(), nil
}

func (s *Saves) lastPreimage(ctx context.Context, file idmap.FileID) (*row, error) {
	all, err := s.shown(ctx, `file = ? AND state = ?`, string(file), statePreimage)
	if err != nil {
		return nil, err
	}
	var last *row
	for _, r := range all {
		if last == nil || !r.changed.Before(last.changed) { // changed: when it was replaced
			last = r
		}
	}
	if last == nil {
		return nil, ErrNoEntry
	}
	return last, nil
}

// UndoAs is the file of a pre-image as it is now, seen with the credential that the save
// was left with: a target for [Saves.Undo] where no person asks. It returns
// [ErrNoEntry], or an error if that credential is none any more or the file is not there.
func (s *Saves) UndoAs(ctx context.Context, id string) (locks.Target, error) {
	r, err := s.entry(ctx, id)
	if err != nil {
		return locks.Target{}, err
	}
	view, err := s.view(ctx, r)
	if err != nil {
		return locks.Target{}, err
	}
	return s.targetOf(ctx, r, view)
}

func (s *Saves) targetOf(ctx context.Context, r *row, view *davbackend.View) (locks.Target, error) {
	e, seen, err := s.IDs.Find(ctx, r.space, r.file, view)
	return locks.Target{
		File: e, Seen: seen, Upstream: r.upstream, View: view,
		Pin: func(context.Context) ([]byte, error) { return r.pinned, nil },
	}, err
}
