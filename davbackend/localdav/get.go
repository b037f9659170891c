package localdav

import (
	"net/http"

	"golang.org/x/net/webdav"
)

const (
	allowNone   = "OPTIONS, PUT, MKCOL, LOCK, UNLOCK"
	allowFile   = "OPTIONS, GET, HEAD, PUT, DELETE, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK"
	allowFolder = "OPTIONS, DELETE, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK"
)

// allow is the Allow header for what r names.
func (s *Server) allow(hr *http.Request) string {
	p, _, err := urlPath(hr.URL)
	if err != nil || hidden(p) {
		return allowNone
	}
	_, i, err := s.tree.find(p)
	switch {
	case err != nil:
		return allowNone
	case i.dir():
		return allowFolder
	}
	return allowFile
}

// options answers OPTIONS (RFC 4918 10.1); r is nil for "OPTIONS *".
func (s *Server) options(w http.ResponseWriter, r *request) error {
	allow := allowFile + ", MKCOL"
	if r != nil {
		allow = s.allow(r.Request)
	}
	h := w.Header()
	h.Set("Allow", allow)
	h.Set("DAV", "1, 2, 3")
	h.Set("MS-Author-Via", "DAV")
	return finish(w, http.StatusOK)
}

// get answers GET and HEAD through x/net, whose ServeContent knows ranges and
// conditions. x/net says 404 for everything that goes wrong, so what can is found out first.
func (s *Server) get(w http.ResponseWriter, r *request) error {
	o, err := s.sight(r.Context(), r.path)
	if err != nil {
		return err
	}
	if o.dir() {
		return refusal(http.StatusMethodNotAllowed, errIsFolder)
	}
	f, _, err := s.tree.open(o.real)
	if err != nil {
		return err
	}
	f.Close()
	h := w.Header()
	h.Set("Content-Type", contentType(r.path.Base()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Disposition", "attachment")
	h.Set("Accept-Ranges", "bytes")
	s.handler(r).ServeHTTP(w, s.plain(r))
	return nil
}

// handler is x/net's Handler as r needs it.
func (s *Server) handler(r *request) *webdav.Handler {
	return &webdav.Handler{
		Prefix:     s.Prefix,
		FileSystem: fileSystem{s},
		LockSystem: lockSystem{r.Context(), s},
	}
}

// plain is r as x/net's Handler expects it: the whole path, already checked and clean.
func (s *Server) plain(r *request) *http.Request {
	hr := r.Request.Clone(r.Context())
	hr.URL.Path, hr.URL.RawPath = s.Prefix+string(r.path), ""
	return hr
}
