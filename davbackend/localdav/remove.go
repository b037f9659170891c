package localdav

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"davwopi/idmap/sqldb"
)

// A failure is something that could not be removed.
type failure struct {
	rel string // below the folder that was to go, "" itself
	err error
}

const maxFailures = 100

// A removal of a hidden folder under way. It goes on after failures.
type removal struct {
	s    *Server
	ctx  context.Context
	in   *tree
	gone []identity // removed, rows not yet
	left []failure  // at most maxFailures
	lost int        // failures in all
}

// removeTree removes the folder rel of in, and the rows of what was in it. It returns
// what resisted.
func (s *Server) removeTree(ctx context.Context, in *tree, rel string) []failure {
	r := &removal{s: s, ctx: ctx, in: in}
	r.entry(rel, "")
	r.flush()
	return r.left
}

func (r *removal) entry(rel, shown string) {
	i, err := r.in.look(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	before := r.lost
	if err == nil && i.dir() {
		err = r.below(rel, shown)
	}
	if err == nil && r.lost == before {
		err = r.in.root.Remove(rel)
	}
	switch {
	case err != nil:
		r.fail(shown, err)
	case r.lost == before && (i.dir() || i.links <= 1):
		r.gone = append(r.gone, i.identity)
		if len(r.gone) >= 10*batch {
			r.flush()
		}
	}
}

func (r *removal) below(rel, shown string) error {
	d, err := r.in.root.Open(rel)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		r.entry(path.Join(rel, name), path.Join(shown, name))
	}
	return err
}

func (r *removal) fail(shown string, err error) {
	r.lost++
	if len(r.left) < maxFailures {
		r.left = append(r.left, failure{shown, err})
	}
}

// flush drops rows. One that stays does no harm: no file is its any more, and it goes when
// the inode is used again.
func (r *removal) flush() {
	gone := r.gone
	r.gone = nil
	if len(gone) > 0 {
		_ = r.s.state.db.Write(r.ctx, func(tx sqldb.Queryer) error { return r.s.state.end(r.ctx, tx, gone...) })
	}
}
