package localdav

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"

	"golang.org/x/net/webdav"

	"davwopi/idmap/sqldb"
)

// proppatch answers PROPPATCH (RFC 4918 9.2) through x/net, which reads the XML so that
// values stay whole wherever they are sent again.
func (s *Server) proppatch(w http.ResponseWriter, r *request) error {
	body, err := readXML(r.Request)
	if err != nil {
		return err
	}
	answer := &heldAnswer{header: http.Header{}}
	err = s.change(r.Context(), func() error {
		o, err := s.sight(r.Context(), r.path)
		if err != nil {
			return err
		}
		if err := s.check(r.Context(), r, o, true, claimsOf(o.place, false, false)...); err != nil {
			return err
		}
		hr := s.plain(r)
		hr.Body, hr.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		// Conditions have been evaluated, in full; what x/net still wants to know is
		// which locks are held.
		hr.Header.Del("If")
		if v := s.heldTokens(r, o.keys()); v != "" {
			hr.Header.Set("If", v)
		}
		s.handler(r).ServeHTTP(answer, hr)
		return nil
	})
	if err != nil {
		return err
	}
	return answer.send(w)
}

// heldTokens is an If header with those of r's tokens that cover keys, "" if none does.
func (s *Server) heldTokens(r *request, keys []string) string {
	locks, err := s.state.locksAbout(r.Context(), keys, false)
	if err != nil {
		return ""
	}
	tokens, list := r.submitted(), ""
	for _, l := range locks {
		if tokens[l.token] && covered([]lock{l}, l.token, keys) {
			list += " <" + string(l.token) + ">"
		}
	}
	if list == "" {
		return ""
	}
	return "(" + list[1:] + ")"
}

// A heldAnswer keeps x/net's answer until the gate is open again.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header { return a.header }

func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *heldAnswer) send(w http.ResponseWriter) error {
	if a.status >= 400 {
		return refusal(a.status, errHandler)
	}
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", xmlType)
	w.WriteHeader(a.status)
	// Whether the client is still there to read it changes nothing any more.
	_, _ = w.Write(a.body.Bytes())
	return nil
}

// protected returns the names that only the server sets, beyond those that x/net knows.
func protected(patches []webdav.Proppatch) map[xml.Name]bool {
	out := map[xml.Name]bool{}
	for name := range allNames(patches) {
		if _, ok := liveProperties[name]; ok {
			out[name] = true
		}
	}
	return out
}

func allNames(patches []webdav.Proppatch) map[xml.Name]bool {
	out := map[xml.Name]bool{}
	for _, p := range patches {
		for _, one := range p.Props {
			out[one.XMLName] = true
		}
	}
	return out
}

// propstats says status for names, and 424 for the rest (RFC 4918 9.2.1).
func propstats(patches []webdav.Proppatch, names map[xml.Name]bool, status int, reason string) []webdav.Propstat {
	these, rest := webdav.Propstat{Status: status, XMLError: reason}, webdav.Propstat{Status: http.StatusFailedDependency}
	for name := range allNames(patches) {
		if names[name] {
			these.Props = append(these.Props, webdav.Property{XMLName: name})
		} else {
			rest.Props = append(rest.Props, webdav.Property{XMLName: name})
		}
	}
	if len(rest.Props) == 0 {
		return []webdav.Propstat{these}
	}
	return []webdav.Propstat{these, rest}
}

// overflow returns the names whose values would pass a bound.
func (s *Server) overflow(ctx context.Context, tx sqldb.Queryer, id string, patches []webdav.Proppatch) (map[xml.Name]bool, error) {
	all, err := s.state.properties(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	sizes, total := map[xml.Name]int{}, 0
	for _, p := range all[id] {
		sizes[p.name] = len(p.value)
		total += len(p.value)
	}
	out := map[xml.Name]bool{}
	for _, p := range patches {
		for _, one := range p.Props {
			total -= sizes[one.XMLName]
			delete(sizes, one.XMLName)
			if p.Remove {
				continue
			}
			sizes[one.XMLName] = len(one.InnerXML)
			total += len(one.InnerXML)
			if len(one.InnerXML) > maxPropertyValue || len(one.XMLName.Space) > maxPropertyName ||
				len(one.XMLName.Local) > maxPropertyName || len(one.Lang) > maxPropertyName ||
				total > maxPropertyTotal || len(sizes) > maxProperties {
				out[one.XMLName] = true
			}
		}
	}
	return out, nil
}

// patch changes o's properties. From now on o has a row: properties belong to an id that is bound.
func (s *Server) patch(ctx context.Context, tx sqldb.Queryer, o seen, patches []webdav.Proppatch) error {
	b := o.row
	if b.etag == "" && o.regular() {
		b.etag, b.mtime, b.ctime, b.size = o.etag, o.mtime, o.ctime, o.size
	}
	if err := s.state.bind(ctx, tx, b); err != nil {
		return err
	}
	for _, p := range patches {
		for _, one := range p.Props {
			var err error
			if p.Remove {
				err = s.state.removeProperty(ctx, tx, o.id(), one.XMLName)
			} else {
				err = s.state.setProperty(ctx, tx, o.id(), property{one.XMLName, one.Lang, string(one.InnerXML)})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
