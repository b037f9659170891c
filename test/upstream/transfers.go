package upstream

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
)

// The quirks of MOVE and COPY: what becomes of locks, dead properties, ETags and IDs.

// moving judges a MOVE by the locks on either end.
func (x *exchange) moving() int {
	q := x.q
	if x.r.Method != "MOVE" || x.to == "" {
		return 0
	}
	switch locked := len(x.there().Locks) > 0; {
	case locked && q.MoveLocked412:
		return http.StatusPreconditionFailed
	case locked && q.MoveLocked423:
		return http.StatusLocked
	}
	if !x.before().Collection && len(x.before().Locks) > 0 {
		switch {
		case q.MoveOfLocked != 0:
			return q.MoveOfLocked
		case q.MoveUntagged != 0 && len(x.cond) > 0 && x.cond[0].Tag == "":
			return q.MoveUntagged
		}
	}
	if q.MoveLosesProps && x.there().found {
		x.stays = x.s.deadProps(x.path)
	}
	if q.MoveCarriesLock {
		x.carried = x.s.locksBelow(x.path)
	}
	if q.ParentMoves && x.before().Collection {
		x.loose = x.s.locksBelow(x.path)
		for _, l := range x.loose {
			x.s.release(l.at, l.lock.Token)
		}
	}
	return 0
}

// afterTransfer makes of a MOVE or COPY that was answered with status what the quirks
// say.
func (x *exchange) afterTransfer(rec *httptest.ResponseRecorder) {
	q, s := x.q, x.s
	if rec.Code >= 300 {
		for _, l := range x.loose {
			s.relock(q, l, l.at)
		}
		if x.r.Method == "MOVE" && rec.Code == http.StatusLocked && q.ParentLocked != 0 && x.before().Collection {
			rec.Code = q.ParentLocked
		}
		return
	}
	if x.r.Method == "MOVE" {
		x.moved()
	} else {
		x.copied()
	}
	if q.MoveStatus != 0 && !x.before().Collection {
		rec.Code = q.MoveStatus
		rec.Body = new(bytes.Buffer)
	}
}

func (x *exchange) moved() {
	q, s := x.q, x.s
	if over := x.there(); over.found && !over.Collection {
		if q.MoveLosesLock {
			for _, l := range over.Locks {
				s.release(x.to, l.Token)
			}
		}
		if q.MoveLosesProps {
			s.dropProps(x.to, x.stays)
		}
		if q.MoveTakesID || q.FileETags { // the inode is the source's
			s.giveID(over.ResourceID, s.nativeID(x.before().ResourceID))
		}
	}
	for _, l := range x.carried {
		s.relock(q, l, x.to+dav.Path(strings.TrimPrefix(string(l.at), string(x.path))))
	}
	if q.FolderLosesProps && x.before().Collection {
		s.below(x.to, func(p dav.Path) {
			if p != x.to {
				s.dropProps(p, nil)
			}
		})
	}
}

func (x *exchange) copied() {
	if x.q.CopyLosesProps {
		x.s.below(x.to, func(p dav.Path) { x.s.dropProps(p, nil) })
	}
	switch {
	case !x.q.CopyKeepsETag || x.before().Collection:
	case x.q.TimeETags: // which the copy keeps wherever it goes: it is a hard link (lighttpd)
		if i, err := os.Stat(x.s.disk(x.path)); err == nil {
			_ = os.Chtimes(x.s.disk(x.to), i.ModTime(), i.ModTime()) // if not, the copy shows that
		}
	default:
		x.s.setCopied(x.s.look(x.to).ETag, x.strong(x.before()))
	}
}

// deadProps are the names of the dead properties at p.
func (s *Server) deadProps(p dav.Path) []dav.PropName {
	r := s.plain("PROPFIND", p)
	r.Header.Set("Depth", "0")
	body := `<propfind xmlns="DAV:"><propname/></propfind>`
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	s.inner.ServeHTTP(rec, r)
	var names []dav.PropName
	for _, resp := range decodeResponses(rec.Body.Bytes()) {
		for _, ps := range resp.Propstats {
			for _, e := range ps.Props {
				if e.Name.Space != "DAV:" {
					names = append(names, e.Name)
				}
			}
		}
	}
	return names
}

// dropProps removes the dead properties at p, except those in keep.
func (s *Server) dropProps(p dav.Path, keep []dav.PropName) {
	names := slices.DeleteFunc(s.deadProps(p), func(n dav.PropName) bool { return slices.Contains(keep, n) })
	if len(names) == 0 {
		return
	}
	r := s.plain("PROPPATCH", p)
	for _, l := range s.look(p).Locks {
		r.Header.Set("If", dav.If{{Conditions: []dav.Condition{{Token: l.Token}}}}.String())
	}
	body := dav.ProppatchBody(nil, names)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	s.inner.ServeHTTP(httptest.NewRecorder(), r)
}
