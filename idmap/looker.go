package idmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"davwopi/davbackend/dav"
)

const (
	lookBudget = 30       // requests that one search may cost, beside GET
	maxShelf   = 5000     // members of a folder that a search looks at
	maxHash    = 64 << 20 // bytes of a file that a search reads
	maxHashes  = 4        // files that a search reads
)

// A Hasher is a [Finder] that can read a file, where nothing but its contents tells.
// *davbackend.View satisfies it.
type Hasher interface {
	// SHA256 reads the file at p, at most limit bytes: a longer one is an error.
	SHA256(ctx context.Context, p dav.Path, limit int64) ([]byte, error)
}

// errEnough says that a search has cost as much as it may.
var errEnough = errors.New("idmap: looked at enough places")

// A looker looks at the upstream for one search: nothing twice, and within a budget.
// What a person must not see is not known to be gone.
type looker struct {
	Finder
	left   int // requests
	hashes int // files to be read
	stats  map[dav.Path]sight
	asked  map[dav.Path]int // looks at members of a folder
	lists  map[dav.Path]*shelf
	sums   map[dav.Path][]byte

	// recall knows what was shown at a path that is not remembered; nil: nobody does.
	recall func(ctx context.Context, p dav.Path) (dav.Resource, bool, error)
}

// A sight is what was at a path.
type sight struct {
	res   dav.Resource
	there bool
}

// A shelf is what a folder held.
type shelf struct {
	all   []dav.Resource
	index map[string]int
	whole bool
	there bool
}

func newLooker(f Finder) *looker {
	if l, ok := f.(*looker); ok {
		return l
	}
	return &looker{Finder: f, left: lookBudget, hashes: maxHashes, stats: map[dav.Path]sight{}, asked: map[dav.Path]int{}, lists: map[dav.Path]*shelf{}, sums: map[dav.Path][]byte{}}
}

// Stat is the Finder's, and remembered.
func (l *looker) Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	res, err := l.Finder.Stat(ctx, p, extra...)
	if err == nil || errors.Is(err, dav.ErrNotFound) {
		l.stats[p] = sight{res, err == nil}
	}
	return res, err
}

func (l *looker) pay() error {
	if l.left <= 0 {
		return errEnough
	}
	l.left--
	return nil
}

// note says what is at a path, as somebody has seen just now.
func (l *looker) note(res dav.Resource) { l.stats[res.Path] = sight{res, true} }

// hold says what a folder holds, as somebody has listed it just now.
func (l *looker) hold(p dav.Path, all []dav.Resource, whole bool) {
	sh := &shelf{all: all, index: make(map[string]int, len(all)), whole: whole, there: true}
	for i, r := range all {
		sh.index[r.Path.Base()] = i
	}
	l.lists[p] = sh
}

// saw is what was at a path, if somebody has looked.
func (l *looker) saw(p dav.Path) (dav.Resource, bool) {
	if s, ok := l.stats[p]; ok {
		return s.res, s.there
	}
	if sh := l.lists[p.Parent()]; sh != nil {
		if i, ok := sh.index[p.Base()]; ok {
			return sh.all[i], true
		}
	}
	return dav.Resource{}, false
}

// at looks at a path.
func (l *looker) at(ctx context.Context, p dav.Path) (sight, error) {
	if s, ok := l.stats[p]; ok {
		return s, nil
	}
	if l.recall != nil {
		if res, ok, err := l.recall(ctx, p); ok || err != nil {
			return sight{res, ok}, err
		}
	}
	if p.IsRoot() {
		return sight{dav.Resource{Path: p, Collection: true}, true}, nil
	}
	parent := p.Parent()
	if l.asked[parent]++; l.asked[parent] == 3 && l.lists[parent] == nil {
		if _, err := l.list(ctx, parent); err != nil {
			return sight{}, err
		}
	}
	if sh := l.lists[parent]; sh != nil {
		if i, ok := sh.index[p.Base()]; ok {
			return sight{sh.all[i], true}, nil
		}
		if sh.whole || !sh.there {
			return sight{}, nil
		}
	}
	if err := l.pay(); err != nil {
		return sight{}, err
	}
	res, err := l.Finder.Stat(ctx, p)
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return sight{}, err
	}
	s := sight{res, err == nil}
	l.stats[p] = s
	return s, nil
}

// list looks into a folder. What is not there, or is none, holds nothing.
func (l *looker) list(ctx context.Context, p dav.Path) (*shelf, error) {
	if sh := l.lists[p]; sh != nil {
		return sh, nil
	}
	if err := l.pay(); err != nil {
		return nil, err
	}
	var all []dav.Resource
	err := l.Finder.List(ctx, p, func(res dav.Resource) error {
		if len(all) == maxShelf {
			return errEnough
		}
		all = append(all, res)
		return nil
	})
	switch {
	case errors.Is(err, dav.ErrNotFound), errors.Is(err, dav.ErrUnsupported):
		l.lists[p] = &shelf{whole: true}
	case err == nil || errors.Is(err, errEnough):
		l.hold(p, all, err == nil)
	default:
		return nil, err
	}
	return l.lists[p], nil
}

// holds reports whether the file at p has the contents that r had last. known is false
// where that cannot be found out: nobody has read r, or p is too long to be read.
func (l *looker) holds(ctx context.Context, r *resource, p dav.Path) (same, known bool, err error) {
	h, ok := l.Finder.(Hasher)
	if !ok || r.sha256 == nil || r.size > maxHash {
		return false, false, nil
	}
	if sum, ok := l.sums[p]; ok {
		return bytes.Equal(sum, r.sha256), true, nil
	}
	if l.hashes <= 0 {
		return false, false, nil
	}
	l.hashes--
	sum, err := h.SHA256(ctx, p, maxHash)
	if errors.Is(err, dav.ErrNotFound) || errors.Is(err, dav.ErrDenied) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("reading %q: %w", p, err)
	}
	l.sums[p] = sum
	return bytes.Equal(sum, r.sha256), true, nil
}
