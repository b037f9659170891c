package doctor

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"davwopi/bridge/words"
)

// notOurs is how the front of the house refuses a Host (bridge.checkHost).
const notOurs = "this host name is not served here"

// largeSave is a body above the limits that reverse proxies have by themselves (nginx:
// 1 MB), in bytes.
const largeSave = 3 << 20

// front looks whether the addresses of ours lead here, and what arrives.
func (d *Doctor) front(ctx context.Context) []Finding {
	checks := []check{{"public_url", d.Public.String(), func(ctx context.Context) []Finding { return d.door(ctx, "public_url", d.Public) }}}
	if d.WOPI.String() != d.Public.String() {
		checks = append(checks, check{"wopi_url", d.WOPI.String(), func(ctx context.Context) []Finding { return d.door(ctx, "wopi_url", d.WOPI) }})
	}
	return all(ctx, checks)
}

// door goes out and comes in by one address of ours, key being its name in the
// configuration.
func (d *Doctor) door(ctx context.Context, key string, base *url.URL) []Finding {
	number, forget := d.hello.expect()
	defer forget()
	about := base.String()
	a, err := d.ask(ctx, http.MethodGet, helloURL(base, number), "", nil, 4<<10)
	if err != nil {
		return []Finding{d.unreachable(key, base, err)}
	}
	came, ok := d.hello.arrived(number)
	if !ok {
		return []Finding{d.wrongDoor(key, base, a)}
	}
	out := []Finding{finding(OK, key, about, words.Say("found.address.here"))}
	out = append(out, d.proxy(base, came)...)
	return append(out, d.large(ctx, base)...)
}

// unreachable is about an address of ours that does not answer. This machine may be
// the only one for which that is so, but an editor beside it will fare no better.
func (d *Doctor) unreachable(key string, base *url.URL, err error) Finding {
	about := base.String()
	if reason := words.Certificate(err); reason != nil {
		return finding(Warning, key, about, words.Say("found.address.certificate", "why", reason))
	}
	var dns *net.DNSError
	if key == "wopi_url" && errors.As(err, &dns) {
		return finding(Warning, key, about, words.Say("found.address.unknown_name"))
	}
	who := words.Say("found.address.browsers", "why", why(err))
	if key == "wopi_url" {
		who = words.Say("found.address.editors", "why", why(err))
	}
	f := finding(Error, key, about, who)
	if errors.Is(err, syscall.ECONNREFUSED) {
		f = f.with(proxyLines(base, d.Listen)...)
	}
	return f
}

// wrongDoor is about an address that is answered, but not by us.
func (d *Doctor) wrongDoor(key string, base *url.URL, a answer) Finding {
	about := base.String()
	switch {
	case a.status == http.StatusMisdirectedRequest && bytes.Contains(a.body, []byte(notOurs)):
		f := finding(Error, key, about, words.Say("found.address.host"))
		return f.with(proxyLines(base, d.Listen)...)
	case a.location != nil && a.location.Hostname() == base.Hostname() && a.location.Scheme != base.Scheme:
		to := *base
		to.Scheme, to.Host = a.location.Scheme, a.location.Host
		return finding(Error, key, about, words.Say("found.address.scheme", "scheme", to.Scheme)).
			with(yaml(key + ": " + to.String()))
	case key == "public_url" && a.location != nil && d.WOPI.Host != base.Host:
		return finding(Hint, key, about, words.Say("found.address.sign_in_fine"))
	case a.location != nil, a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		return finding(Error, key, about, words.Say("found.address.sign_in"))
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		f := finding(Error, key, about, words.Say("found.address.proxy_lost", "status", a.status))
		return f.with(proxyLines(base, d.Listen)...)
	}
	f := finding(Error, key, about, words.Say("found.address.other", "status", a.status))
	return f.with(proxyLines(base, d.Listen)...)
}

