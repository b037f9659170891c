package web

import (
	"context"
	"strconv"
	"sync"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// wopiSpace is the namespace of what KaraDAV's server tells programs like its own file
// manager, which look for an editor themselves and open its frame with these three.
const wopiSpace = "https://interoperability.blob.core.windows.net/files/MS-WOPI/"

var (
	propWOPIURL  = dav.PropName{Space: wopiSpace, Local: "wopi-url"}  // WOPISrc
	propToken    = dav.PropName{Space: wopiSpace, Local: "token"}     // access_token
	propTokenTTL = dav.PropName{Space: wopiSpace, Local: "token-ttl"} // access_token_ttl, ms since 1970
)

// DAVProperties are the properties that a WebDAV program is told of files of upstream
// which an editor can open, for the owner of an app password: one request's. A token is made
// when it is asked for, one for each editor and right; those of further files of a listing
// are derived from it. They end with the app password ([access.DAVPrefix] and its ID).
func (p *Pages) DAVProperties(by oauth.AppPassword, upstream string) func(ctx context.Context, at dav.Path, folder bool, asked []dav.PropName) map[dav.PropName]string {
	d := &davProperties{Pages: p, who: by.Principal, session: access.DAVPrefix + by.ID, upstream: upstream, parents: make(map[davParent]access.Grant)}
	return d.of
}

type davParent struct {
	editor string
	rights access.Rights
}

type davProperties struct {
	*Pages
	who      oauth.Principal
	session  string
	upstream string

	mu      sync.Mutex
	parents map[davParent]access.Grant // guarded by mu
}

// of tells nothing of what it cannot find out: the property is not there then.
func (d *davProperties) of(ctx context.Context, path dav.Path, folder bool, asked []dav.PropName) map[dav.PropName]string {
	wants := make(map[dav.PropName]bool)
	for _, name := range asked {
		wants[name] = name.Space == wopiSpace
	}
	if folder || !wants[propWOPIURL] && !wants[propToken] && !wants[propTokenTTL] {
		return nil
	}
	d.site().ownEditor(ctx)
	if view, edit := d.Editors.Can(extension(path.Base())); !view && !edit {
		return nil
	}
	at, err := d.find(ctx, path)
	if err != nil || at.Entry.Kind != idmap.File {
		return nil
	}
	out := make(map[dav.PropName]string)
	if wants[propWOPIURL] {
		out[propWOPIURL] = d.URLs.WOPISrc(at.Entry.ID)
	}
	if !wants[propToken] && !wants[propTokenTTL] {
		return out
	}
	token, ttl, err := d.token(ctx, at)
	if err != nil {
		return nil
	}
	if wants[propToken] {
		out[propToken] = token
	}
	if wants[propTokenTTL] {
		out[propTokenTTL] = ttl
	}
	return out
}

func (d *davProperties) find(ctx context.Context, path dav.Path) (place, error) {
	up, err := d.Upstreams.Get(d.upstream)
	if err != nil {
		return place{}, err
	}
	return d.at(ctx, d.who, up, path)
}

// token is one for the file, and when it ends.
func (d *davProperties) token(ctx context.Context, at place) (token, ttl string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := opening{Place: at, Who: d.who, Session: d.session, Mode: discovery.ModeEdit, Rights: access.Edit}
	rights := min(o.Rights, at.Rights)
	if rights < access.Edit {
		o.Mode = discovery.ModeView
	}
	a, err := d.action(ctx, o)
	if err != nil {
		return "", "", err
	}
	if a.Mode == discovery.ModeView {
		rights = access.View
	}
	of := davParent{a.Editor.URL, rights}
	g, ok := d.parents[of]
	if ok {
		token = d.Tokens.Derive(g, at.Entry.ID)
	} else if token, g, err = d.grant(ctx, o, rights, a.Editor.URL); err != nil {
		return "", "", err
	}
	d.parents[of] = g
	return token, strconv.FormatInt(g.Expires.UnixMilli(), 10), nil
}
