package localdav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A transfer is a COPY or MOVE as far as it has been looked at.
type transfer struct {
	src    seen
	dst    seen
	exists bool // something is at dst
}

// transfer reads the two ends of r and says whether it may go on. It is called again under the gate.
func (s *Server) transfer(r *request, to dav.Path, moving bool) (t transfer, err error) {
	ctx := r.Context()
	overwrite, err := r.overwrite()
	if err != nil {
		return t, err
	}
	if t.src, err = s.sight(ctx, r.path); err != nil {
		return t, err
	}
	if t.dst, t.exists, err = s.sightOrNone(ctx, to); err != nil {
		return t, err
	}
	if err := s.apart(t); err != nil {
		return t, err
	}
	claims := claimsOf(t.dst.place, !t.exists, t.exists && t.dst.dir())
	if moving {
		claims = append(claims, claimsOf(t.src.place, true, t.src.dir())...)
	}
	if t.exists && !overwrite {
		return t, refusal(http.StatusPreconditionFailed, errors.New("localdav: Overwrite is F"))
	}
	if err := s.check(ctx, r, t.src, true, claims...); err != nil {
		return t, err
	}
	if _, err := s.tree.folder(path.Dir(t.dst.entry)); err != nil {
		return t, noParent(err)
	}
	return t, nil
}

// apart refuses a source that contains its destination, and the other way round
// (RFC 4918 9.8.5, 9.9.4: 403).
func (s *Server) apart(t transfer) error {
	a, b := keyOf(t.src.entry), keyOf(t.dst.entry)
	switch {
	case a == b:
		return refusal(http.StatusForbidden, errors.New("localdav: Destination is the source"))
	case within(a, b) && t.src.dir():
		return refusal(http.StatusForbidden, errors.New("localdav: Destination lies in the source"))
	case within(b, a):
		return refusal(http.StatusForbidden, errors.New("localdav: source lies in the Destination"))
	}
	return nil
}

// move answers MOVE (RFC 4918 9.9).
func (s *Server) move(w http.ResponseWriter, r *request) error {
	to, err := s.destination(r)
	if err != nil {
		return err
	}
	depth, err := r.depth()
	if err != nil {
		return err
	}
	ctx := r.Context()
	var trash *staged
	var t transfer
	err = s.change(ctx, func() (err error) {
		if t, err = s.transfer(r, to, true); err != nil {
			return err
		}
		if t.src.dir() && depth != dav.DepthInfinity {
			return refusal(http.StatusBadRequest, errors.New("localdav: Depth of MOVE is infinity"))
		}
		trash, err = s.relocate(ctx, t)
		return err
	})
	if trash != nil {
		defer trash.at.root.Close()
	}
	if err != nil {
		return err // what is at trash, if anything, was not given up
	}
	if trash != nil {
		s.discard(ctx, trash)
	}
	if !t.exists {
		w.Header().Set("Location", s.href(to, t.src.dir()))
	}
	return finish(w, made(!t.exists))
}

// relocate renames, under the gate. What was at the destination is at trash then, if it
// is not gone yet.
func (s *Server) relocate(ctx context.Context, t transfer) (trash *staged, err error) {
	srcLink, dstLink := t.src.entry != t.src.real, t.exists && t.dst.entry != t.dst.real
	switch {
	case !t.exists:
		err = s.tree.renameNew(t.src.entry, t.dst.entry)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", errChanged, err)
		}
	case t.src.regular() && t.dst.regular() && !srcLink && !dstLink:
		return nil, s.replace(ctx, t)
	case (srcLink || !t.src.dir()) && (dstLink || !t.dst.dir()):
		err = s.tree.root.Rename(t.src.entry, t.dst.entry)
	default:
		trash, err = s.supplant(ctx, t)
	}
	if err != nil {
		return trash, err
	}
	return trash, s.relocated(context.WithoutCancel(ctx), t, !srcLink)
}

// supplant puts src at dst where one of them is a folder, without a moment in which dst is not there.
func (s *Server) supplant(ctx context.Context, t transfer) (trash *staged, err error) {
	if trash, err = s.stage(ctx, path.Dir(t.src.entry)); err != nil {
		return nil, err
	}
	ok, err := s.tree.exchange(t.src.entry, t.dst.entry)
	if err != nil {
		return trash, err
	}
	if ok {
		if err = s.tree.root.Rename(t.src.entry, trash.rel); err != nil {
			_, back := s.tree.exchange(t.src.entry, t.dst.entry)
			err = errors.Join(err, back)
		}
		return trash, err
	}
	if err := s.tree.root.Rename(t.dst.entry, trash.rel); err != nil {
		return trash, err
	}
	if err := s.tree.root.Rename(t.src.entry, t.dst.entry); err != nil {
		return trash, errors.Join(err, s.tree.root.Rename(trash.rel, t.dst.entry))
	}
	return trash, nil
}

