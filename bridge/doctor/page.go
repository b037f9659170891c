package doctor

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
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
		out = append(out, finding(Error, "mixed_content", about, "Our pages come by https, but documents would open at %s. Browsers block that: the frame stays empty.", origin(opens)).
			with(v.httpsLines()...))
	} else {
		out = append(out, finding(OK, "mixed_content", about, "Our pages and the editor's go together (%s and %s).", public.Scheme, opens.Scheme))
	}
	switch {
	case isLoopback(opens.Hostname()) && hasNetwork(public):
		return append(out, finding(Error, "editor_page", about, "Documents would open at %s: that is everybody's own machine, not the editor's.", origin(opens)).with(v.addressLines()...))
	case isLocalName(opens.Hostname()) && strings.Contains(public.Hostname(), "."):
		return append(out, finding(Warning, "editor_page", about, "Documents would open at %s. That looks like a name inside a container network, which browsers do not know.", origin(opens)).with(v.addressLines()...))
	}
	return append(out, finding(OK, "editor_page", about, "Documents open at %s.", origin(opens)))
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
func (v *visit) httpsLines() []string {
	name := v.publicName()
	lines := []string{"davwopi.yaml", "editors:\n  - https://" + name}
	switch v.office {
	case wopi.Collabora:
		lines = append(lines,
			"Collabora's container, behind a reverse proxy with https (add to extra_params if it is set)", "-e server_name="+name+" -e extra_params=\"--o:ssl.enable=false --o:ssl.termination=true\"",
			"Collabora's coolwsd.xml, behind a reverse proxy with https", "<server_name>"+name+"</server_name>\n<ssl><enable>false</enable><termination>true</termination></ssl>")
	case wopi.OnlyOffice:
		lines = append(lines, "nginx in front of ONLYOFFICE", "proxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;")
	}
	return lines
}

// addressLines let an editor say an address that browsers know.
func (v *visit) addressLines() []string {
	name, scheme := v.publicName(), v.d.Public.Scheme
	lines := []string{"davwopi.yaml (the editor's address as browsers know it)", "editors:\n  - " + scheme + "://" + name}
	if v.office == wopi.Collabora {
		lines = append(lines, "Collabora's container", "-e server_name="+name, "Collabora's coolwsd.xml", "<server_name>"+name+"</server_name>")
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
		return []Finding{finding(Hint, "frame", about, "Documents open at %s, which is not the configured address, so it was not asked whether that page may be shown inside ours.", clean(v.action.Origin()))}
	}
	address := v.action.URL(discovery.Params{WOPISrc: v.d.WOPI.JoinPath("wopi", "files", probeFile).String()})
	a, err := v.d.ask(ctx, http.MethodPost, address, "application/x-www-form-urlencoded", []byte("access_token_ttl=0"), 4<<10)
	if err != nil {
		return []Finding{finding(Warning, "frame", about, "The page in which documents open does not answer: %s.", why(err))}
	}
	if a.location != nil {
		return []Finding{finding(Warning, "frame", about, "The page in which documents open sends browsers on to %s.", clean(origin(a.location)))}
	}
	forbids := framePolicy(a.header, base, v.d.Public)
	if forbids == "" {
		return []Finding{finding(OK, "frame", about, "Its page may be shown inside ours.")}
	}
	return []Finding{finding(Error, "frame", about, "Its page forbids (%s) to be shown inside %s: browsers refuse to open documents.", forbids, origin(v.d.Public)).
		with(v.frameLines(forbids)...)}
}

// frameLines allow the frame, on the side that forbids it.
func (v *visit) frameLines(forbids string) []string {
	ours := origin(v.d.Public)
	var lines []string
	if v.office == wopi.Collabora && forbids == byCSP {
		lines = append(lines,
			"Collabora's coolwsd.xml, below net", "<frame_ancestors>"+ours+"</frame_ancestors>",
			"Collabora's container (add to extra_params if it is set)", "-e extra_params=\"--o:net.frame_ancestors="+ours+"\"")
	}
	name := v.publicName()
	if forbids == byXFO {
		return append(lines,
			"nginx in front of the editor, in the location block of "+name+"; remove add_header X-Frame-Options there", "proxy_hide_header X-Frame-Options;",
			"Caddyfile, in the block of "+name, "header -X-Frame-Options",
			"Apache, in the virtual host of "+name, "Header always unset X-Frame-Options")
	}
	return append(lines,
		"nginx in front of the editor, if it adds the header, in the location block of "+name, "add_header Content-Security-Policy \"frame-ancestors 'self' "+ours+"\";",
		"Caddyfile, if it adds the header, in the block of "+name, "header Content-Security-Policy \"frame-ancestors 'self' "+ours+"\"")
}
