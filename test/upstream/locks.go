package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"davwopi/davbackend/dav"
)

// The quirks of LOCK and UNLOCK, and of locks that a MOVE meets.

func (x *exchange) unlock() int {
	if x.q.NoLock && (x.r.Method == "LOCK" || x.r.Method == "UNLOCK") {
		return http.StatusNotImplemented
	}
	if x.r.Method != "UNLOCK" || x.q.UnlockWrong == 0 {
		return 0
	}
	token, err := dav.ParseLockToken(x.r.Header.Get("Lock-Token"))
	if err != nil || x.holds(token) {
		return 0
	}
	return x.q.UnlockWrong
}

// lock changes a LOCK. Its answer is changed by afterLock.
func (x *exchange) lock(w http.ResponseWriter) int {
	q, h := x.q, x.r.Header
	timeout := h.Get("Timeout")
	if list := strings.ToLower(timeout); q.TimeoutHangs && strings.HasPrefix(list, "infinite") && strings.Contains(list, ",") {
		x.s.hangs.Add(1)
		return http.StatusInternalServerError
	}
	asked := dav.ParseTimeout(timeout)
	if asked == 0 {
		x.says = q.EndlessSays
	}
	if q.LockCap > 0 && (asked == 0 || asked > q.LockCap) {
		h.Set("Timeout", dav.FormatTimeout(q.LockCap))
	}
	if q.LockFixed > 0 {
		h.Set("Timeout", dav.FormatTimeout(q.LockFixed))
	}
	x.keepXML()
	if len(x.body) == 0 {
		return x.refresh(w)
	}
	if q.LockDepth0 {
		h.Set("Depth", "0")
	}
	if q.LockUnmapped500 && !x.before().found {
		return http.StatusInternalServerError
	}
	if bytes.Contains(x.body, []byte("shared")) {
		switch {
		case q.SharedLocks >= 300:
			return q.SharedLocks
		case q.SharedLocks != 0:
			x.sendXML(dav.LockBody(""))
		}
	}
	return 0
}

// sendXML gives the request another body.
func (x *exchange) sendXML(body []byte) {
	x.r.Body, x.r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	x.r.Header.Set("Content-Type", "application/xml")
}

func (x *exchange) refresh(w http.ResponseWriter) int {
	if x.q.RefreshSays != "" {
		x.says = x.q.RefreshSays
	}
	token := dav.LockToken("")
	for _, l := range x.cond {
		for _, c := range l.Conditions {
			token = c.Token
		}
	}
	if token == "" || x.holds(token) {
		return 0
	}
	switch {
	case x.q.RefreshWrong != 0:
		return x.q.RefreshWrong
	case x.q.RefreshLies:
		seconds := dav.ParseTimeout(x.r.Header.Get("Timeout"))
		made := davElement("activelock", davElement("locktype", davElement("write")), davElement("lockscope", davElement("exclusive")),
			davText("depth", "0"), davText("timeout", dav.FormatTimeout(seconds)), davElement("locktoken", davText("href", string(token))))
		w.Header().Set("Content-Type", "application/xml;charset=utf-8")
		_, _ = w.Write(encode(davElement("prop", davElement("lockdiscovery", made)))) // the client may have left
		return answered
	case x.q.RefreshMakes && len(x.before().Locks) > 0:
		return http.StatusLocked
	case x.q.RefreshMakes:
		x.r.Header.Del("If")
		x.r.Header.Set("Depth", "infinity")
		x.sendXML(dav.LockBody(""))
	}
	return 0
}

var ownerSent = regexp.MustCompile(`(?s)<([A-Za-z]+:)?owner[^>]*>(.*)</([A-Za-z]+:)?owner>`)

// afterLock changes the answer to a LOCK that was granted.
func (x *exchange) afterLock(rec *httptest.ResponseRecorder) {
	h := rec.Header()
	if own, err := dav.ParseLockToken(h.Get("Lock-Token")); err == nil {
		h.Set("Lock-Token", "<"+string(x.s.shownToken(x.q, own))+">")
	}
	body, err := dav.DecodeElement(bytes.NewReader(rec.Body.Bytes()), dav.Limits{})
	if err != nil || body.Name.Local != "prop" || len(body.Children) == 0 {
		return
	}
	x.changeLocks(&body.Children[0])
	out := encode(body)
	if sent := ownerSent.FindSubmatch(x.body); x.q.EchoOwner && sent != nil {
		out = ownerSent.ReplaceAllLiteral(out, []byte("<owner>"+string(sent[2])+"</owner>"))
	}
	rec.Body = bytes.NewBuffer(out)
	h.Del("Content-Length")
	if rec.Code == http.StatusCreated && (x.q.LockQuietCreate || x.q.LockNull) {
		rec.Code = http.StatusOK
		if x.q.LockNull {
			x.s.setNull(x.path, true)
		}
	}
}

// changeLocks changes a lockdiscovery.
func (x *exchange) changeLocks(discovery *dav.Element) {
	if x.q.HideLocks {
		discovery.Children = nil
	}
	for i := range discovery.Children {
		lock := &discovery.Children[i]
		own := dav.LockToken("")
		if e, ok := lock.Child("DAV:", "locktoken"); ok {
			own = dav.LockToken(e.AllText())
		}
		var kept []dav.Element
		for _, e := range lock.Children {
			switch e.Name.Local {
			case "owner":
				if x.q.HideOwner {
					continue
				}
			case "timeout":
				e.Text = x.s.sayTimeout(x.q, own, x.says, e.Text)
			case "locktoken":
				e = davElement("locktoken", davText("href", string(x.s.shownToken(x.q, own))))
			}
			kept = append(kept, e)
		}
		lock.Children = kept
	}
}

// locksBelow are the locks on p and on what is in it.
func (s *Server) locksBelow(p dav.Path) []heldLock {
	var all []heldLock
	s.below(p, func(q dav.Path) {
		for _, l := range s.look(q).Locks {
			if root, err := dav.ParseHref(l.Root, s.base()); err == nil && root == q {
				all = append(all, heldLock{q, l})
			}
		}
	})
	return all
}

// relock puts a lock on another place, under the token by which it is known outside.
func (s *Server) relock(q Quirks, held heldLock, at dav.Path) {
	r := s.plain("LOCK", at)
	r.Header.Set("Depth", "0")
	r.Header.Set("Timeout", dav.FormatTimeout(held.lock.Timeout))
	body := dav.LockBody(held.lock.Owner)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	s.inner.ServeHTTP(rec, r)
	own, err := dav.ParseLockToken(rec.Header().Get("Lock-Token"))
	if err != nil {
		panic(fmt.Sprintf("upstream: lock of %s cannot be put on %s: %d", held.at, at, rec.Code))
	}
	s.follow(s.shownToken(q, held.lock.Token), own)
}
