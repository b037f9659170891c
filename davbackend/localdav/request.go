package localdav

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"davwopi/davbackend/dav"
)

// A request is what came in, checked as far as that goes without looking at the folder.
type request struct {
	*http.Request
	path  dav.Path
	slash bool // the URL ends with a slash, so it means a collection
	cond  dav.If
}

func (s *Server) read(hr *http.Request) (*request, error) {
	p, slash, err := urlPath(hr.URL)
	if err != nil {
		return nil, err
	}
	r := &request{Request: hr, path: p, slash: slash}
	if hidden(p) {
		if hr.Method == http.MethodGet || hr.Method == http.MethodHead || hr.Method == "PROPFIND" {
			return nil, refusal(http.StatusNotFound, errHidden)
		}
		return nil, refusal(http.StatusForbidden, errHidden)
	}
	if v := hr.Header.Values("If"); len(v) > 0 {
		// Several If fields are one list in pieces (RFC 9110 5.3).
		if r.cond, err = dav.ParseIf(strings.Join(v, " ")); err != nil {
			return nil, refusal(http.StatusBadRequest, err)
		}
	}
	return r, nil
}

var errHidden = errors.New("localdav: name is the server's own")

// urlPath is the path that u means. Encoded slashes are refused: they would be
// separators after decoding.
func urlPath(u *url.URL) (p dav.Path, slash bool, err error) {
	if strings.Contains(strings.ToLower(u.EscapedPath()), "%2f") {
		return "", false, fmt.Errorf("localdav: %w: encoded slash", dav.ErrBadPath)
	}
	decoded := u.Path
	if decoded == "" { // StripPrefix took all of it
		decoded = "/"
	}
	p, err = dav.ParsePath(decoded)
	if err != nil {
		return "", false, fmt.Errorf("localdav: %w", err)
	}
	return p, strings.HasSuffix(u.Path, "/"), nil
}

// href is how p is written in answers.
func (s *Server) href(p dav.Path, collection bool) string {
	h := (&url.URL{Path: s.Prefix}).EscapedPath() + p.Escaped()
	if collection && !p.IsRoot() {
		h += "/"
	}
	return h
}

// ours reads an absolute URL or an absolute path that a header names. ok is false if it
// is not about this server.
func (s *Server) ours(r *request, raw string) (p dav.Path, ok bool, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, refusal(http.StatusBadRequest, errors.New("localdav: header does not hold a URL"))
	}
	if u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, nil
	}
	if u.Host != "" && !strings.EqualFold(u.Host, r.Host) || u.Host == "" && u.Scheme != "" {
		return "", false, nil
	}
	rest, ok := strings.CutPrefix(u.Path, s.Prefix)
	if !ok || s.Prefix != "" && rest != "" && rest[0] != '/' {
		return "", false, nil
	}
	if rest == "" {
		rest = "/"
	}
	if strings.Contains(strings.ToLower(u.EscapedPath()), "%2f") {
		return "", false, fmt.Errorf("localdav: %w: encoded slash", dav.ErrBadPath)
	}
	if p, err = dav.ParsePath(rest); err != nil {
		return "", false, fmt.Errorf("localdav: %w", err)
	}
	return p, true, nil
}

// destination reads Destination (RFC 4918 10.3): 400 where there is none, 502 where it
// is another server, 403 where it is the source.
func (s *Server) destination(r *request) (dav.Path, error) {
	raw := r.Header.Get("Destination")
	if raw == "" {
		return "", refusal(http.StatusBadRequest, errors.New("localdav: no Destination"))
	}
	p, ok, err := s.ours(r, raw)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", refusal(http.StatusBadGateway, errors.New("localdav: Destination is another server"))
	case hidden(p):
		return "", refusal(http.StatusForbidden, errHidden)
	case p.IsRoot(), r.path.IsRoot():
		return "", refusal(http.StatusForbidden, errors.New("localdav: the root stays where it is"))
	case p == r.path:
		return "", refusal(http.StatusForbidden, errors.New("localdav: Destination is the source"))
	}
	return p, nil
}

// overwrite reads Overwrite (RFC 4918 10.6), T if absent.
func (r *request) overwrite() (bool, error) {
	switch v := strings.TrimSpace(r.Header.Get("Overwrite")); v {
	case "", "T", "t":
		return true, nil
	case "F", "f":
		return false, nil
	default:
		return false, refusal(http.StatusBadRequest, errors.New("localdav: Overwrite is neither T nor F"))
	}
}

// depth reads Depth (RFC 4918 10.2), infinity if absent.
func (r *request) depth() (dav.Depth, error) {
	v := r.Header.Get("Depth")
	if v == "" {
		return dav.DepthInfinity, nil
	}
	d, err := dav.ParseDepth(v)
	if err != nil {
		return 0, refusal(http.StatusBadRequest, err)
	}
	return d, nil
}

// noBody refuses requests that bring a body where none is defined (RFC 4918 8.4).
func (r *request) noBody() error {
	if r.ContentLength > 0 {
		return refusal(http.StatusUnsupportedMediaType, errors.New("localdav: body where none is understood"))
	}
	if r.ContentLength < 0 && r.Body != nil {
		var one [1]byte
		if n, _ := r.Body.Read(one[:]); n > 0 {
			return refusal(http.StatusUnsupportedMediaType, errors.New("localdav: body where none is understood"))
		}
	}
	return nil
}

// namesETag reports whether r is only meant for certain bytes.
func (r *request) namesETag() bool {
	if r.Header.Get("If-Match") != "" {
		return true
	}
	for _, l := range r.cond {
		for _, c := range l.Conditions {
			if c.ETag != "" {
				return true
			}
		}
	}
	return false
}
