package bridge

import (
	"net/http"
	"strings"
	"time"
)

// parts are the first segments of our addresses that are counted apart. All others are
// pages: what people and strangers type is no label.
var parts = map[string]string{
	"wopi": "wopi", "wopibootstrapper": "bootstrapper", "dav": "dav", "api": "api", "oauth2": "sign_in", "assets": "assets",
	"healthz": "health", "readyz": "health",
}

// observe tells Observe of every request after its answer.
func (b *Bridge) observe(next http.Handler) http.Handler {
	if b.Observe == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &statusWriter{ResponseWriter: w}
		part := b.part(r.URL.Path)
		defer func() { b.Observe(r, part, seen.sent(), time.Since(began)) }()
		next.ServeHTTP(seen, r)
	})
}

func (b *Bridge) part(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(p, b.Prefix), "/"), "/")
	if part, ok := parts[first]; ok {
		return part
	}
	return "page"
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int // 0: none yet
}

// WriteHeader remembers the first final status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status < http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// sent is the status that the client has seen.
func (w *statusWriter) sent() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
