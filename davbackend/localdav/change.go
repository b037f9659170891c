package localdav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"davwopi/idmap/sqldb"
)

// change runs f alone. Everything that a request decided before, it decides again in f.
func (s *Server) change(ctx context.Context, f func() error) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	return f()
}

// An installation puts something staged where it is to be.
type installation struct {
	staged string
	to     place
	old    *seen      // what is there and is replaced; nil: nothing, and it must stay so
	exact  bool       // a condition named old's ETag
	props  []property // what the new one has; nil: what the old one had
}

// keeps reports whether the resource stays the same one: a file's contents are replaced.
func (in installation) keeps(n info) bool {
	return in.old != nil && in.old.regular() && n.regular() && in.to.entry == in.to.real
}

// install is called under the gate. It returns the new ETag. What it took out is at
// in.staged afterwards and is the caller's to discard. If it fails, the old state stands,
// unless the error is one of recording it: then the next look finds it by the row.
func (s *Server) install(ctx context.Context, in installation) (etag string, err error) {
	n, err := s.tree.look(in.staged)
	if err != nil {
		return "", noParent(err) // the folder has moved away from under it
	}
	b := binding{identity: n.identity, id: randomUUID(), mtime: n.mtime, size: n.size}
	if n.regular() {
		b.etag = newETag()
	}
	keeps := in.keeps(n)
	if keeps {
		b.id = in.old.row.at(keyOf(in.to.entry))
	}
	if err := s.state.db.Write(ctx, func(tx sqldb.Queryer) error { return s.state.bind(ctx, tx, b) }); err != nil {
		return "", err
	}
	// From here on the client may leave, but not half of the change.
	ctx = context.WithoutCancel(ctx)
	if err := s.swapIn(in, keeps); err != nil {
		undo := s.state.db.Write(ctx, func(tx sqldb.Queryer) error { return s.state.unbind(ctx, tx, n.identity) })
		return "", errors.Join(err, undo)
	}
	if err := s.tree.syncDir(path.Dir(in.to.entry)); err != nil {
		return "", fmt.Errorf("localdav: making the name last: %w", err)
	}
	if after, err := s.tree.look(in.to.entry); err == nil && after.identity == n.identity {
		b.ctime = after.ctime
	}
	return b.etag, s.state.db.Write(ctx, func(tx sqldb.Queryer) error { return s.settleInstalled(ctx, tx, in, b, keeps) })
}

// swapIn renames. Where a folder or a condition is involved it exchanges, so that there is no
// moment without the one or the other and what came out can be looked at.
func (s *Server) swapIn(in installation, keeps bool) error {
	if in.old == nil {
		err := s.tree.renameNew(in.staged, in.to.entry)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", errChanged, err)
		}
		return err
	}
	if keeps && !in.exact {
		return s.tree.root.Rename(in.staged, in.to.entry)
	}
	ok, err := s.tree.exchange(in.staged, in.to.entry)
	if err != nil {
		return err
	}
	if !ok {
		return s.swapWithout(in, keeps)
	}
	if !keeps {
		return nil
	}
	out, err := s.tree.look(in.staged)
	if err == nil && out.same(in.old.info) {
		return s.tree.root.Remove(in.staged)
	}
	// Another program saved between our last look and now: its bytes go back.
	return errors.Join(errChanged, err, s.tree.root.Rename(in.staged, in.to.entry))
}

// swapWithout is for file systems that cannot exchange.
func (s *Server) swapWithout(in installation, keeps bool) error {
	if keeps {
		return s.tree.root.Rename(in.staged, in.to.entry)
	}
	aside := in.staged + stagedSuffix // hidden, too, and found by Open
	if err := s.tree.root.Rename(in.to.entry, aside); err != nil {
		return err
	}
	if err := s.tree.root.Rename(in.staged, in.to.entry); err != nil {
		return errors.Join(err, s.tree.root.Rename(aside, in.to.entry))
	}
	return s.tree.root.Rename(aside, in.staged)
}

func (s *Server) settleInstalled(ctx context.Context, tx sqldb.Queryer, in installation, b binding, keeps bool) error {
	if err := s.state.bind(ctx, tx, b); err != nil {
		return err
	}
	if in.props != nil {
		if err := s.state.replaceProperties(ctx, tx, b.id, in.props); err != nil {
			return err
		}
	}
	if in.old == nil {
		return nil
	}
	if keeps {
		return s.retire(ctx, tx, *in.old, b)
	}
	return s.state.dropLocksAt(ctx, tx, keyOf(in.to.entry), in.old.dir())
}

// retire lets go of a file whose name and id b has taken. Under a hard link it goes on to
// live, as a resource of its own.
func (s *Server) retire(ctx context.Context, tx sqldb.Queryer, old seen, b binding) error {
	if old.links > 1 {
		if err := s.state.bind(ctx, tx, binding{identity: old.info.identity, id: randomUUID()}); err != nil {
			return err
		}
	}
	return s.state.alone(ctx, tx, b)
}

// settleAll completes or takes back the renames that a crash cut off between row and row.
func (s *Server) settleAll(ctx context.Context) error {
	open, err := s.state.queryBindings(ctx, s.state.db.Read(), `next_id <> ''`)
	if err != nil {
		return err
	}
	for _, b := range open {
		i, err := s.tree.look(relOf(b.nextPlace))
		if err != nil && !nothing(err) {
			return err
		}
		landed := err == nil && i.identity == b.identity
		if landed && i.mtime == b.mtime && i.size == b.size {
			b.ctime = i.ctime
		}
		if err := s.state.db.Write(ctx, func(tx sqldb.Queryer) error { return s.state.settle(ctx, tx, b, landed) }); err != nil {
			return err
		}
	}
	return nil
}

// settle ends what b says is under way.
func (st *state) settle(ctx context.Context, tx sqldb.Queryer, b binding, landed bool) error {
	if landed {
		if err := st.mergeProperties(ctx, tx, b.id, b.nextID); err != nil {
			return err
		}
		b.id = b.nextID
	}
	b.nextID, b.nextPlace = "", ""
	return st.bind(ctx, tx, b)
}
