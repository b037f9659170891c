package localdav

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"slices"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// copy answers COPY (RFC 4918 9.8). The copy is made under a hidden name and shown when
// it is whole: a failure in the middle leaves nothing, so there is no 207.
func (s *Server) copy(w http.ResponseWriter, r *request) error {
	to, err := s.destination(r)
	if err != nil {
		return err
	}
	depth, err := r.depth()
	if err != nil {
		return err
	}
	ctx := r.Context()
	t, err := s.transfer(r, to, false)
	if err != nil {
		return err
	}
	if t.src.dir() && depth == dav.Depth1 {
		return refusal(http.StatusBadRequest, errors.New("localdav: Depth of COPY is 0 or infinity"))
	}
	g, err := s.stageCopy(ctx, t, depth == dav.DepthInfinity)
	if err != nil {
		return err
	}
	defer s.discard(ctx, g)
	err = s.change(ctx, func() error {
		dir := path.Dir(t.dst.entry)
		if t, err = s.transfer(r, to, false); err != nil {
			return err
		}
		if path.Dir(t.dst.entry) != dir {
			return errChanged
		}
		props, err := s.state.properties(ctx, s.state.db.Read(), t.src.id())
		if err != nil {
			return err
		}
		in := installation{staged: g.rel, to: t.dst.place, exact: r.namesETag(), props: props[t.src.id()]}
		if in.props == nil {
			in.props = []property{}
		}
		if t.exists {
			in.old = &t.dst
		}
		_, err = s.install(ctx, in)
		return err
	})
	if err != nil {
		return err
	}
	if !t.exists {
		w.Header().Set("Location", s.href(to, t.src.dir()))
	}
	return finish(w, made(!t.exists))
}

// stageCopy copies t's source next to its destination.
func (s *Server) stageCopy(ctx context.Context, t transfer, deep bool) (g *staged, err error) {
	dir := path.Dir(t.dst.entry)
	if t.src.dir() {
		if g, err = s.stageFolder(ctx, dir); err != nil {
			return nil, err
		}
		c := copying{s: s, ctx: ctx, to: g.at}
		if deep {
			err = c.below(t.src.real, g.name(), []identity{t.src.info.identity})
		}
		if err == nil {
			err = c.flush()
		}
	} else {
		var f *os.File
		if f, g, err = s.stageFile(ctx, dir); err != nil {
			return nil, err
		}
		if err = s.copyBytes(ctx, f, t.src.real); err == nil {
			if t.exists && t.dst.regular() {
				err = s.inheritFrom(f, t.dst)
			} else {
				err = f.Chmod(t.src.mode.Perm())
			}
		}
		if err == nil {
			err = s.seal(f, g)
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.discard(ctx, g)
		return nil, err
	}
	return g, nil
}

// copyBytes appends the file at from to f, and looks now and then whether anybody still waits.
func (s *Server) copyBytes(ctx context.Context, f *os.File, from string) error {
	src, _, err := s.tree.open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(f, src, 8<<20)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A copying is a COPY of a folder under way. Dead properties of members are copied in batches.
type copying struct {
	s     *Server
	ctx   context.Context
	to    *tree // the folder with the copy, wherever it is
	pairs []pair
}

type pair struct{ from, to identity }

// below copies the members of the folder from into the folder to. Links are copied as
// what they show; one that shows a folder above itself is refused with 508.
func (c *copying) below(from, to string, above []identity) error {
	d, err := c.s.tree.root.Open(from)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if hiddenName(name) {
			continue
		}
		if err := c.member(path.Join(from, name), path.Join(to, name), above); err != nil {
			return err
		}
	}
	return c.to.syncDir(to)
}

func (c *copying) member(from, to string, above []identity) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	real, err := c.s.tree.follow(from)
	if err != nil {
		return nil // a link that shows nothing
	}
	i, err := c.s.tree.look(real)
	switch {
	case nothing(err):
		return nil
	case err != nil:
		return err
	case i.dir():
		if slices.Contains(above, i.identity) {
			return refusal(http.StatusLoopDetected, errLoop)
		}
		if err := c.to.root.Mkdir(to, 0o777); err != nil {
			return err
		}
		if err := c.below(real, to, append(slices.Clip(above), i.identity)); err != nil {
			return err
		}
	case i.regular():
		if err := c.file(real, to, i); err != nil {
			return err
		}
	default:
		return nil
	}
	return c.remember(i.identity, to)
}

func (c *copying) file(from, to string, i info) (err error) {
	f, err := c.to.root.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := c.s.copyBytes(c.ctx, f, from); err != nil {
		return err
	}
	if err := f.Chmod(i.mode.Perm()); err != nil {
		return err
	}
	return c.s.sealAt(f, c.to, to)
}

func (c *copying) remember(from identity, to string) error {
	n, err := c.to.look(to)
	if err != nil {
		return err
	}
	c.pairs = append(c.pairs, pair{from, n.identity})
	if len(c.pairs) >= batch {
		return c.flush()
	}
	return nil
}

// flush gives the copies the dead properties of what they were copied from.
func (c *copying) flush() error {
	pairs := c.pairs
	c.pairs = nil
	var sources []identity
	for _, p := range pairs {
		sources = append(sources, p.from)
	}
	read := c.s.state.db.Read()
	rows, err := c.s.state.bindings(c.ctx, read, sources...)
	if err != nil || len(rows) == 0 {
		return err // properties are only where there is a row
	}
	var ids []string
	for _, b := range rows {
		ids = append(ids, b.id)
	}
	props, err := c.s.state.properties(c.ctx, read, ids...)
	if err != nil {
		return err
	}
	return c.s.state.db.Write(c.ctx, func(tx sqldb.Queryer) error {
		for _, p := range pairs {
			own := props[rows[p.from].id]
			if len(own) == 0 || !p.to.lasting() {
				continue
			}
			b := binding{identity: p.to, id: randomUUID()}
			if err := c.s.state.bind(c.ctx, tx, b); err != nil {
				return err
			}
			if err := c.s.state.replaceProperties(c.ctx, tx, b.id, own); err != nil {
				return err
			}
		}
		return nil
	})
}
