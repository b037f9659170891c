package upstream

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"davwopi/davbackend/dav"
)

// An exchange is one request on its way through the quirks.
type exchange struct {
	s    *Server
	q    Quirks
	r    *http.Request
	path dav.Path
	to   dav.Path // of Destination, "" none
	cond dav.If

	old    *seen // what was at path, once somebody has asked
	target *seen // and at to

	kept    *keptBody      // of a PUT whose bytes are looked at
	deep    bool           // Depth: infinity is answered
	body    []byte         // of PROPFIND and LOCK, where it is needed again
	says    string         // the timeout that LOCK reports
	loose   []heldLock     // below path, taken off so that MOVE goes through
	carried []heldLock     // that go with the MOVE
	stays   []dav.PropName // dead properties of the source of a MOVE onto a file
}

// A heldLock is a lock as the server behind the quirks has it.
type heldLock struct {
	at   dav.Path
	lock dav.ActiveLock
}

// before returns what was at the path of the request.
func (x *exchange) before() seen {
	if x.old == nil {
		o := x.s.look(x.path)
		x.old = &o
	}
	return *x.old
}

// there returns what was at its destination.
func (x *exchange) there() seen {
	if x.target == nil {
		o := seen{}
		if x.to != "" {
			o = x.s.look(x.to)
		}
		x.target = &o
	}
	return *x.target
}

// serve answers one request with its quirks: the request is changed first, the answer
// after; some are answered in between.
func (s *Server) serve(q Quirks, w http.ResponseWriter, r *http.Request) {
	if !under(r.URL.Path, s.prefix) {
		s.inner.ServeHTTP(w, r) // a cloud's uploads and searches: no file of the person's
		return
	}
	x := &exchange{s: s, q: q, r: r}
	for name, value := range q.Headers {
		if name != "DAV" || r.Method == http.MethodOptions {
			w.Header().Set(name, value)
		}
	}
	if status := x.change(w); status != 0 {
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "http://"+r.Host+r.URL.EscapedPath()+"/")
		}
		if status > 0 {
			refuse(q, w, status)
		}
		return
	}
	if !x.recorded() {
		s.inner.ServeHTTP(w, x.r)
		return
	}
	stop := x.keepBody()
	rec := httptest.NewRecorder()
	s.inner.ServeHTTP(rec, x.r)
	stop()
	if x.kept != nil {
		if data, broken := x.kept.state(); broken {
			x.brokeOff(data) // the client left in the middle
			return
		}
	}
	x.after(rec)
	for name := range q.Headers {
		rec.Header().Del(name)
	}
	replay(w, rec)
}

// answered is the status of a step that has written the answer itself.
const answered = -1

// change lets the quirks have the request. It returns the status with which it is
// refused at once, answered, or 0 if the server goes on.
func (x *exchange) change(w http.ResponseWriter) int {
	if status := x.q.Refuse[x.r.Method]; status != 0 {
		return status
	}
	x.spell()
	for _, step := range []func() int{
		x.longName, x.collection, x.destination, x.depth, x.xmlType, x.tokens, x.conditions, x.unlock, x.moving, x.put, x.get,
	} {
		if status := step(); status != 0 {
			return status
		}
	}
	if x.r.Method == "LOCK" {
		return x.lock(w)
	}
	if x.r.Method == "PROPPATCH" && x.q.NoDeadProps != 0 {
		return x.q.NoDeadProps
	}
	return 0
}

// recorded reports whether the answer is changed afterwards; others stream.
func (x *exchange) recorded() bool {
	q := x.q
	switch x.r.Method {
	case "PROPFIND":
		return x.deep || q.HTMLErrors || q.changesProps() || q.changesETags() || x.s.isNull(x.path)
	case http.MethodGet, http.MethodHead:
		return q.HTMLErrors || q.changesETags() || q.OtherGetETag || q.GzipGet || q.GzipAsked || q.HalfWritten != ""
	}
	return true
}

// disk is where the resource at p lies.
func (s *Server) disk(p dav.Path) string { return filepath.Join(s.Dir, filepath.FromSlash(string(p))) }

// below calls each for p and everything in it.
func (s *Server) below(p dav.Path, each func(dav.Path)) {
	each(p)
	entries, err := os.ReadDir(s.disk(p))
	if err != nil {
		return // a file
	}
	for _, e := range entries {
		if q, err := p.Join(e.Name()); err == nil && !strings.HasPrefix(e.Name(), ".localdav-") {
			s.below(q, each)
		}
	}
}
