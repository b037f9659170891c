package localdav

import (
	"context"
	"encoding/xml"
	"net/http"

	"davwopi/davbackend/dav"
)

// An Extra serves live properties of whoever mounts the server: it returns those of asked
// that the resource at p has. It is told of the names that a PROPFIND asked for, and
// never of DAV: ones; allprop and propname do not show what it has. It may be called
// for each member of a folder, and concurrently.
type Extra func(ctx context.Context, p dav.Path, folder bool, asked []dav.PropName) map[dav.PropName]string

// With is the server, with properties of extra. A request that asks for none of its
// names costs nothing more.
func (s *Server) With(extra Extra) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.serve(w, r, extra); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// extras are the values that Extra has of o, as the answer shows them.
func (a *answering) extras(o described) []value {
	if a.extra == nil {
		return nil
	}
	var asked []dav.PropName
	for _, name := range a.want.props {
		if name.Space != "DAV:" {
			asked = append(asked, dav.PropName{Space: name.Space, Local: name.Local})
		}
	}
	if len(asked) == 0 {
		return nil
	}
	var out []value
	for name, text := range a.extra(a.ctx, o.path, o.dir(), asked) {
		out = append(out, value{name: xml.Name{Space: name.Space, Local: name.Local}, inner: escape(text)})
	}
	return out
}
