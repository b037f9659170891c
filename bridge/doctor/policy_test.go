package doctor

import (
	"net/http"
	"net/url"
	"testing"
)

func TestFramePolicy(t *testing.T) {
	const page, ours = "https://office.example", "https://docs.example"
	csp := func(values ...string) http.Header { return http.Header{"Content-Security-Policy": values} }
	xfo := func(values ...string) http.Header { return http.Header{"X-Frame-Options": values} }
	for _, tt := range []struct {
		name       string
		header     http.Header
		page, ours string
		want       string
	}{
		{"nothing is said", http.Header{}, page, ours, ""},
		{"DENY", xfo("DENY"), page, ours, byXFO},
		{"SAMEORIGIN of another origin", xfo("sameorigin"), page, ours, byXFO},
		{"SAMEORIGIN of one origin", xfo("SAMEORIGIN"), "https://docs.example/office", ours, ""},
		{"SAMEORIGIN with the port spelled out", xfo("SAMEORIGIN"), "https://docs.example:443", ours, ""},
		{"ALLOW-FROM, which no browser knows any more", xfo("ALLOW-FROM https://other.example"), page, ours, ""},
		{"said twice, in one line", xfo("SAMEORIGIN, DENY"), "https://docs.example/office", ours, byXFO},
		{"frame-ancestors goes before X-Frame-Options", http.Header{"Content-Security-Policy": {"frame-ancestors https://docs.example"}, "X-Frame-Options": {"DENY"}}, page, ours, ""},
		{"a policy about other things does not", http.Header{"Content-Security-Policy": {"default-src 'none'"}, "X-Frame-Options": {"DENY"}}, page, ours, byXFO},
		{"a policy that only reports", http.Header{"Content-Security-Policy-Report-Only": {"frame-ancestors 'none'"}}, page, ours, ""},
		{"'none'", csp("frame-ancestors 'none'"), page, ours, byCSP},
		{"an empty list", csp("default-src *; frame-ancestors"), page, ours, byCSP},
		{"'self'", csp("frame-ancestors 'self'"), page, ours, byCSP},
		{"*", csp("frame-ancestors *"), page, ours, ""},
		{"a scheme", csp("frame-ancestors https:"), page, ours, ""},
		{"Collabora's, of the WOPI host", csp("frame-ancestors docs.example:* office.example:*"), page, ours, ""},
		{"Collabora's, of a WOPI host inside a container network", csp("frame-ancestors davwopi:* office.example:*"), page, ours, byCSP},
		{"a host without scheme is that of the page", csp("frame-ancestors docs.example"), page, "http://docs.example", byCSP},
		{"a page on http takes https too", csp("frame-ancestors docs.example"), "http://office.example", ours, ""},
		{"http: means https too", csp("frame-ancestors http://docs.example"), page, ours, ""},
		{"https: does not mean http", csp("frame-ancestors https://docs.example"), page, "http://docs.example", byCSP},
		{"a port that is not there", csp("frame-ancestors https://docs.example"), page, "https://docs.example:8443", byCSP},
		{"any port", csp("frame-ancestors https://docs.example:*"), page, "https://docs.example:8443", ""},
		{"a path does not count", csp("frame-ancestors https://docs.example/x/"), page, ours, ""},
		{"subdomains", csp("frame-ancestors *.example"), page, ours, ""},
		{"subdomains are not the domain", csp("frame-ancestors *.docs.example"), page, ours, byCSP},
		{"names have no case", csp("Frame-Ancestors HTTPS://Docs.Example"), page, ours, ""},
		{"two policies, one forbids", csp("frame-ancestors *", "frame-ancestors 'none'"), page, ours, byCSP},
		{"two policies in one line", csp("frame-ancestors *, frame-ancestors 'none'"), page, ours, byCSP},
		{"the first of two directives counts", csp("frame-ancestors *; frame-ancestors 'none'"), page, ours, ""},
		{"an IPv6 address", csp("frame-ancestors https://[fd00::1]:8443"), page, "https://[fd00::1]:8443", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := url.Parse(tt.page)
			if err != nil {
				t.Fatal(err)
			}
			o, err := url.Parse(tt.ours)
			if err != nil {
				t.Fatal(err)
			}
			if got := framePolicy(tt.header, p, o); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzFramePolicy(f *testing.F) {
	f.Add("frame-ancestors 'self' https://docs.example:*", "SAMEORIGIN")
	f.Add("frame-ancestors [::1]:80 :: *.", "deny,,")
	page, ours := &url.URL{Scheme: "https", Host: "office.example"}, &url.URL{Scheme: "https", Host: "docs.example"}
	f.Fuzz(func(t *testing.T, csp, xfo string) {
		h := http.Header{"Content-Security-Policy": {csp}, "X-Frame-Options": {xfo}}
		first := framePolicy(h, page, ours)
		// Another policy can only forbid more.
		h.Add("Content-Security-Policy", "frame-ancestors *")
		if again := framePolicy(h, page, ours); first == byCSP && again != byCSP {
			t.Errorf("%q %q: %q became %q", csp, xfo, first, again)
		}
	})
}
