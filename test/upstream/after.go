package upstream

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"davwopi/davbackend/dav"
)

// changesAnswer reports whether after has anything to do, so that the others stream.
func changesAnswer(q Quirks, r *http.Request) bool {
	switch r.Method {
	case "PROPFIND":
		return q.WeakETags || q.UnquotedETags || q.NoPropfindETag || q.LockSays != "" || q.HideLocks ||
			q.HideOwner || q.MultiAs200 || q.NativeIDs || q.HTMLErrors
	case http.MethodGet, http.MethodHead:
		return q.WeakETags || q.OtherGetETag || q.GzipGet || q.HTMLErrors
	}
	return true
}

// lockedTarget returns the locks that MOVE is about to lose.
func (s *Server) lockedTarget(q Quirks, r *http.Request) []dav.ActiveLock {
	if !q.MoveLosesLock || r.Method != "MOVE" {
		return nil
	}
	to, ok := s.destination(r)
	if !ok {
		return nil
	}
	return s.look(to).Locks
}

// after changes a recorded answer as the quirks want.
func (s *Server) after(q Quirks, r *http.Request, rec *httptest.ResponseRecorder, lost []dav.ActiveLock, existed bool) {
	h := rec.Header()
	if rec.Code >= 300 {
		if q.HTMLErrors {
			rec.Body = new(bytes.Buffer)
			h.Del("Content-Length")
			h.Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(rec.Body, "<!DOCTYPE html><html><body>%d<br>&nbsp;</body></html>", rec.Code)
		}
		return
	}
	if strings.Contains(h.Get("Content-Type"), "xml") {
		h.Del("Content-Length")
		rec.Body = bytes.NewBuffer(rewrite(rec.Body.Bytes(), q))
	}
	if tag := h.Get("ETag"); tag != "" && q.WeakETags {
		h.Set("ETag", `W/`+strings.TrimPrefix(tag, "W/"))
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.afterGet(q, rec)
	case http.MethodPut:
		s.afterPut(q, r, rec)
	case "LOCK":
		if q.LockQuietCreate && !existed && rec.Code == http.StatusCreated {
			rec.Code = http.StatusOK
		}
	case "MOVE":
		if to, ok := s.destination(r); ok {
			for _, l := range lost {
				s.unlock(to, l.Token)
			}
		}
	case "PROPFIND":
		if q.MultiAs200 && rec.Code == http.StatusMultiStatus {
			rec.Code = http.StatusOK
		}
	case "PROPPATCH":
		s.afterProppatch(q, r, rec)
	}
}

func (s *Server) afterGet(q Quirks, rec *httptest.ResponseRecorder) {
	h := rec.Header()
	if tag := h.Get("ETag"); q.OtherGetETag && tag != "" {
		h.Set("ETag", `"get-`+strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)+`"`)
	}
	if q.GzipGet && rec.Code == http.StatusOK {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write(rec.Body.Bytes()) // into memory
		_ = z.Close()
		rec.Body = &zipped
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
	}
}

func (s *Server) afterPut(q Quirks, r *http.Request, rec *httptest.ResponseRecorder) {
	h := rec.Header()
	if q.NoPutETag {
		h.Del("ETag")
	}
	if q.OtherPutETag {
		h.Set("ETag", `"put-only"`)
	}
	if q.PutStatus == 0 {
		return
	}
	rec.Code = q.PutStatus
	if q.PutStatus == http.StatusMultiStatus {
		h.Set("Content-Type", "application/xml; charset=utf-8")
		h.Del("Content-Length")
		rec.Body = bytes.NewBufferString(`<?xml version="1.0"?><multistatus xmlns="DAV:"><response><href>` +
			r.URL.EscapedPath() + `</href><status>HTTP/1.1 204 No Content</status></response></multistatus>`)
	}
}

// afterProppatch takes back what was stored, where the server only pretends.
func (s *Server) afterProppatch(q Quirks, r *http.Request, rec *httptest.ResponseRecorder) {
	if !q.ForgetProps || rec.Code != http.StatusMultiStatus {
		return
	}
	var set []dav.PropName
	_ = dav.DecodeMultistatus(bytes.NewReader(rec.Body.Bytes()), dav.Limits{}, func(resp dav.Response) error {
		for _, ps := range resp.Propstats {
			for _, e := range ps.Props {
				set = append(set, e.Name)
			}
		}
		return nil
	})
	undo := s.plain("PROPPATCH", s.pathOf(r.URL.Path))
	undo.Header = r.Header.Clone()
	body := dav.ProppatchBody(nil, set)
	undo.Body, undo.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	s.inner.ServeHTTP(httptest.NewRecorder(), undo)
}

// rewrite changes texts, drops elements and adds native IDs in an XML answer.
func rewrite(body []byte, q Quirks) []byte {
	in := xml.NewDecoder(bytes.NewReader(body))
	var out bytes.Buffer
	w := rewriter{q: q, to: xml.NewEncoder(&out)}
	for {
		t, err := in.Token()
		if err != nil {
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			w.start(t.Name)
		case xml.EndElement:
			w.end(t)
		case xml.CharData:
			w.text(string(t))
		case xml.ProcInst:
			w.emit(t)
		}
	}
	_ = w.to.Flush() // into memory
	return out.Bytes()
}

type rewriter struct {
	q    Quirks
	to   *xml.Encoder
	open []xml.Name
	drop int    // depth inside a dropped element
	id   string // text of the resource-id that is open
}

// emit writes into memory, and what it writes is as balanced as it came.
func (w *rewriter) emit(t xml.Token) {
	if w.drop == 0 {
		_ = w.to.EncodeToken(t)
	}
}

func (w *rewriter) inside(n int) string {
	if len(w.open) < n {
		return ""
	}
	return w.open[len(w.open)-n].Local
}

func (w *rewriter) start(name xml.Name) {
	dropped := w.drop > 0 || dropped(w.q, w.inside(1), name)
	w.open = append(w.open, name)
	if dropped {
		w.drop++
		return
	}
	w.emit(xml.StartElement{Name: name})
}

func (w *rewriter) end(t xml.EndElement) {
	w.open = w.open[:len(w.open)-1]
	if w.drop > 0 {
		w.drop--
		return
	}
	w.emit(t)
	if t.Name.Local != "resource-id" || !w.q.NativeIDs || w.id == "" {
		return
	}
	for _, local := range []string{"id", "fileid"} {
		name := xml.Name{Space: "http://owncloud.org/ns", Local: local}
		_ = w.to.EncodeElement(w.id, xml.StartElement{Name: name}) // into memory
	}
	w.id = ""
}

func (w *rewriter) text(s string) {
	if w.inside(1) == "href" && w.inside(2) == "resource-id" {
		w.id += strings.TrimSpace(s)
	}
	w.emit(xml.CharData(changed(w.q, w.inside(1), s)))
}

func dropped(q Quirks, inside string, name xml.Name) bool {
	switch name.Local {
	case "getetag":
		return q.NoPropfindETag
	case "activelock":
		return q.HideLocks
	case "owner":
		return q.HideOwner && inside == "activelock"
	}
	return false
}

func changed(q Quirks, inside, text string) string {
	switch inside {
	case "getetag":
		if q.WeakETags {
			text = "W/" + strings.TrimPrefix(text, "W/")
		}
		if q.UnquotedETags {
			text = strings.ReplaceAll(text, `"`, "")
		}
	case "timeout":
		if q.LockSays != "" {
			return q.LockSays
		}
	}
	return text
}
