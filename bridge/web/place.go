package web

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A place is a file or folder as one person reaches it, as of this request.
type place struct {
	Upstream *access.Upstream
	View     *davbackend.View
	Entry    idmap.Entry
	Seen     dav.Resource
	Rights   access.Rights // what rules and upstream allow there; at least View
}

// A placeError says at which upstream, and with which file, something failed.
type placeError struct {
	Upstream *access.Upstream
	Name     string // of the file as it was last known, "" unknown
	Err      error
}

func (e *placeError) Error() string {
	return fmt.Sprintf("web: upstream %s: %v", e.Upstream.Name, e.Err)
}
func (e *placeError) Unwrap() error { return e.Err }

// A lostError says in which folder something was when it was last seen.
type lostError struct {
	Folder idmap.FileID
	Err    error
}

func (e *lostError) Error() string { return e.Err.Error() }
func (e *lostError) Unwrap() error { return e.Err }

// locate finds a file or folder by its ID. It returns [idmap.ErrNotFound] also
// where the rules hide it, [idmap.ErrMissing], and the upstream's errors in a
// *placeError.
func (p *Pages) locate(ctx context.Context, who oauth.Principal, id idmap.FileID) (place, error) {
	for _, up := range p.Upstreams.List {
		space, err := p.Upstreams.Space(ctx, up.Name, who)
		if err != nil {
			return place{}, err
		}
		known, err := p.IDs.Known(ctx, space, id)
		if errors.Is(err, idmap.ErrNotFound) {
			continue
		}
		if err != nil && !errors.Is(err, idmap.ErrMissing) {
			return place{}, err
		}
		at, err := p.look(ctx, who, up, space, id)
		if err != nil {
			name := ""
			if known.Name != "" && p.Rules.Allows(who, up.Name, string(known.Path)) >= access.View {
				name = known.Name
				err = p.lost(ctx, who, up, known, err)
			}
			return place{}, &placeError{up, name, err}
		}
		return at, nil
	}
	return place{}, idmap.ErrNotFound
}

// lost adds to err the folder in which known was, if this person may see that.
func (p *Pages) lost(ctx context.Context, who oauth.Principal, up *access.Upstream, known idmap.Entry, err error) error {
	parent := known.Path.Parent()
	if parent.IsRoot() {
		return err // where the way back to all files leads
	}
	folder, knownErr := p.IDs.KnownAt(ctx, known.Space, parent)
	if knownErr != nil || p.Rules.Allows(who, up.Name, string(parent)) < access.View {
		return err
	}
	return &lostError{folder.ID, err}
}

// look is one look at the upstream, where the ID is known to belong.
func (p *Pages) look(ctx context.Context, who oauth.Principal, up *access.Upstream, space idmap.SpaceID, id idmap.FileID) (place, error) {
	view, err := p.Upstreams.View(ctx, up.Name, who)
	if err != nil {
		return place{}, err
	}
	entry, seen, err := p.IDs.Find(ctx, space, id, view)
	if err != nil {
		return place{}, err
	}
	at := place{up, view, entry, seen, allowed(view, seen, p.Rules.Allows(who, up.Name, string(entry.Path)))}
	if at.Rights < access.View {
		return place{}, idmap.ErrNotFound
	}
	return at, nil
}

// at finds what lies at a path of an upstream, and gives it an ID. Errors as
// those of locate.
func (p *Pages) at(ctx context.Context, who oauth.Principal, up *access.Upstream, path dav.Path) (place, error) {
	rights := p.Rules.Allows(who, up.Name, string(path))
	if rights < access.View {
		return place{}, idmap.ErrNotFound
	}
	space, err := p.Upstreams.Space(ctx, up.Name, who)
	if err != nil {
		return place{}, err
	}
	view, err := p.Upstreams.View(ctx, up.Name, who)
	if err != nil {
		return place{}, &placeError{up, "", err}
	}
	seen, err := view.Stat(ctx, path)
	if err != nil {
		return place{}, &placeError{up, "", err}
	}
	entry, err := p.IDs.See(ctx, space, seen, view)
	if err != nil {
		return place{}, err
	}
	return place{up, view, entry, seen, allowed(view, seen, rights)}, nil
}

// allowed cuts the rights that the rules give to what the upstream says that this
// person has.
func allowed(view *davbackend.View, seen dav.Resource, rights access.Rights) access.Rights {
	if !view.MayWrite(seen) {
		return min(rights, access.View)
	}
	return rights
}

// upstreamName is what people see.
func (p *Pages) upstreamName(name string) string {
	up, err := p.Upstreams.Get(name)
	if err != nil || up.DisplayName == "" {
		return name
	}
	return up.DisplayName
}
