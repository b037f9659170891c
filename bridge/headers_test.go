package bridge

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

// TestEveryAnswerProtects looks at answers of rooms, of none, and at refusals.
func TestEveryAnswerProtects(t *testing.T) {
	b := testBridge(io.Discard)
	b.Ready = nil
	for _, c := range []struct {
		path string
		want int
		how  func(*http.Request)
	}{
		{"/see", 200, nil},
		{"/healthz", 200, nil},
		{"/nothing", 404, nil},
		{"/a/../b", 400, nil},
		{"/see", 421, func(r *http.Request) { r.Host = "evil.example" }},
		{"/panic", 500, nil},
		{"/see", 403, func(r *http.Request) { r.Method = "POST"; r.Header.Set("Sec-Fetch-Site", "cross-site") }},
	} {
		w := do(b, "GET", c.path, c.how)
		h := w.Header()
		if w.Code != c.want || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", c.path, w.Code, h)
		}
		if h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: plain http speaks of https", c.path)
		}
	}
	w := do(b, "GET", "/see", func(r *http.Request) { r.TLS = new(tls.ConnectionState) })
	if w.Header().Get("Strict-Transport-Security") == "" {
		t.Error("https without HSTS")
	}
}
