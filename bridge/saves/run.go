package saves

import (
	"bytes"
	"context"
	"errors"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// writtenFor is how long it is remembered which editing wrote a revision; longer
// than an editing lives.
const writtenFor = 30 * 24 * time.Hour

// Run settles what requests have left, looks once more for every verified save
// before its spool is let go of, and drops what is kept for too long, until ctx
// ends. It returns nil then.
func (s *Saves) Run(ctx context.Context) error {
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		s.beat(ctx)
	}()
	defer func() { <-beating }()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.sweep(ctx)
	}
}

// Drain tries once more, whatever came of earlier tries, to bring to the upstream what waits, until ctx ends. It returns
// how many acknowledged saves stay in the journal, for the next start. For the end of the program, when nobody saves any
// more; Run may go on beside it.
func (s *Saves) Drain(ctx context.Context) (left int, err error) {
	s.live.hurry()
	if err = s.settleAll(ctx, true); ctx.Err() != nil {
		err = nil // the rest stays
	}
	stay, countErr := s.entries(context.WithoutCancel(ctx), `state IN (?, ?)`, stateWaiting, stateAside)
	return len(stay), errors.Join(err, countErr)
}

// sweep is one turn of Run.
func (s *Saves) sweep(ctx context.Context) {
	for _, job := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"saves: taking over", s.inherit},
		{"saves: settling", func(ctx context.Context) error { return s.settleAll(ctx, true) }},
		{"saves: looking again", s.lookAgain},
		{"saves: dropping old entries", s.expire},
		{"saves: clearing away", s.dropOrphans},
		{"saves: removing temporary files", s.clearLitter},
		{"saves: ending uploads that nobody goes on with", s.expireIncoming},
	} {
		if ctx.Err() != nil {
			return
		}
		if err := job.do(ctx); err != nil && ctx.Err() == nil {
			s.OnError(job.what, err)
		}
	}
}

// lookAgain is the PROPFIND after the lease (DESIGN 4): a save's spool goes when
// the upstream still shows it a while after the answer.
func (s *Saves) lookAgain(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return err
	}
	all, err := s.entries(ctx, `changed < ? AND (state = ? OR state = ? AND copy <> '')`,
		sqldb.Millis(now.Add(-lateAfter)), stateVerified, stateConflict)
	if err != nil {
		return err
	}
	for _, r := range all {
		if ctx.Err() != nil {
			return nil
		}
		if !s.live.due(r.id) || !s.live.take(r.id) {
			continue
		}
		err := s.still(ctx, r)
		s.live.leave(r.id)
		s.live.again(r.id, err)
		if err != nil {
			s.OnError("saves: looking again for entry "+r.id, err)
		}
	}
	return nil
}

// still lets go of r if its bytes are where they were seen, or were replaced by a
// save of ours, or deleted through us. If something else took their place so soon,
// they stay for recovery.
func (s *Saves) still(ctx context.Context, r *row) error {
	if s.lacks(theSecondLook) {
		return s.forget(ctx, r)
	}
	id := r.file
	if r.copy != "" {
		id = r.copy
	}
	e, err := s.IDs.Known(ctx, r.space, id)
	if errors.Is(err, idmap.ErrNotFound) {
		return s.forget(ctx, r)
	}
	if err != nil && !errors.Is(err, idmap.ErrMissing) {
		return err
	}
	if err == nil && e.Revision.Number > r.revision {
		ours, err := s.writtenHere(ctx, id, e.Revision.Number)
		if err != nil {
			return err
		}
		if ours {
			return s.forget(ctx, r)
		}
	}
	view, err := s.view(ctx, r)
	if err != nil {
		return err
	}
	at := e.Path
	if at == "" {
		at = r.target
	}
	d := &delivery{s: s, r: r, view: view}
	res, err := view.Stat(ctx, at)
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return s.lostAgain(ctx, r, reasonVanished)
	case err != nil:
		return err
	case res.Size == r.size && (res.ETag == "" || res.ETag.Same(r.etag) || bytes.Equal(e.Revision.SHA256, r.sha256) && res.ETag.Same(e.Revision.ETag)):
		return s.forget(ctx, r)
	}
	ok, err := d.holds(ctx, res)
	if err != nil {
		return err
	}
	if ok {
		return s.forget(ctx, r)
	}
	return s.lostAgain(ctx, r, reasonReplaced)
}

func (s *Saves) lostAgain(ctx context.Context, r *row, reason string) error {
	return s.advance(ctx, r, func(n *row) {
		n.state, n.etag, n.sent, n.temp, n.reason = stateUnacknowledged, "", sentNothing, "", reason
	}, nil)
}

// expire drops entries and memories whose time is over.
func (s *Saves) expire(ctx context.Context) error {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return err
	}
	all, err := s.entries(ctx, `(state = ? AND changed < ? OR changed < ? AND state NOT IN (?, ?, ?, ?, ?))`,
		statePreimage, sqldb.Millis(now.Add(-s.UndoAge)),
		sqldb.Millis(now.Add(-retention)), statePreimage, stateSpooled, stateDelivering, stateWaiting, stateAside)
	if err != nil {
		return err
	}
	for _, r := range all {
		if !s.live.take(r.id) {
			continue
		}
		// A temp is the last way back to a file whose MOVE broke off, so it must be
		// settled first; but not for ever.
		err = nil
		if r.sent == sentNothing || r.state == stateVerified || now.Sub(r.made) > 2*retention {
			err = s.forget(ctx, r)
		}
		s.live.leave(r.id)
		if err != nil {
			return err
		}
	}
	return s.DB.Write(ctx, func(tx sqldb.Queryer) error {
		old := sqldb.Millis(now.Add(-writtenFor))
		if _, err := tx.Exec(ctx, `DELETE FROM saves_written WHERE made < ?`, old); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM saves_copy WHERE made < ?`, old)
		return err
	})
}
