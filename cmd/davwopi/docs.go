package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/docsapi"
	"davwopi/bridge/doctor"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/idmap"
)

// configured are the editors of the configuration.
func configured(c *config.Config) []discovery.Editor {
	var list []discovery.Editor
	for _, e := range c.Editors {
		list = append(list, discovery.Editor{
			URL: e.URL.String(), Name: e.Name, Unsigned: e.Unsigned, API: e.API, Secret: e.JWTSecretFile != "",
		})
	}
	return list
}

// leastSecret is the shortest secret that is taken, in characters: a shorter one is a
// typing mistake.
const leastSecret = 8

var errShortSecret = fmt.Errorf("the secret has less than %d characters", leastSecret)

// docServers are the document servers of the configuration, by the editor's URL.
func docServers(c *config.Config) (map[string]*docsapi.Server, error) {
	servers := make(map[string]*docsapi.Server)
	for i, e := range configured(c) {
		if !e.Secret {
			continue
		}
		secret, err := firstLine(c.Editors[i].JWTSecretFile)
		if err == nil && len(secret) < leastSecret {
			err = errShortSecret
		}
		if err != nil {
			return nil, fmt.Errorf("jwt_secret_file of %s: %w", e.URL, err)
		}
		at, err := url.Parse(e.Base())
		if err != nil {
			return nil, fmt.Errorf("editor %s: %w", e.URL, err)
		}
		servers[e.URL] = &docsapi.Server{URL: at, Secret: docsapi.Secret(secret), Header: c.Editors[i].JWTHeader}
	}
	return servers, nil
}

// openDocs makes the room of the Docs API, if there is an editor for it.
func (h *house) openDocs(ctx context.Context, j *bridge.Journalist) error {
	servers, err := docServers(h.config)
	if err != nil || len(servers) == 0 {
		return err
	}
	h.docs, err = docsapi.New(ctx, docsapi.Docs{Endpoint: h.shared, DB: h.db, Servers: servers, OnError: j.Loop, Restored: h.restored})
	if err != nil {
		return err
	}
	h.pages.Docs = &web.Docs{Open: h.docsPage, ConvertToken: h.docs.ConvertToken, Downloads: docsapi.Downloads}
	h.bridge.Rooms = append(h.bridge.Rooms, h.docs)
	h.doctor.Docs = h.probeDocs
	return nil
}

// restored tells the audit log of an old version that was put back.
func (h *house) restored(r *http.Request, g access.Grant, entry string, err error) {
	h.deed(r, web.Deed{What: "undo", Who: g.Principal, File: g.File, ID: entry, Err: err})
}

// docsPage is what the page around an editor is made of.
func (h *house) docsPage(ctx context.Context, o web.DocsOpening) (web.DocsPage, error) {
	var templates []docsapi.Template
	for _, t := range o.Templates {
		templates = append(templates, docsapi.Template(t))
	}
	p, err := h.docs.Open(ctx, docsapi.Opening{
		Create: o.Create, Templates: templates,
		Grant: o.Grant, File: o.File, Edit: o.Edit, Type: o.Type, Lang: o.Lang, Back: o.Back, Share: o.Share,
		Visible: func(ctx context.Context, files []idmap.FileID) []docsapi.Link {
			var list []docsapi.Link
			for _, l := range o.Visible(ctx, files) {
				list = append(list, docsapi.Link(l))
			}
			return list
		},
	})
	if errors.Is(err, docsapi.ErrDown) {
		err = errors.Join(discovery.ErrDown, err)
	}
	return web.DocsPage{Script: p.API, Config: p.Config, Events: p.Events, Ask: p.Ask, Token: p.Token, Edit: p.Edit}, err
}

// probeDocs tries both directions with a document server.
func (h *house) probeDocs(ctx context.Context, editor string) doctor.DocsProbe {
	p := h.docs.Probe(ctx, editor)
	out := probed(p.Version, p.Err)
	out.Expired = p.Err == nil && !p.License.Valid
	out.Asked, out.Came, out.Foreign = p.Asked, p.Came, p.Token != nil
	return out
}

// askDocs is probeDocs without a daemon, to which nobody could come.
func askDocs(ctx context.Context, s *docsapi.Server) doctor.DocsProbe {
	if s == nil {
		return doctor.DocsProbe{Down: docsapi.ErrDown}
	}
	return probed(s.Version(ctx))
}

func probed(version string, err error) doctor.DocsProbe {
	p := doctor.DocsProbe{Version: version, Refused: errors.Is(err, docsapi.ErrSecret)}
	if !p.Refused {
		p.Down = err
	}
	return p
}

// runDocs keeps what is open over the Docs API.
func (h *house) runDocs(ctx context.Context) error {
	if h.docs == nil {
		<-ctx.Done()
		return nil
	}
	return h.docs.Run(ctx)
}
