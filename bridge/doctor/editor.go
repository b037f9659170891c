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
	"davwopi/bridge/words"
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
	about := v.editor.URL
	what := productOf(v.office)
	if version := v.askVersion(ctx); version != "" {
		what = words.Plain(what[1].(string) + " " + version)
	}
	if len(edits)+len(shows) == 0 {
		return finding(Warning, "editor", about, words.Say("found.editor.nothing", "what", what))
	}
	edited, shown := strings.Join(edits, ", "), strings.Join(shows, ", ")
	switch {
	case shown == "":
		return finding(OK, "editor", about, words.Say("found.editor.edits", "what", what, "edits", edited))
	case edited == "":
		return finding(OK, "editor", about, words.Say("found.editor.shows", "what", what, "shows", shown))
	}
	return finding(OK, "editor", about, words.Say("found.editor.does_both", "what", what, "edits", edited, "shows", shown))
}

// productOf is what people call an editor of that kind.
func productOf(o wopi.Office) words.Text {
	switch o {
	case wopi.Collabora:
		return words.Plain("Collabora Online")
	case wopi.OnlyOffice:
		return words.Plain("ONLYOFFICE Docs")
	case wopi.Microsoft:
		return words.Say("found.editor.microsoft")
	}
	return words.Say("found.editor.unknown")
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
		return finding(Error, "editor", about, words.Say("found.editor.silent", "why", why(err)))
	case v.seen.location != nil:
		return v.moved()
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return finding(Error, "editor", about, words.Say("found.editor.only_proxy", "status", status))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return finding(Error, "editor", about, words.Say("found.editor.refuses", "status", status))
	}
	if v.isOnlyOffice(ctx) {
		return finding(Error, "editor", about, words.Say("found.editor.wopi_off")).
			with(v.secretYAML(), onlyOfficeFile(`{"wopi": {"enable": true}}`), Paste{Said: words.Say("paste.onlyoffice"), Text: "-e WOPI_ENABLED=true"})
	}
	if v.seen.status == http.StatusOK {
		return finding(Error, "editor", about, words.Say("found.editor.other_page")).
			with(yaml(anEditor))
	}
	return finding(Error, "editor", about, words.Say("found.editor.not_there", "status", v.seen.status)).
		with(yaml(anEditor))
}

// anEditor is a line of davwopi.yaml that connects one.
const anEditor = "editors:\n  - https://office.example.org"

func onlyOfficeFile(text string) Paste {
	return Paste{Said: words.Say("paste.onlyoffice_file"), Text: text}
}

// moved is about an editor that sends us elsewhere.
func (v *visit) moved() Finding {
	to := *v.seen.location
	to.Path, to.RawPath, to.RawQuery, to.Fragment, to.User = strings.TrimSuffix(to.Path, "/hosting/discovery"), "", "", "", nil
	target := clean(to.String())
	if to.Hostname() != v.base().Hostname() {
		return finding(Error, "editor", v.editor.URL, words.Say("found.editor.sent_on", "to", origin(&to)))
	}
	return finding(Warning, "editor", v.editor.URL, words.Say("found.editor.moved", "to", target)).
		with(yaml("editors:\n  - " + target))
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
		return finding(OK, "proof_keys", about, words.Say("found.proof.signs"))
	case before && !v.editor.Unsigned:
		return finding(Error, "proof_keys", about, words.Say("found.proof.lost")).
			with(append(v.keyLines(), Paste{Said: words.Say("paste.yaml_meant"), Text: fmt.Sprintf("editors:\n  - url: %s\n    unsigned: true", about)})...)
	}
	return finding(Hint, "proof_keys", about, words.Say("found.proof.none")).with(v.keyLines()...)
}

// keyLines make proof keys.
func (v *visit) keyLines() []Paste {
	switch v.office {
	case wopi.Collabora:
		return []Paste{{Said: words.Say("paste.collabora_keys"), Text: "coolconfig generate-proof-key"},
			{Said: words.Say("paste.collabora_keys_container"), Text: "docker exec -u root NAME coolconfig generate-proof-key && docker restart NAME"}}
	case wopi.OnlyOffice:
		return []Paste{{Said: words.Say("paste.onlyoffice_keys"), Text: "-e WOPI_ENABLED=true"}}
	}
	return nil
}
