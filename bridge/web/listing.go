package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"davwopi/bridge/endpoint"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

const (
	pageRows   = 500                // rows per page of a listing
	bigFolder  = endpoint.BigFolder // entries; a folder with more is recorded by the page
	bigAtOnce  = 2                  // listings of big folders at the same time
	maxEntries = 50000              // more are not shown at all
	maxText    = 16 << 20           // bytes of names and evidence in one listing; more are not shown
)

// A member is what a listing keeps of each entry while it arrives: what sorting
// needs, and by what idmap knows the entry again. A folder may have many, so what
// else is known about one is not kept, and its words are one string.
type member struct {
	text     string    // name, ETag, native ID and resource-id, one behind the other
	ends     [3]uint32 // where the first three end in text
	folder   bool
	size     int64
	modified time.Time
}

func memberOf(res dav.Resource) member {
	name := res.Path.Base()
	m := member{
		text:   name + string(res.ETag) + res.NativeID + res.ResourceID,
		folder: res.Collection, size: res.Size, modified: res.Modified,
	}
	m.ends[0] = uint32(len(name))
	m.ends[1] = m.ends[0] + uint32(len(res.ETag))
	m.ends[2] = m.ends[1] + uint32(len(res.NativeID))
	return m
}

func (m *member) name() string       { return m.text[:m.ends[0]] }
func (m *member) nativeID() string   { return m.text[m.ends[1]:m.ends[2]] }
func (m *member) resourceID() string { return m.text[m.ends[2]:] }

// resource is what idmap looks at of what was seen.
func (m *member) resource(parent dav.Path) (dav.Resource, error) {
	path, err := parent.Join(m.name())
	return dav.Resource{
		Path: path, Collection: m.folder, Size: m.size, Modified: m.modified, QuotaAvailable: -1,
		ETag: dav.ETag(m.text[m.ends[0]:m.ends[1]]), NativeID: m.nativeID(), ResourceID: m.resourceID(),
	}, err
}

// A listing is a folder as the upstream showed it just now.
type listing struct {
	members []member
	whole   bool // nothing was left out
}

var (
	errEnough = errors.New("web: enough entries")
	errTurn   = errors.New("web: other large folders are being listed")
)

// list reads a folder. Whoever finds out that it is a big one needs one of few
// turns, and waits for it without an open request upstream. release gives the turn
// back and must be called; it is never nil.
func (s *site) list(ctx context.Context, at place) (l listing, release func(), err error) {
	var endThrift func() // nil: no turn
	release = func() {
		if endThrift != nil {
			endThrift()
			<-s.big
		}
	}
	take := func() error {
		select {
		case s.big <- struct{}{}:
			endThrift = endpoint.Thrift()
			return nil
		default:
			return errTurn
		}
	}
	if l, err = read(ctx, at, take); !errors.Is(err, errTurn) {
		return l, release, err
	}
	select {
	case s.big <- struct{}{}:
		endThrift = endpoint.Thrift()
	case <-ctx.Done():
		return listing{}, release, fmt.Errorf("web: waiting for other large folders: %w", ctx.Err())
	}
	l, err = read(ctx, at, func() error { return nil })
	return l, release, err
}

// read lists once. big is asked before more than bigFolder entries are kept.
func read(ctx context.Context, at place, big func() error) (listing, error) {
	var l listing
	text := 0
	err := at.View.List(ctx, at.Entry.Path, func(res dav.Resource) error {
		if len(l.members) == bigFolder {
			if err := big(); err != nil {
				return err
			}
		}
		m := memberOf(res)
		if text += len(m.text); len(l.members) == maxEntries || text > maxText {
			return errEnough
		}
		l.members = append(l.members, m)
		return nil
	})
	l.whole = err == nil
	if errors.Is(err, errEnough) {
		err = nil
	}
	return l, err
}

// narrow keeps of a big folder the page and what identify needs beside it, and returns
// both: what was kept of the rest is free while the page is made.
func (l listing) narrow(page []*member) (listing, []*member) {
	if len(l.members) <= bigFolder {
		return l, page
	}
	kept := make([]member, 0, bigFolder)
	for _, m := range page {
		kept = append(kept, *m)
	}
	onPage, evidence := shownBy(page)
	for i := range l.members {
		m := &l.members[i]
		if len(kept) < bigFolder && !onPage[m] && (evidence[m.nativeID()] || evidence[m.resourceID()]) {
			kept = append(kept, *m)
		}
	}
	page = make([]*member, len(page))
	for i := range page {
		page[i] = &kept[i]
	}
	return listing{members: kept}, page // not whole any more
}

// shownBy is the page as a set, and the evidence that it shows.
func shownBy(page []*member) (onPage map[*member]bool, evidence map[string]bool) {
	onPage, evidence = make(map[*member]bool, len(page)), make(map[string]bool, len(page))
	for _, m := range page {
		onPage[m] = true
		for _, e := range []string{m.nativeID(), m.resourceID()} {
			if e != "" {
				evidence[e] = true
			}
		}
	}
	return onPage, evidence
}

// identify gives the members of one page their IDs. Of a big folder nothing else is
// recorded, but for entries that show the same evidence as one of the page (hard
// links): alone, the page's would take the ID of the other along.
func (s *site) identify(ctx context.Context, at place, l listing, page []*member) ([]idmap.Entry, error) {
	complete := l.whole && len(l.members) <= bigFolder
	res := make([]dav.Resource, 0, len(page))
	add := func(m *member) error {
		r, err := m.resource(at.Entry.Path)
		res = append(res, r)
		return err
	}
	for _, m := range page {
		if err := add(m); err != nil {
			return nil, err
		}
	}
	onPage, evidence := shownBy(page)
	for i := range l.members {
		m := &l.members[i]
		if onPage[m] || len(res) == bigFolder || !complete && !evidence[m.nativeID()] && !evidence[m.resourceID()] {
			continue
		}
		if err := add(m); err != nil {
			return nil, err
		}
	}
	entries, err := s.IDs.SeeAll(ctx, at.Entry.Space, at.Entry.Path, res, complete, at.View)
	if err != nil {
		return nil, err
	}
	return entries[:len(page)], nil
}

// orders are the ways to sort; folders come first in each.
var orders = map[string]func(a, b *member) int{
	"name": func(a, b *member) int { return naturally(a.name(), b.name()) },
	"size": func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.size, b.size), naturally(a.name(), b.name()))
	},
	"date": func(a, b *member) int {
		return cmp.Or(a.modified.Compare(b.modified), naturally(a.name(), b.name()))
	},
}

// order sorts by one of orders.
func order(all []*member, by string, down bool) {
	slices.SortFunc(all, func(a, b *member) int {
		if a.folder != b.folder {
			if a.folder {
				return -1
			}
			return 1
		}
		if down {
			a, b = b, a
		}
		return orders[by](a, b)
	})
}
