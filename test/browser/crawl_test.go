package browser

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/words"
	"davwopi/test/daemon"
)

// TestWhoeverReachesNoPageIsTold: what the house refuses before any page is asked, by the
// built daemon, in both languages; programs get a line of text. (The pages' own refusals are
// crawled in bridge/web.)
func TestWhoeverReachesNoPageIsTold(t *testing.T) {
	d := daemon.StartEmpty(t, "")
	ask := func(method, path, lang, accept string, change func(*http.Request)) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, d.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = path // as it is: a client would clean it
		req.Header.Set("Accept-Language", lang)
		req.Header.Set("Accept", accept)
		if change != nil {
			change(req)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	for _, c := range []struct {
		name, method, path, key string
		status                  int
		change                  func(*http.Request)
	}{
		{"a name that is not ours", http.MethodGet, "/", "host_refused.title", http.StatusMisdirectedRequest, func(r *http.Request) { r.Host = "evil.example" }},
		{"a path that goes up", http.MethodGet, "/folder/../../etc", "unknown.title", http.StatusBadRequest, nil},
		{"another site's form", http.MethodPost, "/signout", "foreign.words", http.StatusForbidden, foreign},
		{"no such page", http.MethodGet, "/x", "unknown.words", http.StatusNotFound, nil},
		{"a method that is none", http.MethodPut, "/signin", "method.title", http.StatusMethodNotAllowed, nil},
	} {
		for _, l := range words.All() {
			res, body := ask(c.method, c.path, l.Tag(), "text/html", c.change)
			if res.StatusCode != c.status || !strings.Contains(body, string(l.HTML(words.Say(c.key)))) || !strings.Contains(body, `<html lang="`+l.Tag()+`">`) {
				t.Errorf("%s, %s: %d\n%.2000s", c.name, l.Tag(), res.StatusCode, body)
			}
			if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s: policy %q", c.name, policy)
			}
			if strings.Contains(body, http.StatusText(c.status)) {
				t.Errorf("%s: the bare status", c.name)
			}
		}
	}
	for path, change := range map[string]func(*http.Request){"/": func(r *http.Request) { r.Host = "evil.example" }, "/a//b": nil} {
		res, body := ask(http.MethodGet, path, "de", "*/*", change)
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || len(body) > 100 {
			t.Errorf("a program gets %s: %.200s", res.Header.Get("Content-Type"), body)
		}
	}
}