// syncEnds makes both names last.
func (s *Server) syncEnds(t transfer) error {
	from, to := path.Dir(t.src.entry), path.Dir(t.dst.entry)
	if err := s.tree.syncDir(to); err != nil {
		return err
	}
	if from == to {
		return nil
	}
	return s.tree.syncDir(from)
}

// relocated records a rename that is not one of a file onto a file: the ETag stays, locks
// do not travel (RFC 4918 7.5).
func (s *Server) relocated(ctx context.Context, t transfer, own bool) error {
	if err := s.syncEnds(t); err != nil {
		return err
	}
	b := t.src.row
	record := own && t.src.regular()
	if record {
		after, err := s.tree.look(t.dst.entry)
		record = err == nil && after.same(t.src.info)
		b.etag, b.mtime, b.size, b.ctime = t.src.etag, after.mtime, after.size, after.ctime
	}
	return s.state.db.Write(ctx, func(tx sqldb.Queryer) error {
		if record {
			if err := s.state.bind(ctx, tx, b); err != nil {
				return err
			}
		}
		if t.exists && t.dst.regular() && t.dst.links <= 1 && t.dst.entry == t.dst.real {
			if err := s.state.end(ctx, tx, t.dst.info.identity); err != nil {
				return err
			}
		}
		if own && t.src.dir() {
			if err := s.stagedMoved(ctx, tx, t.src.entry, t.dst.entry); err != nil {
				return err
			}
		}
		if err := s.state.dropLocksAt(ctx, tx, keyOf(t.dst.entry), true); err != nil {
			return err
		}
		return s.state.dropLocksAt(ctx, tx, keyOf(t.src.entry), t.src.dir())
	})
}

// stagedMoved records where folders with something staged are now.
func (s *Server) stagedMoved(ctx context.Context, tx sqldb.Queryer, from, to string) error {
	for _, dir := range s.temps.under(from) {
		key := keyOf(to + dir[len(from):])
		if _, err := tx.Exec(ctx, `INSERT INTO localdav_temp (folder, spot, place) VALUES (?, ?, ?)
			ON CONFLICT (folder, spot) DO NOTHING`, s.state.folder, spot(key), key); err != nil {
			return fmt.Errorf("localdav: recording a folder: %w", err)
		}
	}
	return nil
}

// replace is a MOVE of a file onto a file: one rename(2), after which the target is still
// the same resource, with its lock, and has the source's bytes and ETag.
func (s *Server) replace(ctx context.Context, t transfer) error {
	if t.src.info.identity == t.dst.info.identity {
		return s.unlinkTwin(ctx, t)
	}
	b := t.src.row
	b.etag, b.mtime, b.size, b.ctime = t.src.etag, t.src.mtime, t.src.size, 0
	b.nextID, b.nextPlace = t.dst.row.at(keyOf(t.dst.entry)), keyOf(t.dst.entry)
	if err := s.state.db.Write(ctx, func(tx sqldb.Queryer) error { return s.state.bind(ctx, tx, b) }); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.tree.root.Rename(t.src.entry, t.dst.entry); err != nil {
		undo := s.state.db.Write(ctx, func(tx sqldb.Queryer) error {
			return s.state.settle(ctx, tx, b, false)
		})
		return errors.Join(err, undo)
	}
	if err := s.syncEnds(t); err != nil {
		return err
	}
	after, err := s.tree.look(t.dst.entry)
	if err == nil && after.same(t.src.info) {
		b.ctime = after.ctime
	}
	return s.state.db.Write(ctx, func(tx sqldb.Queryer) error {
		if err := s.state.settle(ctx, tx, b, true); err != nil {
			return err
		}
		kept := b
		kept.id = b.nextID
		if err := s.retire(ctx, tx, t.dst, kept); err != nil {
			return err
		}
		return s.state.dropLocksAt(ctx, tx, keyOf(t.src.entry), false)
	})
}

// unlinkTwin is a MOVE between two hard links of one file, where rename(2) would do nothing.
func (s *Server) unlinkTwin(ctx context.Context, t transfer) error {
	if err := s.tree.root.Remove(t.src.entry); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.syncEnds(t); err != nil {
		return err
	}
	return s.state.db.Write(ctx, func(tx sqldb.Queryer) error {
		return s.state.dropLocksAt(ctx, tx, keyOf(t.src.entry), false)
	})
}
