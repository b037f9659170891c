package doctor

import (
	"net/http"
	"net/url"
	"strings"
)

// What forbids a frame.
const (
	byCSP = "Content-Security-Policy: frame-ancestors"
	byXFO = "X-Frame-Options"
)

// framePolicy tells which header of page's answer forbids that ancestor shows it in a
// frame; "" none does. As browsers do it: every policy must allow it (CSP Level 3,
// 6.4.2), and X-Frame-Options counts only where none speaks of ancestors (HTML, "check
// a navigation response's adherence to X-Frame-Options").
func framePolicy(h http.Header, page, ancestor *url.URL) string {
	speaks := false
	for _, policy := range strings.Split(strings.Join(h.Values("Content-Security-Policy"), ","), ",") {
		sources, ok := directive(policy, "frame-ancestors")
		if !ok {
			continue
		}
		speaks = true
		if !allows(sources, page, ancestor) {
			return byCSP
		}
	}
	if speaks {
		return ""
	}
	for _, value := range strings.Split(strings.Join(h.Values("X-Frame-Options"), ","), ",") {
		switch strings.ToLower(strings.TrimSpace(value)) {
		case "deny":
			return byXFO
		case "sameorigin":
			if !sameOrigin(page, ancestor) {
				return byXFO
			}
		}
	}
	return ""
}

// directive finds the first directive of that name in a policy.
func directive(policy, name string) (sources []string, ok bool) {
	for _, d := range strings.Split(policy, ";") {
		if words := strings.Fields(d); len(words) > 0 && strings.EqualFold(words[0], name) {
			return words[1:], true
		}
	}
	return nil, false
}

// allows tells whether a list of sources matches an ancestor.
func allows(sources []string, page, ancestor *url.URL) bool {
	for _, s := range sources {
		if matches(strings.ToLower(s), page, ancestor) {
			return true
		}
	}
	return false
}

// matches is one source expression: *, 'self', scheme:, or [scheme://]host[:port][/path].
func matches(source string, page, ancestor *url.URL) bool {
	switch {
	case source == "*":
		return ancestor.Scheme == "http" || ancestor.Scheme == "https"
	case source == "'self'":
		return sameOrigin(page, ancestor)
	case strings.HasPrefix(source, "'"):
		return false
	case strings.HasSuffix(source, ":"):
		return schemeFits(strings.TrimSuffix(source, ":"), ancestor.Scheme)
	}
	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		scheme, rest = page.Scheme, source
	}
	if !schemeFits(scheme, ancestor.Scheme) {
		return false
	}
	host, _, _ := strings.Cut(rest, "/")
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	return hostFits(host, strings.ToLower(ancestor.Hostname())) && portFits(port, ancestor)
}

// schemeFits: http also means its secure kind.
func schemeFits(source, scheme string) bool {
	return source == scheme || source == "http" && scheme == "https"
}

func hostFits(source, host string) bool {
	if suffix, ok := strings.CutPrefix(source, "*."); ok {
		return strings.HasSuffix(host, "."+suffix)
	}
	return strings.Trim(source, "[]") == host
}

func portFits(source string, ancestor *url.URL) bool {
	port := portOf(ancestor)
	switch source {
	case "*", port:
		return true
	case "": // the scheme's own
		return port == defaultPorts[ancestor.Scheme]
	case "80":
		return port == "443"
	}
	return false
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPorts[u.Scheme]
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}
