package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
)

// formats are the extensions that people ask for, the modern ones first.
var formats = strings.Fields("docx xlsx pptx odt ods odp doc xls ppt rtf csv txt pdf")

// A visit is one look at an editor.
type visit struct {
	d      *Doctor
	editor discovery.Editor
	fresh  *discovery.Editors // knows this editor only, and nothing from before
	office wopi.Office
	signs  bool
	seen   answer           // discovery's
	action discovery.Action // of the first extension that it opens
}

// editor asks an editor anew and judges what it says.
func (d *Doctor) editor(ctx context.Context, e discovery.Editor) []Finding {
	seen := &witness{next: d.transport(), now: d.now}
	e.Builtin = nil
	v := &visit{d: d, editor: e, fresh: &discovery.Editors{
		List: []discovery.Editor{e}, Now: d.now,
		HTTP: &http.Client{Transport: seen, CheckRedirect: neverFollow, Timeout: stepLimit},
	}}
	keys, _, err := v.fresh.Keys(ctx, e.URL)
	v.seen = seen.first()
	if err != nil {
		return []Finding{v.silent(ctx, err)}
	}
	v.signs = keys.Current != nil
	v.office = v.fresh.Status()[0].Office
	edits, opens := v.opens(ctx)
	if v.action.Docs {
		return v.docs(ctx, edits, opens)
	}
	out := all(ctx, []check{
		{"editor", e.URL, func(ctx context.Context) []Finding { return []Finding{v.alive(ctx, edits, opens)} }},
		{"frame", e.URL, v.frame},
		{"wopi_access", e.URL, v.access},
	})
	out = append(out, v.page()...)
	out = append(out, v.proofKeys())
	return append(out, clock(e.URL, v.seen.date, v.seen.asked, v.signs)...)
}

// opens lists the formats that the editor edits, and those that it only shows.
func (v *visit) opens(ctx context.Context) (edits, shows []string) {
	for _, ext := range formats {
		a, err := v.fresh.Action(ctx, ext, discovery.ModeEdit, 1, "")
		if err != nil {
			continue
		}
		if v.action.URLSrc == "" {
			v.action = a
		}
		if a.Mode == discovery.ModeEdit || a.Mode == discovery.ModeConvert {
			edits = append(edits, ext)
		} else {
			shows = append(shows, ext)
		}
	}
	return edits, shows
}

// alive says what the editor is.
func (v *visit) alive(ctx context.Context, edits, shows []string) Finding {
	what := productOf(v.office)
	if version := v.askVersion(ctx); version != "" {
		what += " " + version
	}
	if len(edits)+len(shows) == 0 {
		return finding(Warning, "editor", v.editor.URL, "%s answers, but offers nothing for documents.", what)
	}
	text := what + " answers."
	if len(edits) > 0 {
		text += " It edits " + strings.Join(edits, ", ") + "."
	}
	if len(shows) > 0 {
		text += " It shows " + strings.Join(shows, ", ") + "."
	}
	return finding(OK, "editor", v.editor.URL, "%s", text)
}

func productOf(o wopi.Office) string {
	switch o {
	case wopi.Collabora:
		return "Collabora Online"
	case wopi.OnlyOffice:
		return "ONLYOFFICE Docs"
	case wopi.Microsoft:
		return "Microsoft's editor"
	}
	return "An editor of unknown make"
}

