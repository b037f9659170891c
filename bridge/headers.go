package bridge

import "net/http"

// protect sets what every answer says to browsers, unless a room says it otherwise: nothing
// is guessed, framed, run or told to other sites. Pages and editors have policies of their
// own; this one is for refusals, redirects and what programs get.
func (b *Bridge) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.TLS != nil {
			// A proxy in front decides for itself. Browsers heed this only where they trust the
			// certificate.
			h.Set("Strict-Transport-Security", "max-age=15552000")
		}
		next.ServeHTTP(w, r)
	})
}
