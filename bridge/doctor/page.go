package doctor

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
)

// probeFile stands in for a document's ID where an editor's page wants one. No file
// has it.
const probeFile = "davwopidoctor"

// page judges where the editor says that documents open.
func (v *visit) page() []Finding {
	opens, err := url.Parse(v.action.Origin())
	if err != nil || opens.Host == "" {
		return nil
	}
	about, public := v.editor.URL, v.d.Public
	out := []Finding{}
	if public.Scheme == "https" && opens.Scheme == "http" {
		out = append(out, finding(Error, "mixed_content", about, words.Say("found.page.blocked", "at", origin(opens))).
			with(v.httpsLines()...))
	} else {
		out = append(out, finding(OK, "mixed_content", about, words.Say("found.page.together", "ours", public.Scheme, "theirs", opens.Scheme)))
	}
	switch {
	case isLoopback(opens.Hostname()) && hasNetwork(public):
		return append(out, finding(Error, "editor_page", about, words.Say("found.page.own_machine", "at", origin(opens))).with(v.addressLines()...))
	case isLocalName(opens.Hostname()) && strings.Contains(public.Hostname(), "."):
		return append(out, finding(Warning, "editor_page", about, words.Say("found.page.container", "at", origin(opens))).with(v.addressLines()...))
	}
	return append(out, finding(OK, "editor_page", about, words.Say("found.page.opens", "at", origin(opens))))
}

// isLocalName tells names that no DNS outside knows.
func isLocalName(host string) bool {
	return !strings.Contains(host, ".") && net.ParseIP(host) == nil && !isLoopback(host)
}

// publicName is a name for the editor that browsers may know: its configured one, if
// that looks like one.
func (v *visit) publicName() string {
	if host := v.base().Hostname(); strings.Contains(host, ".") && !isLoopback(host) && net.ParseIP(host) == nil {
		return host
	}
	return "office.example.org"
}

// httpsLines let an editor behind a reverse proxy say https.
func (v *visit) httpsLines() []Paste {
	name := v.publicName()
	lines := []Paste{yaml("editors:\n  - https://" + name)}
	switch v.office {
	case wopi.Collabora:
		lines = append(lines,
			Paste{Said: words.Say("paste.collabora_https"), Text: "-e server_name=" + name + " -e extra_params=\"--o:ssl.enable=false --o:ssl.termination=true\""},
			Paste{Said: words.Say("paste.coolwsd_https"), Text: "<server_name>" + name + "</server_name>\n<ssl><enable>false</enable><termination>true</termination></ssl>"})
	case wopi.OnlyOffice:
		lines = append(lines, Paste{Said: words.Say("paste.onlyoffice_nginx"), Text: "proxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;"})
	}
	return lines
}

// addressLines let an editor say an address that browsers know.
func (v *visit) addressLines() []Paste {
	name, scheme := v.publicName(), v.d.Public.Scheme
	lines := []Paste{{Said: words.Say("paste.yaml_known"), Text: "editors:\n  - " + scheme + "://" + name}}
	if v.office == wopi.Collabora {
		lines = append(lines, Paste{Said: words.Say("paste.collabora"), Text: "-e server_name=" + name}, Paste{Said: words.Say("paste.coolwsd"), Text: "<server_name>" + name + "</server_name>"})
	}
	return lines
}

// frame asks for the page as our host page does, but without a token, and reads
// whether it may be shown inside ours. Only at the configured address.
func (v *visit) frame(ctx context.Context) []Finding {
	about, base := v.editor.URL, v.base()
	if v.action.URLSrc == "" {
		return nil
	}
	if v.action.Origin() != strings.ToLower(origin(base)) {
		return []Finding{finding(Hint, "frame", about, words.Say("found.frame.elsewhere", "at", clean(v.action.Origin())))}
	}
	address := v.action.URL(discovery.Params{WOPISrc: v.d.WOPI.JoinPath("wopi", "files", probeFile).String()})
	a, err := v.d.ask(ctx, http.MethodPost, address, "application/x-www-form-urlencoded", []byte("access_token_ttl=0"), 4<<10)
	if err != nil {
		return []Finding{finding(Warning, "frame", about, words.Say("found.frame.silent", "why", why(err)))}
	}
	if a.location != nil {
		return []Finding{finding(Warning, "frame", about, words.Say("found.frame.sent_on", "to", clean(origin(a.location))))}
	}
	forbids := framePolicy(a.header, base, v.d.Public)
	if forbids == "" {
		return []Finding{finding(OK, "frame", about, words.Say("found.frame.fine"))}
	}
	return []Finding{finding(Error, "frame", about, words.Say("found.frame.forbids", "header", forbids, "ours", origin(v.d.Public))).
		with(v.frameLines(forbids)...)}
}

// frameLines allow the frame, on the side that forbids it.
func (v *visit) frameLines(forbids string) []Paste {
	ours := origin(v.d.Public)
	var lines []Paste
	if v.office == wopi.Collabora && forbids == byCSP {
		lines = append(lines,
			Paste{Said: words.Say("paste.coolwsd_net"), Text: "<frame_ancestors>" + ours + "</frame_ancestors>"},
			Paste{Said: words.Say("paste.collabora_extra"), Text: "-e extra_params=\"--o:net.frame_ancestors=" + ours + "\""})
	}
	name := v.publicName()
	if forbids == byXFO {
		return append(lines,
			Paste{Said: words.Say("paste.nginx_frame", "name", name), Text: "proxy_hide_header X-Frame-Options;"},
			Paste{Said: words.Say("paste.caddy_block", "name", name), Text: "header -X-Frame-Options"},
			Paste{Said: words.Say("paste.apache", "name", name), Text: "Header always unset X-Frame-Options"})
	}
	return append(lines,
		Paste{Said: words.Say("paste.nginx_policy", "name", name), Text: "add_header Content-Security-Policy \"frame-ancestors 'self' " + ours + "\";"},
		Paste{Said: words.Say("paste.caddy_policy", "name", name), Text: "header Content-Security-Policy \"frame-ancestors 'self' " + ours + "\""})
}
