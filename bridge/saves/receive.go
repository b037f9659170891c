package saves

import (
	"context"
	"errors"
	"fmt"
	"io"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A sender is what the journal must know of a body before it is there.
type sender struct {
	kind     string
	file     idmap.FileID
	space    idmap.SpaceID
	upstream string
	name     string
	writer   string
	user     string // UserID
	member   string
	office   int64
	editing  int64
	base     int64
	pin      func(context.Context) ([]byte, error)
	max      int64
}

// receive spools body and writes its row. The entry is in the live set when it
// returns without an error; the caller takes it out. [dav.ErrTooLarge],
// [dav.ErrIncomplete], [ErrNoRoom]: nothing is kept. A [*KeptError]: the spool is
// there, but the database could not be told.
func (s *Saves) receive(ctx context.Context, from sender, body io.Reader, length int64) (*row, error) {
	if length > from.max {
		return nil, fmt.Errorf("saves: %d bytes: %w", length, dav.ErrTooLarge)
	}
	r := &row{
		id: newID(), kind: from.kind, file: from.file, space: from.space, upstream: from.upstream, name: from.name,
		writer: from.writer, user: from.user, member: from.member, office: from.office, editing: from.editing, base: from.base,
		state: stateSpooled, place: s.place(),
	}
	if from.kind == kindPreimage {
		r.state = statePreimage
	}
	whole, inPieces := body.(*wholeBody)
	if inPieces {
		r.id, r.place = whole.ID, whole.place // in the live set already
	} else {
		s.live.take(r.id)
	}
	if err := s.take(ctx, r, from, body, length); err != nil {
		if !inPieces {
			s.live.leave(r.id)
		}
		return nil, err
	}
	if inPieces {
		whole.done = func() {} // from now on it is the caller's to take it out
		if err := s.forgetIncoming(context.WithoutCancel(ctx), whole.ID); err != nil {
			s.OnError("saves: forgetting an upload that is whole", err) // it ends by itself
		}
	}
	return r, nil
}

func (s *Saves) take(ctx context.Context, r *row, from sender, body io.Reader, length int64) error {
	sp, err := s.keepBytes(ctx, r, body, length, from.max)
	if err != nil {
		return err
	}
	if r.place != inDatabase { // where an entry is nothing before it has a row
		if err := s.step("spooled"); err != nil {
			return err
		}
	}
	r.size, r.sha256 = sp.size, sp.sha256
	// The editor may have hung up right after its last byte: the body is whole.
	ctx = context.WithoutCancel(ctx)
	if from.pin != nil {
		// Without a credential only what follows the request suffers.
		if r.pinned, err = from.pin(ctx); err != nil {
			s.OnError("saves: sealing a credential for recovery", err)
		}
	}
	if err := s.insert(ctx, r); err != nil {
		if r.place == inDatabase {
			return err // what is in no row is nowhere
		}
		return &KeptError{Entry: r.id, Err: err} // recovery finds a spool without a row
	}
	return s.step("journaled")
}

// keep ends an entry that was not delivered, and says so. The error that comes
// back is a [*KeptError] unless the entry was taken over.
func (s *Saves) keep(ctx context.Context, r *row, cause error) error {
	state := stateUnacknowledged
	if final(cause) {
		state = stateRefused
	}
	err := s.advance(ctx, r, func(n *row) { n.state, n.reason = state, bounded(cause.Error()) }, nil)
	if errors.Is(err, locks.ErrStale) {
		return err
	}
	if err != nil {
		cause = errors.Join(cause, err) // the bytes are here; recovery finds them
	}
	return &KeptError{Entry: r.id, Err: cause}
}

// bounded keeps a reason short enough for a page.
func bounded(reason string) string {
	const most = 300
	if len(reason) > most {
		return cut(reason, most)
	}
	return reason
}

// view opens the credential that r was left with.
func (s *Saves) view(ctx context.Context, r *row) (*davbackend.View, error) {
	if len(r.pinned) == 0 {
		// Nothing was pinned: only the account that everybody shares will do.
		up, err := s.Locks.Upstreams.Get(r.upstream)
		if err == nil && up.Service == nil {
			err = access.ErrNeedsSignIn
		}
		if err != nil {
			return nil, fmt.Errorf("saves: credential of entry %s: %w", r.id, err)
		}
		return up.Client.As(*up.Service), nil
	}
	v, err := s.Locks.Upstreams.Pinned(ctx, r.upstream, r.pinned)
	if err != nil {
		return nil, fmt.Errorf("saves: credential of entry %s: %w", r.id, err)
	}
	return v, nil
}