var (
	plainVersion = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,6}){1,4}$`)
	apiVersion   = regexp.MustCompile(`version\s*=\s*function\s*\(\)\s*\{\s*return\s*['"]([0-9.]{1,30})['"]`)
)

// askVersion is the editor's version; "" it does not say.
func (v *visit) askVersion(ctx context.Context) string {
	found := ""
	switch v.office {
	case wopi.Collabora:
		found = v.capabilities(ctx).ProductVersion
	case wopi.OnlyOffice:
		if a, err := v.d.ask(ctx, http.MethodGet, v.below("web-apps/apps/api/documents/api.js"), "", nil, 1<<20); err == nil && a.status == http.StatusOK {
			if m := apiVersion.FindSubmatch(a.body); m != nil {
				found = string(m[1])
			}
		}
	case wopi.Microsoft:
		found = v.seen.header.Get("X-OfficeVersion")
	}
	if !plainVersion.MatchString(found) {
		return ""
	}
	return found
}

// below is an address below the editor's configured one.
func (v *visit) below(path string) string {
	return strings.TrimSuffix(v.base().String(), "/") + "/" + path
}

// base is where the editor's own pages begin.
func (v *visit) base() *url.URL {
	u, err := url.Parse(v.editor.URL)
	if err != nil {
		return &url.URL{} // config has parsed it
	}
	if i := strings.Index(u.Path, "/hosting/"); i >= 0 {
		u.Path, u.RawPath = u.Path[:i], ""
	}
	return u
}

// silent is about an editor that gives no discovery.
func (v *visit) silent(ctx context.Context, err error) Finding {
	about := v.editor.URL
	switch status := v.seen.status; {
	case status == 0:
		return finding(Error, "editor", about, "It does not answer: %s. Its documents cannot be opened until it does; nothing has to be restarted here then.", why(err))
	case v.seen.location != nil:
		return v.moved()
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return finding(Error, "editor", about, "Only the reverse proxy in front of it answers (%d): the editor itself does not run, or is still starting.", status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return finding(Error, "editor", about, "Something in front of it refuses us (%d). Let requests below /hosting/ pass without a sign-in.", status)
	}
	if v.isOnlyOffice(ctx) {
		return finding(Error, "editor", about, "ONLYOFFICE Docs answers, but WOPI is switched off in it. Either give its secret (JWT_SECRET there), or switch WOPI on.").
			with("davwopi.yaml", fmt.Sprintf("editors:\n  - url: %s\n    jwt_secret_file: /etc/davwopi/onlyoffice.secret", about),
				v.onlyOfficeFile(), "{\"wopi\": {\"enable\": true}}", "ONLYOFFICE's container", "-e WOPI_ENABLED=true")
	}
	if v.seen.status == http.StatusOK {
		return finding(Error, "editor", about, "Something answers there, but not with an editor's discovery document. Is it the editor's address, and not another page's?").
			with("davwopi.yaml", "editors:\n  - https://office.example.org")
	}
	return finding(Error, "editor", about, "No editor is at this address: it answers %d where the discovery document should be.", v.seen.status).
		with("davwopi.yaml", "editors:\n  - https://office.example.org")
}

func (v *visit) onlyOfficeFile() string {
	return "ONLYOFFICE's /etc/onlyoffice/documentserver/local.json, then supervisorctl restart all"
}

// moved is about an editor that sends us elsewhere.
func (v *visit) moved() Finding {
	to := *v.seen.location
	to.Path, to.RawPath, to.RawQuery, to.Fragment, to.User = strings.TrimSuffix(to.Path, "/hosting/discovery"), "", "", "", nil
	target := clean(to.String())
	if to.Hostname() != v.base().Hostname() {
		return finding(Error, "editor", v.editor.URL, "It sends us on to %s. If that is a sign-in page, let requests below /hosting/ pass without one; if the editor has moved, change its address.", origin(&to))
	}
	return finding(Warning, "editor", v.editor.URL, "It sends us on to %s. Use that address.", target).
		with("davwopi.yaml", "editors:\n  - "+target)
}

// isOnlyOffice tells whether ONLYOFFICE's own script lies where it always does.
func (v *visit) isOnlyOffice(ctx context.Context) bool {
	a, err := v.d.ask(ctx, http.MethodGet, v.below("web-apps/apps/api/documents/api.js"), "", nil, 1<<20)
	return err == nil && a.status == http.StatusOK && bytes.Contains(a.body, []byte("DocsAPI"))
}

// proofKeys judges whether anybody could pose as this editor.
func (v *visit) proofKeys() Finding {
	about := v.editor.URL
	before := false
	if v.d.Signed != nil {
		for _, u := range v.d.Signed() {
			before = before || u == v.editor.URL
		}
	}
	switch {
	case v.signs:
		return finding(OK, "proof_keys", about, "It signs its requests, and unsigned ones are refused.")
	case before && !v.editor.Unsigned:
		return finding(Error, "proof_keys", about, "It used to sign its requests and has no keys any more, so everything it sends is refused. Give it its keys back, or say that this is meant.").
			with(append(v.keyLines(), "davwopi.yaml, only if it is meant", fmt.Sprintf("editors:\n  - url: %s\n    unsigned: true", about))...)
	}
	return finding(Hint, "proof_keys", about, "It does not sign its requests: whoever gets hold of a document's token can use it from anywhere.").with(v.keyLines()...)
}

// keyLines make proof keys.
func (v *visit) keyLines() []string {
	switch v.office {
	case wopi.Collabora:
		return []string{"a terminal on Collabora's machine, then restart it", "coolconfig generate-proof-key",
			"a terminal, for Collabora's container; it must keep /etc/coolwsd", "docker exec -u root NAME coolconfig generate-proof-key && docker restart NAME"}
	case wopi.OnlyOffice:
		return []string{"ONLYOFFICE's container: it makes keys when it starts with WOPI switched on", "-e WOPI_ENABLED=true"}
	}
	return nil
}
