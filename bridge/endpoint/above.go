package endpoint

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// TopName is what people call the container above all upstreams.
const TopName = "Files"

// IsTop reports whether q is about the container above all upstreams, which lies on
// none of them: its children are [Endpoint.Entrances].
func (q *Request) IsTop() bool { return q.top }

// An entrance is a highest container that a grant can see.
type entrance struct {
	upstream *access.Upstream
	path     dav.Path
}

// entrances are the highest containers that q's grant can see: those that the rules
// allow, of its upstream or, if its scope is above them, of all; or its scope.
func (e *Endpoint) entrances(ctx context.Context, q *Request) ([]entrance, error) {
	g := q.Grant
	list := e.Upstreams.List
	if g.Scope != "" {
		scope, err := e.IDs.Known(ctx, g.Space, g.Scope)
		top := idmap.Entry{}
		if errors.Is(err, idmap.ErrNotFound) {
			top, err = e.Upstreams.Top(ctx)
		}
		switch {
		case err != nil:
			return nil, err
		case top.ID == g.Scope:
			return e.allEntrances(g, list), nil
		case scope.Kind != idmap.Container:
			return nil, nil
		case !scope.Path.IsRoot():
			return e.scopeEntrance(g, scope.Path)
		}
	}
	up, err := e.Upstreams.Get(g.Upstream)
	if err != nil {
		return nil, err
	}
	return e.allEntrances(g, []*access.Upstream{up}), nil
}

func (e *Endpoint) allEntrances(g access.Grant, list []*access.Upstream) []entrance {
	var all []entrance
	for _, up := range list {
		for _, path := range e.Rules.Entrances(g.Principal, up.Name) {
			all = append(all, entrance{up, path})
		}
	}
	return all
}

func (e *Endpoint) scopeEntrance(g access.Grant, path dav.Path) ([]entrance, error) {
	up, err := e.Upstreams.Get(g.Upstream)
	if err != nil || e.Rules.AllowsGrant(g, string(path)) < access.View {
		return nil, err
	}
	return []entrance{{up, path}}, nil
}

// Entrances are the highest containers that q's grant can see, each with the request
// that stands for it. Those that cannot be looked up now are left out, and whole is
// false.
func (e *Endpoint) Entrances(ctx context.Context, q *Request) (found []*Request, whole bool, err error) {
	all, err := e.entrances(ctx, q)
	if err != nil {
		return nil, false, err
	}
	whole = true
	for _, in := range all {
		at, err := e.enter(ctx, q, in)
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if errors.Is(err, errNoContainer) {
			continue
		}
		if err != nil {
			whole = false
			continue
		}
		found = append(found, at)
	}
	return found, whole, nil
}

// Root is the root container as q's grant sees it: the one entrance, or the container
// above all of them. A grant for a single file has none: [idmap.ErrNotFound].
func (e *Endpoint) Root(ctx context.Context, q *Request) (*Request, error) {
	all, err := e.entrances(ctx, q)
	if err != nil {
		return nil, err
	}
	switch len(all) {
	case 0:
		return nil, idmap.ErrNotFound
	case 1:
		return e.enter(ctx, q, all[0])
	}
	top, err := e.Upstreams.Top(ctx)
	if err != nil {
		return nil, err
	}
	at := *q
	at.File, at.Known, at.Rights, at.top = top.ID, top, access.View, true
	return &at, nil
}

// errNoContainer is of a rule that lets somebody see a single file.
var errNoContainer = fmt.Errorf("endpoint: an entrance that is a file: %w", idmap.ErrNotFound)

