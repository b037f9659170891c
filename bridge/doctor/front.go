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
	out := []Finding{finding(OK, key, about, "This address leads here.")}
	out = append(out, d.proxy(base, came)...)
	return append(out, d.large(ctx, base)...)
}

// unreachable is about an address of ours that does not answer. This machine may be
// the only one for which that is so, but an editor beside it will fare no better.
func (d *Doctor) unreachable(key string, base *url.URL, err error) Finding {
	about := base.String()
	if reason := isCertificate(err); reason != "" {
		return finding(Warning, key, about, "Asked from this machine, %s. Browsers warn or refuse, and so do editors, unless they have been told of your own authority.", reason)
	}
	var dns *net.DNSError
	if key == "wopi_url" && errors.As(err, &dns) {
		return finding(Warning, key, about, "This machine does not know the name in it, so it could not be tried from here. If the editors do, as in a container network of theirs, all is well.")
	}
	who := "Browsers"
	if key == "wopi_url" {
		who = "Editors"
	}
	f := finding(Error, key, about, "%s cannot get here by this address, asked from this machine: %s.", who, why(err))
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
		f := finding(Error, key, about, "The reverse proxy passes another host name on than the one it was asked for, and such requests are refused.")
		return f.with(proxyLines(base, d.Listen)...)
	case a.location != nil && a.location.Hostname() == base.Hostname() && a.location.Scheme != base.Scheme:
		to := *base
		to.Scheme, to.Host = a.location.Scheme, a.location.Host
		return finding(Error, key, about, "Whoever comes by this address is sent on to %s. Use that one.", to.Scheme).
			with("davwopi.yaml", key+": "+to.String())
	case key == "public_url" && a.location != nil && d.WOPI.Host != base.Host:
		return finding(Hint, key, about, "Something in front of davwopi wants people to sign in first. That is fine, since editors come by wopi_url.")
	case a.location != nil, a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		return finding(Error, key, about, "Something in front of davwopi wants people to sign in first (or refuses). Editors' servers cannot do that: let requests below /wopi/ and /doctor/hello/ pass without.")
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		f := finding(Error, key, about, "The reverse proxy answers, but does not find davwopi behind it (%d).", a.status)
		return f.with(proxyLines(base, d.Listen)...)
	}
	f := finding(Error, key, about, "Another server answers at this address, not this davwopi (%d).", a.status)
	return f.with(proxyLines(base, d.Listen)...)
}

// proxy judges what a reverse proxy made of a request.
func (d *Doctor) proxy(base *url.URL, came arrival) []Finding {
	about := base.String()
	var out []Finding
	if !strings.EqualFold(withPort(base.Scheme, came.host), withPort(base.Scheme, base.Host)) {
		out = append(out, finding(Hint, "proxy", about, "The reverse proxy passes the host name %s on instead of %s. Both are allowed, but the log and other programs are told the wrong one.", clean(came.host), base.Host).
			with(proxyLines(base, d.Listen)...))
	}
	if came.proto == base.Scheme {
		if len(out) == 0 {
			out = append(out, finding(OK, "proxy", about, "Host name and scheme arrive as they were sent."))
		}
		return out
	}
	trusted := slices.ContainsFunc(d.TrustedProxies, func(p netip.Prefix) bool { return came.peer.IsValid() && p.Contains(came.peer) })
	switch {
	case base.Scheme != "https":
		out = append(out, finding(Hint, "proxy", about, "This address says %s, but requests arrive by %s.", base.Scheme, clean(came.proto)))
	case !trusted && came.peer.IsValid() && !came.named:
		out = append(out, finding(Warning, "proxy", about, "The reverse proxy at %s is not trusted: everybody seems to come from its address, so one person's wrong passwords keep all others out.", came.peer).
			with(append([]string{"davwopi.yaml", "trusted_proxies: [" + came.peer.String() + "]"}, proxyLines(base, d.Listen)...)...))
	default:
		out = append(out, finding(Hint, "proxy", about, "The reverse proxy does not say that people come by https.").with(proxyLines(base, d.Listen)...))
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
		return []Finding{finding(OK, "body_size", about, "Large documents can be saved this way (tried with 3 MB).")}
	case err == nil && a.status == http.StatusRequestEntityTooLarge:
		return []Finding{finding(Error, "body_size", about, "The reverse proxy refuses documents of 3 MB: they open, but cannot be saved.").
			with("nginx, in the server block of "+base.Hostname(), "client_max_body_size 0;",
				"Apache, in the virtual host of "+base.Hostname(), "LimitRequestBody 0")}
	case err != nil:
		return []Finding{finding(Warning, "body_size", about, "A document of 3 MB did not get through: %s.", why(err))}
	}
	return []Finding{finding(Warning, "body_size", about, "A document of 3 MB did not get through (%d).", a.status)}
}

// proxyLines are the texts for the reverse proxies that people have.
func proxyLines(base *url.URL, listen string) []string {
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
	return []string{"nginx, in the location block of " + name + prefix, nginx, "Caddyfile", caddy, "Apache, in the virtual host of " + name, apache}
}

// cookie judges how safe a sign-in is on its way.
func (d *Doctor) cookie(context.Context) []Finding {
	about := d.Public.String()
	switch {
	case d.Public.Scheme == "https":
		return []Finding{finding(OK, "cookie", about, "The sign-in cookie travels by https only (__Host-).")}
	case !hasNetwork(d.Public):
		return []Finding{finding(OK, "cookie", about, "People come from this machine only; no encryption is needed.")}
	}
	to := *d.Public
	to.Scheme = "https"
	to.Host = d.Public.Hostname()
	return []Finding{finding(Warning, "cookie", about, "Sign-ins and documents travel unencrypted: anybody on the network can read along and take a sign-in over. Put a reverse proxy with https in front.").
		with(append([]string{"davwopi.yaml", "public_url: " + to.String()}, proxyLines(&to, d.Listen)...)...)}
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