// proxy judges what a reverse proxy made of a request.
func (d *Doctor) proxy(base *url.URL, came arrival) []Finding {
	about := base.String()
	var out []Finding
	if !strings.EqualFold(withPort(base.Scheme, came.host), withPort(base.Scheme, base.Host)) {
		out = append(out, finding(Hint, "proxy", about, words.Say("found.proxy.host", "name", clean(came.host), "want", base.Host)).
			with(proxyLines(base, d.Listen)...))
	}
	if came.proto == base.Scheme {
		if len(out) == 0 {
			out = append(out, finding(OK, "proxy", about, words.Say("found.proxy.fine")))
		}
		return out
	}
	trusted := slices.ContainsFunc(d.TrustedProxies, func(p netip.Prefix) bool { return came.peer.IsValid() && p.Contains(came.peer) })
	switch {
	case base.Scheme != "https":
		out = append(out, finding(Hint, "proxy", about, words.Say("found.proxy.scheme", "says", base.Scheme, "comes", clean(came.proto))))
	case !trusted && came.peer.IsValid() && !came.named:
		out = append(out, finding(Warning, "proxy", about, words.Say("found.proxy.untrusted", "proxy", came.peer.String())).
			with(yaml("trusted_proxies: ["+came.peer.String()+"]")).with(proxyLines(base, d.Listen)...))
	default:
		out = append(out, finding(Hint, "proxy", about, words.Say("found.proxy.no_https")).with(proxyLines(base, d.Listen)...))
	}
	return out
}

// large sends what a larger document would, as an editor does.
func (d *Doctor) large(ctx context.Context, base *url.URL) []Finding {
	number, forget := d.hello.expect()
	defer forget()
	about := base.String()
	a, err := d.ask(ctx, http.MethodPost, helloURL(base, number), "application/octet-stream", make([]byte, largeSave), 4<<10)
	came, ok := d.hello.arrived(number)
	switch {
	case ok && came.size == largeSave:
		return []Finding{finding(OK, "body_size", about, words.Say("found.body.fine"))}
	case err == nil && a.status == http.StatusRequestEntityTooLarge:
		return []Finding{finding(Error, "body_size", about, words.Say("found.body.refused")).
			with(Paste{Said: words.Say("paste.nginx_server", "name", base.Hostname()), Text: "client_max_body_size 0;"},
				Paste{Said: words.Say("paste.apache", "name", base.Hostname()), Text: "LimitRequestBody 0"})}
	case err != nil:
		return []Finding{finding(Warning, "body_size", about, words.Say("found.body.failed", "why", why(err)))}
	}
	return []Finding{finding(Warning, "body_size", about, words.Say("found.body.status", "status", a.status))}
}

// proxyLines are the texts for the reverse proxies that people have.
func proxyLines(base *url.URL, listen string) []Paste {
	name, prefix := base.Hostname(), strings.TrimSuffix(base.EscapedPath(), "/")
	nginx := "proxy_pass http://" + listen + ";\n" +
		"proxy_set_header Host $http_host;\n" +
		"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n" +
		"proxy_set_header X-Forwarded-Proto $scheme;\n" +
		"client_max_body_size 0;\n" +
		"proxy_request_buffering off;"
	caddy := name + " {\n\treverse_proxy " + strings.TrimPrefix(prefix+"/* ", "/* ") + listen + "\n}"
	apache := "ProxyPreserveHost On\n" +
		"ProxyPass " + prefix + "/ http://" + listen + prefix + "/ nocanon\n" +
		"RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}\n" +
		"AllowEncodedSlashes NoDecode"
	return []Paste{{Said: words.Say("paste.nginx_location", "name", name+prefix), Text: nginx}, {Said: words.Plain("Caddyfile"), Text: caddy}, {Said: words.Say("paste.apache", "name", name), Text: apache}}
}

// cookie judges how safe a sign-in is on its way.
func (d *Doctor) cookie(context.Context) []Finding {
	about := d.Public.String()
	switch {
	case d.Public.Scheme == "https":
		return []Finding{finding(OK, "cookie", about, words.Say("found.cookie.secure"))}
	case !hasNetwork(d.Public):
		return []Finding{finding(OK, "cookie", about, words.Say("found.cookie.local"))}
	}
	to := *d.Public
	to.Scheme = "https"
	to.Host = d.Public.Hostname()
	return []Finding{finding(Warning, "cookie", about, words.Say("found.cookie.open")).
		with(yaml("public_url: " + to.String())).with(proxyLines(&to, d.Listen)...)}
}

// withPort is host:port, with the scheme's own port where none is given.
func withPort(scheme, host string) string {
	u := url.URL{Scheme: scheme, Host: host}
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + map[string]string{"https": ":443", "http": ":80"}[scheme]
}

// clean is a word of somebody else's, short and printable.
func clean(s string) string {
	s = oneLine(s)
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.ToValidUTF8(s, "")
}
