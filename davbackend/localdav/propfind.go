package localdav

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"

	"davwopi/davbackend/dav"
)

// propfind answers PROPFIND (RFC 4918 9.1) for Depth 0 and 1. A folder is read and
// answered in batches, in the order of the disk.
func (s *Server) propfind(w http.ResponseWriter, r *request, extra Extra) error {
	ctx := r.Context()
	depth, err := r.depth()
	if err != nil {
		return err
	}
	body, err := readXML(r.Request)
	if err != nil {
		return err
	}
	want, err := parsePropfind(body)
	if err != nil {
		return err
	}
	pl, i, err := s.tree.find(r.path)
	if err != nil {
		return err
	}
	if depth == dav.DepthInfinity && i.dir() {
		return &refused{
			status: http.StatusForbidden, condition: "propfind-finite-depth",
			err: errors.New("localdav: Depth is infinity"),
		}
	}
	a := &answering{s: s, ctx: ctx, need: want.needs(), want: want, extra: extra}
	if a.now, err = s.state.db.Now(ctx); err != nil {
		return err
	}
	if a.need.locks {
		if a.locks, err = s.state.locksAbout(ctx, pl.keys(), depth == dav.Depth1); err != nil {
			return err
		}
	}
	first, err := a.describe([]seen{{place: pl, info: i}})
	if err != nil {
		return err
	}
	var d *children
	if depth == dav.Depth1 && i.dir() {
		if d, err = s.children(pl); err != nil {
			return err
		}
		defer d.dir.Close()
	}
	a.m = s.multistatus(w)
	a.write(first)
	if d != nil {
		if err := a.list(d); err != nil {
			// Half a listing looks like a whole one: the connection must show it.
			panic(http.ErrAbortHandler)
		}
	}
	return a.m.close()
}

// children reads a folder's entries in batches.
type children struct {
	s   *Server
	of  place
	dir interface {
		Readdirnames(int) ([]string, error)
		Close() error
	}
	look func(name string) (info, error)
}

func (s *Server) children(of place) (*children, error) {
	d, err := s.tree.root.Open(of.real)
	if err != nil {
		return nil, err
	}
	return &children{s: s, of: of, dir: d, look: func(name string) (info, error) { return s.tree.lookIn(d, name) }}, nil
}

// next returns the next entries that are served; io.EOF at the end.
func (c *children) next() ([]seen, error) {
	names, err := c.dir.Readdirnames(batch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, io.EOF // the folder was removed, and nothing is in it any more
	}
	if err != nil {
		return nil, err
	}
	var out []seen
	for _, name := range names {
		if !served(name) {
			continue
		}
		p, err := c.of.path.Join(name)
		if err != nil {
			continue // deeper than a path can say
		}
		o := seen{place: place{p, path.Join(c.of.real, name), path.Join(c.of.real, name)}}
		if o.info, err = c.look(name); err == nil && o.info.link() {
			o.place, o.info, err = c.s.tree.find(p)
		}
		if err != nil || !o.regular() && !o.dir() {
			continue // gone by now, a link to nowhere, or nothing to be served
		}
		out = append(out, o)
	}
	return out, nil
}

// An answering is a PROPFIND that is being answered.
type answering struct {
	s     *Server
	ctx   context.Context
	m     *multistatus
	want  wanted
	need  needs
	now   time.Time
	locks []lock
	extra Extra             // nil: none
	byKey map[string][]lock // of locks, those on members
}

func (a *answering) list(d *children) error {
	for {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		some, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		described, err := a.describe(some)
		if err != nil {
			return err
		}
		a.write(described)
	}
}

// A described is a resource with all that the answer needs of it.
type described struct {
	seen
	dead []property
	more []value // of Extra
}

// describe adds rows, ETags and dead properties, with one query of each for all of some.
func (a *answering) describe(some []seen) ([]described, error) {
	out := make([]described, len(some))
	for n, o := range some {
		out[n].seen = o
	}
	if !a.need.rows || len(some) == 0 {
		return out, nil
	}
	var identities []identity
	for _, o := range some {
		identities = append(identities, o.info.identity)
	}
	read := a.s.state.db.Read()
	rows, err := a.s.state.bindings(a.ctx, read, identities...)
	if err != nil {
		return nil, err
	}
	var ids []string
	for n := range out {
		o := &out[n].seen
		o.row = a.s.state.orDefault(rows, o.info.identity)
		if a.need.etag {
			if o.row.racy(o.info) > 0 {
				again, err := a.s.sightAt(a.ctx, o.place)
				if err == nil {
					*o = again
				} else if !nothing(err) {
					return nil, err
				}
			}
			o.etag = a.s.state.etag(o.info, o.row)
		}
		if _, ok := rows[o.info.identity]; ok && a.need.dead {
			ids = append(ids, o.id())
		}
	}
	props, err := a.s.state.properties(a.ctx, read, ids...)
	if err != nil {
		return nil, err
	}
	for n := range out {
		out[n].dead = props[out[n].id()]
		out[n].more = a.extras(out[n])
	}
	return out, nil
}

func (a *answering) write(all []described) {
	for _, o := range all {
		href := a.s.href(o.path, o.dir())
		if a.want.names {
			a.m.response(href, a.allNames(o), nil)
			continue
		}
		var found []value
		var missing []xml.Name
		if a.want.all {
			for _, name := range allprop {
				if inner, ok := a.live(name, o); ok {
					found = append(found, value{name: name, inner: inner})
				}
			}
			for _, p := range o.dead {
				found = append(found, value{p.name, p.lang, p.value})
			}
		}
		for _, name := range a.want.props {
			if v, ok := a.find(name, o); !ok {
				missing = append(missing, name)
			} else if !slices.ContainsFunc(found, func(have value) bool { return have.name == name }) {
				found = append(found, v)
			}
		}
		a.m.response(href, found, missing)
	}
}

func (a *answering) find(name xml.Name, o described) (value, bool) {
	if inner, ok := a.live(name, o); ok {
		return value{name: name, inner: inner}, true
	}
	for _, v := range o.more {
		if v.name == name {
			return v, true
		}
	}
	for _, p := range o.dead {
		if p.name == name {
			return value{p.name, p.lang, p.value}, true
		}
	}
	return value{}, false
}

func (a *answering) allNames(o described) []value {
	var out []value
	for name := range liveProperties {
		if _, ok := a.live(name, o); ok {
			out = append(out, value{name: name})
		}
	}
	for _, p := range o.dead {
		out = append(out, value{name: p.name})
	}
	return out
}

// locksOn are the locks that cover o.
func (a *answering) locksOn(o described) []lock {
	if a.byKey == nil {
		a.byKey = map[string][]lock{}
		for _, l := range a.locks {
			a.byKey[l.key] = append(a.byKey[l.key], l)
		}
	}
	var out []lock
	for key := keyOf(o.real); ; key = parentKey(key) {
		for _, l := range a.byKey[key] {
			if l.covers(keyOf(o.real)) {
				out = append(out, l)
			}
		}
		if key == "/" {
			return out
		}
	}
}

func (a *answering) quota(o described) (available, used string, ok bool) {
	free, inUse, err := a.s.tree.space(path.Dir(o.real))
	if err != nil {
		return "", "", false
	}
	return strconv.FormatInt(free, 10), strconv.FormatInt(inUse, 10), true
}
