package upstream

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
)

// The quirks of the bodies of PUT and GET.

func (x *exchange) put() int {
	if x.r.Method != http.MethodPut {
		return 0
	}
	if x.r.ContentLength < 0 {
		if x.q.RefuseChunked != 0 {
			return x.q.RefuseChunked
		}
		if x.q.ChunkedEmpty {
			_, _ = io.Copy(io.Discard, x.r.Body) // what php never sees
			x.r.Body, x.r.ContentLength = http.NoBody, 0
		}
	}
	part := x.r.Header.Get("Content-Range")
	switch {
	case part == "" || x.q.PutRange == 0:
	case x.q.PutRange == http.StatusPartialContent:
		x.r.Header.Del("Content-Range")
		return x.patch(part)
	case x.q.PutRange < 300:
		x.r.Header.Del("Content-Range")
	default:
		return x.q.PutRange
	}
	return 0
}

// patch makes the whole file of a PUT with a Content-Range.
func (x *exchange) patch(part string) int {
	from, _, _ := strings.Cut(strings.TrimPrefix(part, "bytes "), "-")
	at, err := strconv.Atoi(from)
	old, readErr := os.ReadFile(x.s.disk(x.path))
	piece, bodyErr := io.ReadAll(x.r.Body)
	if err != nil || readErr != nil || bodyErr != nil || at < 0 || at > len(old) {
		return http.StatusBadRequest
	}
	whole := append(old[:at:at], piece...)
	if end := at + len(piece); end < len(old) {
		whole = append(whole, old[end:]...)
	}
	x.r.Body, x.r.ContentLength = io.NopCloser(bytes.NewReader(whole)), int64(len(whole))
	return 0
}

// get judges a GET of what is just being written, or has no contents.
func (x *exchange) get() int {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return 0
	}
	if x.q.NoRanges {
		x.r.Header.Del("Range")
	}
	if x.s.isNull(x.path) {
		return http.StatusNotFound
	}
	if x.q.HalfWritten == "423" && x.s.writing(x.path) != nil {
		return http.StatusLocked
	}
	return 0
}

// keepBody looks over the shoulder of a PUT. The function ends that.
func (x *exchange) keepBody() (stop func()) {
	q := x.q
	if x.r.Method != http.MethodPut || !q.PartialWrites && q.HalfWritten == "" {
		return func() {}
	}
	x.kept = &keptBody{ReadCloser: x.r.Body}
	x.r.Body = x.kept
	if q.HalfWritten == "" || !x.before().found {
		return func() {}
	}
	x.kept.first = func() { x.s.setWriting(x.path, x.kept) }
	return func() { x.s.setWriting(x.path, nil) }
}

// brokeOff leaves behind what a PUT that broke off leaves.
func (x *exchange) brokeOff(data []byte) {
	switch {
	case !x.q.PartialWrites, x.q.NewPutGone && !x.before().found:
	case x.q.BrokenPutDeletes:
		r := x.s.plain("DELETE", x.path)
		r.Header.Set("If", x.r.Header.Get("If"))
		if r.Header.Get("If") == "" {
			r.Header.Del("If")
		}
		x.s.inner.ServeHTTP(httptest.NewRecorder(), r)
	default:
		x.s.inner.ServeHTTP(httptest.NewRecorder(), x.s.withBody(x.r, data))
	}
}

func (x *exchange) afterGet(rec *httptest.ResponseRecorder) {
	h := rec.Header()
	if tag := h.Get("ETag"); tag != "" && x.q.changesETags() {
		h.Set("ETag", string(x.shown(x.before())))
	}
	if tag := h.Get("ETag"); x.q.OtherGetETag && tag != "" {
		h.Set("ETag", `"get-`+strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)+`"`)
	}
	if kept := x.s.writing(x.path); kept != nil && x.q.HalfWritten == "piece" && rec.Code == http.StatusOK {
		data, _ := kept.state()
		rec.Body = bytes.NewBuffer(data)
		h.Del("Content-Length")
	}
	wanted := x.q.GzipGet || x.q.GzipAsked && strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip")
	if !wanted || rec.Code != http.StatusOK {
		return
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(rec.Body.Bytes()) // into memory
	_ = z.Close()
	rec.Body = &zipped
	h.Del("Content-Length")
	h.Set("Content-Encoding", "gzip")
	if tag := h.Get("ETag"); x.q.GzipETag && tag != "" {
		h.Set("ETag", strings.TrimSuffix(tag, `"`)+`-gzip"`)
	}
}

func (x *exchange) afterPut(rec *httptest.ResponseRecorder) {
	h := rec.Header()
	if rec.Code >= 300 {
		switch {
		case x.q.PutRefused207 && rec.Code == http.StatusLocked && !x.before().found:
			parent := strings.TrimSuffix(x.r.URL.EscapedPath(), "/")
			parent = parent[:strings.LastIndexByte(parent, '/')]
			multi(rec, x.r.URL.EscapedPath(), http.StatusFailedDependency, parent, http.StatusLocked)
		case x.q.PutMissingParent != 0 && rec.Code == http.StatusConflict:
			rec.Code = x.q.PutMissingParent
		}
		return
	}
	x.s.setNull(x.path, false)
	switch {
	case x.q.NoPutETag:
		h.Del("ETag")
	case x.q.OtherPutETag:
		h.Set("ETag", `"put-only"`)
	case x.q.changesETags():
		h.Set("ETag", string(x.shown(x.s.look(x.path))))
	}
	switch x.q.PutStatus {
	case 0:
	case http.StatusMultiStatus:
		multi(rec, x.r.URL.EscapedPath(), http.StatusNoContent)
	default:
		rec.Code = x.q.PutStatus
	}
}

// multi makes an answer a multistatus: an href, its status, and so on.
func multi(rec *httptest.ResponseRecorder, pairs ...any) {
	rec.Code = http.StatusMultiStatus
	rec.Header().Set("Content-Type", "application/xml; charset=utf-8")
	rec.Header().Del("Content-Length")
	rec.Body = bytes.NewBufferString(`<?xml version="1.0"?><multistatus xmlns="DAV:">`)
	for i := 0; i < len(pairs); i += 2 {
		status := pairs[i+1].(int)
		fmt.Fprintf(rec.Body, `<response><href>%s</href><status>HTTP/1.1 %d %s</status></response>`, pairs[i], status, http.StatusText(status))
	}
	rec.Body.WriteString(`</multistatus>`)
}

// keptBody remembers what was read and whether it broke off.
type keptBody struct {
	io.ReadCloser
	first func() // called at the first byte; nil

	mu   sync.Mutex
	data []byte // guarded by mu
	err  error  // guarded by mu
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	if n > 0 && len(b.data) == 0 && b.first != nil {
		defer b.first()
	}
	b.data = append(b.data, p[:n]...)
	if err != nil && err != io.EOF {
		b.err = err
	}
	b.mu.Unlock()
	return n, err
}

// state returns what has come until now, and whether no more will.
func (b *keptBody) state() (data []byte, broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.data), b.err != nil
}
