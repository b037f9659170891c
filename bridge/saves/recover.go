package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Recover looks at what an earlier process left in the directory. It is called
// once, before the first request:
//
//   - half spools are removed: nobody was told anything of them;
//   - bodies in pieces stay as far as they have come, if a row speaks of them;
//   - whole spools without a row get one, as unacknowledged;
//   - rows without a spool are removed, but for those that were acknowledged: the disk or
//     volume with their bytes may only be missing, and until a person drops them they stay;
//   - every entry whose answer is unknown is settled by looking at the upstream (see
//     settle). Where that does not answer, an earlier holder's lease still runs, or
//     recoverFor is over, [Saves.Run] tries again. What waits is left to it
//     altogether: the daemon must serve while the upstream is away.
//
// It fails only if the directory or the database does.
func (s *Saves) Recover(ctx context.Context) error {
	if s.lacks(theReplay) {
		return nil
	}
	places := []string{s.store}
	if s.Volume != "" {
		places = append(places, onVolume+s.store)
	}
	for _, place := range places {
		if err := s.recoverIn(ctx, place); err != nil {
			return fmt.Errorf("saves: recovering: %w", err)
		}
	}
	if err := s.forgetLost(ctx); err != nil {
		return err
	}
	if err := s.trustAgain(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, recoverFor)
	defer stop()
	return s.settleAll(ctx, false)
}

// recoverFor is how long settling may hold up the start. An upstream that takes
// connections and answers nothing would hold it up for as long as it likes; whoever
// saves or locks meanwhile meets what is unsettled under the file's lease.
const recoverFor = time.Second

// recoverIn is what Recover does about the files of one place.
func (s *Saves) recoverIn(ctx context.Context, place string) error {
	dir := s.dirOf(place)
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	all := make([]string, 0, len(names))
	for _, n := range names {
		name := n.Name()
		all = append(all, name)
		if strings.HasSuffix(name, partSuffix) {
			err = s.disk.remove(filepath.Join(dir, name))
		} else if id, file, ok := parseSpoolName(name); ok {
			err = s.adopt(ctx, place, id, file)
		}
		if err != nil {
			return err
		}
	}
	return s.recoverIncoming(ctx, place, all)
}

// trustAgain lets what waits for a refused account that all share be tried again: its
// password may be another one since the last start.
func (s *Saves) trustAgain(ctx context.Context) error {
	for _, up := range s.Locks.Upstreams.List {
		if up.Service == nil {
			continue
		}
		err := s.DB.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `UPDATE saves_entry SET reason = '' WHERE store = ? AND upstream = ? AND state IN (?, ?) AND reason = ?`,
				s.store, up.Name, stateWaiting, stateAside, needsSignIn)
			return err
		})
		if err != nil {
			return fmt.Errorf("saves: journal: %w", err)
		}
	}
	return nil
}

// adopt gives a spool without a row its row. The bytes were whole and durable, but
// no one was answered; if they are what the file has, they are needless.
func (s *Saves) adopt(ctx context.Context, place, id string, file idmap.FileID) error {
	if _, err := s.entry(ctx, id); !errors.Is(err, ErrNoEntry) {
		return err
	}
	r := &row{
		id: id, place: place, kind: kindStray, state: stateUnacknowledged, file: file,
		reason: reasonUnjournaled,
	}
	sp, err := s.hashBytes(ctx, r)
	if err != nil {
		return err
	}
	r.size, r.sha256 = sp.size, sp.sha256
	if err := s.attribute(ctx, r); err != nil {
		return err
	}
	e, err := s.IDs.Known(ctx, r.space, file)
	switch {
	case errors.Is(err, idmap.ErrNotFound), errors.Is(err, idmap.ErrMissing):
	case err != nil:
		return err
	case bytes.Equal(e.Revision.SHA256, sp.sha256):
		return s.dropFile(r)
	default:
		r.name = e.Name
	}
	return s.insert(ctx, r)
}

// attribute says where the file of a stray is, and makes the stray the own of whoever has
// it open: nobody else can have saved it, but for who edits it together with that person
// and sees the same. Where nobody has, it is nobody's, and for the operator.
func (s *Saves) attribute(ctx context.Context, r *row) error {
	if r.file == "" {
		return nil
	}
	held, err := s.Locks.List(ctx)
	if err != nil {
		return err
	}
	for _, l := range held {
		if l.File == r.file {
			r.space, r.upstream, r.user, r.writer = l.Space, l.Upstream, l.Holder.UserID, l.Holder.Name
			return nil
		}
	}
	before, err := s.entries(ctx, `file = ? AND kind <> ?`, string(r.file), kindStray)
	if err == nil && len(before) > 0 {
		last := before[len(before)-1]
		r.space, r.upstream = last.space, last.upstream
	}
	return err
}

// forgetLost removes rows whose spool is not there, and that nobody was promised anything of.
func (s *Saves) forgetLost(ctx context.Context) error {
	all, err := s.entries(ctx, `1 = 1`)
	if err != nil {
		return err
	}
	for _, r := range all {
		ok, err := s.hasBytes(ctx, r)
		if err != nil {
			return err
		}
		if !ok && r.acknowledged() {
			s.OnError("saves: the bytes of entry "+r.id+", which waits, are not there", fs.ErrNotExist)
			continue
		}
		if ok || !s.live.take(r.id) {
			continue
		}
		err = s.forget(ctx, r)
		s.live.leave(r.id)
		if err != nil {
			return err
		}
		if r.state != stateVerified && r.state != statePreimage {
			s.OnError("saves: entry "+r.id+" has lost its bytes", fs.ErrNotExist)
		}
	}
	return nil
}

// settleAll settles what no request works on any more, with what waits or without.
func (s *Saves) settleAll(ctx context.Context, waiting bool) error {
	if s.lacks(theReplay) {
		return nil
	}
	all, err := s.entries(ctx, `(state IN (?, ?) OR state IN (?, ?) AND reason <> ? OR state IN (?, ?) AND (sent > 0 OR temp <> '') OR state IN (?, ?) AND copy = '' AND (sent > 0 OR temp <> ''))`,
		stateSpooled, stateDelivering, stateWaiting, stateAside, needsSignIn, stateUnacknowledged, stateRefused, stateConflict, statePreimage)
	if err != nil {
		return err
	}
	for _, r := range all {
		if ctx.Err() != nil {
			return nil
		}
		if r.acknowledged() && !waiting || !s.live.due(r.id) || !s.live.take(r.id) {
			continue
		}
		err := s.settle(ctx, r)
		s.live.leave(r.id)
		s.live.again(r.id, err)
		if err != nil && !errors.Is(err, errCrash) && ctx.Err() == nil {
			s.OnError("saves: settling entry "+r.id, err)
		}
	}
	return nil
}
