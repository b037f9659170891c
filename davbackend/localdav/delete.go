package localdav

import (
	"context"
	"errors"
	"net/http"
	"path"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// delete answers DELETE (RFC 4918 9.6). A folder is renamed to a hidden name first, so
// that it is gone at once and as a whole, and removed when the gate is open again.
func (s *Server) delete(w http.ResponseWriter, r *request) error {
	ctx := r.Context()
	if r.path.IsRoot() {
		return refusal(http.StatusForbidden, errors.New("localdav: the root stays"))
	}
	depth, err := r.depth()
	if err != nil {
		return err
	}
	var o seen
	var trash *staged
	err = s.change(ctx, func() (err error) {
		if o, err = s.sight(ctx, r.path); err != nil {
			return err
		}
		if o.dir() && depth != dav.DepthInfinity {
			return refusal(http.StatusBadRequest, errors.New("localdav: Depth of DELETE is infinity"))
		}
		if err := s.check(ctx, r, o, true, claimsOf(o.place, true, o.dir())...); err != nil {
			return err
		}
		if trash, err = s.stage(ctx, path.Dir(o.entry)); err != nil {
			return err
		}
		return s.takeOut(ctx, o, trash.rel)
	})
	if trash == nil {
		return err
	}
	defer s.discard(ctx, trash)
	if err != nil {
		return err
	}
	if !o.dir() {
		return finish(w, http.StatusNoContent)
	}
	if left := s.removeTree(context.WithoutCancel(ctx), trash.at, trash.name()); len(left) > 0 {
		return s.putBack(w, r, o, trash, left)
	}
	return finish(w, http.StatusNoContent)
}

// takeOut makes o's entry go, under the gate. A folder is at trash then.
func (s *Server) takeOut(ctx context.Context, o seen, trash string) error {
	link := o.entry != o.real
	tree := o.dir() && !link
	err := s.removeOrMove(o.entry, trash, tree)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.tree.syncDir(path.Dir(o.entry)); err != nil {
		return err
	}
	return s.state.db.Write(ctx, func(tx sqldb.Queryer) error {
		if o.regular() && !link && o.links <= 1 {
			if err := s.state.end(ctx, tx, o.info.identity); err != nil {
				return err
			}
		}
		return s.state.dropLocksAt(ctx, tx, keyOf(o.entry), tree)
	})
}

func (s *Server) removeOrMove(rel, trash string, tree bool) error {
	if tree {
		return s.tree.root.Rename(rel, trash)
	}
	return s.tree.root.Remove(rel)
}

// putBack gives what could not be removed its name back and says what it is (RFC 4918 9.6.1).
func (s *Server) putBack(w http.ResponseWriter, r *request, o seen, trash *staged, left []failure) error {
	err := s.change(context.WithoutCancel(r.Context()), func() error {
		return trash.at.renameNew(trash.name(), path.Base(o.entry))
	})
	if err != nil {
		return err
	}
	m := s.multistatus(w)
	for _, f := range left {
		p := r.path
		if f.rel != "" {
			p += "/" + dav.Path(f.rel)
		}
		m.status(s.href(p, false), refusedBy(f.err).status)
	}
	return m.close()
}
