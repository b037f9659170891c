package web

import (
	"context"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/idmap"
	"davwopi/oauth"
)

// Launching is how people's own Office apps reach documents here, for links that start them. The zero value has no links.
type Launching struct {
	// Provider is the name under which Microsoft knows this host: with it Office on phones opens documents by WOPI. ""
	// if it does not.
	Provider string

	// Desktop is, by upstream, the WebDAV address of its root as computers of people reach it, on https: over plain http
	// Office sends no password.
	Desktop map[string]Desktop

	// Backs are the schemes of apps to which Office may go back: [OpenRequest.Passback].
	Backs []string
}

// Desktop is the WebDAV address that belongs to an upstream.
type Desktop struct {
	Root *url.URL
	// May reports whether a person has a password for it. Nil: everybody has.
	May func(ctx context.Context, who oauth.Principal) (bool, error)
}

// A launcher makes the links of one page.
type launcher struct {
	*site
	who   oauth.Principal
	phone bool            // asks from a phone or tablet
	mac   bool            // from a Mac, or from a tablet that says so
	may   map[string]bool // from a computer with Office: upstreams whose address they can use
}

// A launchLink is one link to an Office app, on a page.
type launchLink struct {
	App    string            // "Word"
	Tablet bool              // another machine than the one that the browser says it is on
	Attr   template.HTMLAttr // href
}

// launcher looks from what kind of machine somebody asks, and which addresses they can use. Whoever came by a link gets
// no links: an app would not come by it.
func (s *site) launcher(r *http.Request, who oauth.Principal) (l launcher, err error) {
	l = launcher{site: s, who: who, may: map[string]bool{}}
	if s.visit != nil {
		return l, nil
	}
	agent := r.UserAgent()
	l.phone = strings.Contains(agent, "Android") || strings.Contains(agent, "iPhone") || strings.Contains(agent, "iPad")
	l.mac = !l.phone && strings.Contains(agent, "Macintosh")
	if l.phone || !l.mac && !strings.Contains(agent, "Windows NT") {
		return l, nil
	}
	for name, d := range s.Launching.Desktop {
		l.may[name] = d.May == nil
		if d.May == nil {
			continue
		}
		if l.may[name], err = d.May(r.Context(), who); err != nil {
			return l, fmt.Errorf("web: app passwords: %w", err)
		}
	}
	return l, nil
}

// appsOf gives the rows of a page their links.
func (s *site) appsOf(r *http.Request, who oauth.Principal, at place, body *folderBody, entries []idmap.Entry) error {
	l, err := s.launcher(r, who)
	if err != nil {
		return err
	}
	for i := range body.Rows {
		row := &body.Rows[i]
		row.Apps = l.links(row, at.Upstream.Name, entries[i], s.allows(who, at.Upstream.Name, string(entries[i].Path)))
		body.Launched = body.Launched || len(row.Apps) > 0 // also for what only script shows
	}
	return nil
}

// links are those for a file, the likeliest first. A file without bytes has none: to an app it would be broken. One for
// which a save waits has none that goes past us.
func (l launcher) links(seen *row, upstream string, e idmap.Entry, rights access.Rights) (list []launchLink) {
	if e.Kind != idmap.File || seen.Size == 0 {
		return nil
	}
	app, phone, desktop := launchApp(extension(e.Name))
	add := func(tablet bool, link launch) {
		if text := link.String(); text != "" {
			// Templates would turn every "|" into %7c, which not all apps take.
			list = append(list, launchLink{app.Name, tablet, template.HTMLAttr(`href="` + html.EscapeString(text) + `"`)})
		}
	}
	if d := l.Launching.Desktop[upstream]; l.may[upstream] && seen.Waits == "" && desktop != opensNot && forWindows(app.Scheme, d.Root.String(), string(e.Path)) {
		add(false, launch{Scheme: app.Scheme, Edit: rights >= access.Edit, Address: strings.TrimSuffix(d.Root.String(), "/") + unslashed(string(e.Path))})
	}
	if (l.phone || l.mac) && phone != opensNot {
		if link, ok := l.byWOPI(app, phone == opensEdit && rights >= access.Edit, e, l.who); ok {
			add(l.mac, link)
		}
	}
	return list
}

// byWOPI is the link for a phone; false where phones do not come in, or the address is none that they reach.
func (p *Pages) byWOPI(app officeApp, edit bool, e idmap.Entry, who oauth.Principal) (launch, bool) {
	reached := endpoint.URLs{Public: p.URLs.Public, WOPI: p.URLs.Public} // as the bootstrapper's answers say
	return launch{
		Scheme: app.Scheme, Edit: edit, Address: reached.WOPISrc(e.ID), Name: e.Name,
		Provider: p.Launching.Provider, User: who.UserID(), From: "Web",
	}, p.Launching.Provider != "" && p.URLs.Public.Scheme == "https"
}

// unslashed is a decoded path, encoded but for its slashes.
func unslashed(path string) string { return strings.ReplaceAll(unreserved(path), "%2F", "/") }

// appURL is the link for whoever asks by the API, "" none.
func (p *Pages) appURL(q OpenRequest, at place, who oauth.Principal) string {
	app, phone, _ := launchApp(extension(at.Entry.Name))
	edit := phone == opensEdit && q.Mode != "view" && at.Rights >= access.Edit
	link, ok := p.byWOPI(app, edit, at.Entry, who)
	if !ok || phone == opensNot || strings.HasPrefix(who.Issuer, "key:") { // whom no phone signs in as
		return ""
	}
	link.From, link.Passback, link.Context = "App", q.Passback, q.Context
	return link.String()
}