// enter is q for an entrance. The root of an upstream needs no look at it.
func (e *Endpoint) enter(ctx context.Context, q *Request, in entrance) (*Request, error) {
	at := *q
	at.entry, at.top = Entry{}, false
	space, err := e.Upstreams.Space(ctx, in.upstream.Name, q.Grant.Principal)
	if err != nil {
		return nil, err
	}
	at.Grant.Space, at.Grant.Upstream = space, in.upstream.Name
	var known idmap.Entry
	if in.path.IsRoot() {
		known, err = e.IDs.Root(ctx, space)
	} else if known, err = e.IDs.KnownAt(ctx, space, in.path); errors.Is(err, idmap.ErrNotFound) || err == nil && !known.Missing.IsZero() {
		known, err = e.look(ctx, at.Grant, in.path)
	}
	if err != nil {
		return nil, err
	}
	if known.Kind != idmap.Container {
		return nil, errNoContainer
	}
	at.File = known.ID
	return &at, e.allow(ctx, &at, known)
}

func (e *Endpoint) look(ctx context.Context, g access.Grant, p dav.Path) (idmap.Entry, error) {
	view, err := e.Upstreams.View(ctx, g.Upstream, g.Principal)
	if err != nil {
		return idmap.Entry{}, err
	}
	res, err := view.Stat(ctx, p)
	if err != nil {
		return idmap.Entry{}, err
	}
	return e.IDs.See(ctx, g.Space, res, view)
}

// Ancestors answers EnumerateAncestors for files and containers: the containers
// above, the root first, those that the grant cannot see cut off.
func (e *Endpoint) Ancestors(ctx context.Context, q *Request) (wopi.Ancestors, error) {
	var answer wopi.Ancestors
	if q.top {
		return answer, nil
	}
	if _, err := e.Seen(ctx, q); err != nil {
		return answer, err
	}
	entrances, err := e.entrances(ctx, q)
	if err != nil {
		return answer, err
	}
	if len(entrances) > 1 {
		top, err := e.Upstreams.Top(ctx)
		if err != nil {
			return answer, err
		}
		answer.AncestorsWithRootFirst = append(answer.AncestorsWithRootFirst, wopi.Pointer{Name: TopName, Url: e.Source(q, top)})
	}
	above, err := e.IDs.Ancestors(ctx, q.Grant.Space, q.File)
	if err != nil {
		return answer, err
	}
	for _, a := range above {
		if e.inScope(ctx, q.Grant, a) == nil && e.Rules.AllowsGrant(q.Grant, string(a.Path)) >= access.View {
			answer.AncestorsWithRootFirst = append(answer.AncestorsWithRootFirst, e.Pointer(q, a))
		}
	}
	return answer, nil
}

// Pointer names a file or container of q's upstream, with its own token.
func (e *Endpoint) Pointer(q *Request, other idmap.Entry) wopi.Pointer {
	return wopi.Pointer{Name: e.NameOf(q, other), Url: e.Source(q, other)}
}

// NameOf is how q's editor is told the name of a file or container: that of a root is
// its upstream's, and Office's apps cannot do with every character.
func (e *Endpoint) NameOf(q *Request, other idmap.Entry) string {
	name := other.Name
	if other.Path.IsRoot() {
		name = TopName
		if up, err := e.Upstreams.Get(q.Grant.Upstream); err == nil && !q.top {
			name = or(up.DisplayName, up.Name)
		}
	}
	if q.Headers.Native {
		name = wopi.SanitizeNative(name)
	}
	return name
}

// Ecosystem answers GetEcosystem for files and containers.
func (e *Endpoint) Ecosystem(q *Request) (wopi.Response, error) {
	if !e.Offers.Containers {
		return wopi.Response{}, NotOffered("GetEcosystem")
	}
	return wopi.Response{JSON: wopi.URLInfo{Url: e.EcosystemSource(q)}}, nil
}

// About is q for another file, or, by kind, container, which q's grant must reach, and which is looked at.
func (e *Endpoint) About(ctx context.Context, q *Request, id idmap.FileID, kind idmap.Kind) (*Request, error) {
	at := *q
	at.File, at.entry, at.top = id, Entry{}, false
	if err := e.authorize(ctx, &at, kind); err != nil || at.top {
		return &at, err
	}
	t, err := e.Seen(ctx, &at)
	at.Known = t.File
	return &at, err
}
