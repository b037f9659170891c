package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// A Fault is something that goes wrong with requests that match it. The switches in
// it exclude each other; Before and Then go with any of them.
type Fault struct {
	Method string // "" any
	Name   string // part of the last path segment, "" any
	Times  int    // how often it happens; 0: until Reset

	Status     int   // answer with this and do nothing
	Hang       bool  // take the body and never answer
	Cut        bool  // take After bytes of the body, then cut the connection
	LoseAnswer bool  // do it, then cut the connection without an answer
	Truncate   bool  // store the first After bytes only and answer as if all were there
	CutAnswer  bool  // cut the connection after After bytes of the answer's body
	After      int64 // bytes

	RetryAfter string // header of Status, "" none

	Before func() // runs before anything is done
	Then   func() // runs when it is done and before it is answered
}

// Fail arms a fault.
func (q *Quirks) Fail(f Fault) {
	q.Set(func(q *Quirks) { q.faults = append(append([]*Fault(nil), q.faults...), &f) })
}

// happen does what f says in place of the server.
func (s *Server) happen(f *Fault, q Quirks, w http.ResponseWriter, r *http.Request) {
	if f.Before != nil {
		f.Before()
	}
	switch {
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		refuse(q, w, f.Status)
	case f.Hang:
		_, _ = io.Copy(io.Discard, r.Body) // until then the server does not notice that the client left
		select {
		case <-r.Context().Done():
		case <-s.stopped:
		}
		panic(http.ErrAbortHandler)
	case f.Cut:
		s.breakOff(q, r, f.After)
	case f.LoseAnswer:
		s.serve(q, httptest.NewRecorder(), r)
		f.then()
		panic(http.ErrAbortHandler)
	case f.Truncate:
		part, _ := io.ReadAll(io.LimitReader(r.Body, f.After)) // what came is what is kept
		_, _ = io.Copy(io.Discard, r.Body)
		s.serve(q, w, s.withBody(r, part))
		f.then()
	case f.CutAnswer:
		rec := httptest.NewRecorder()
		s.serve(q, rec, r)
		f.then()
		copyHeader(w, rec)
		w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:min(f.After, int64(rec.Body.Len()))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		rec := httptest.NewRecorder()
		s.serve(q, rec, r)
		f.then()
		replay(w, rec)
	}
}

func (f *Fault) then() {
	if f.Then != nil {
		f.Then()
	}
}

// breakOff takes n bytes of a body and cuts the connection; with PartialWrites they
// are stored, if the request is one that would have been granted.
func (s *Server) breakOff(q Quirks, r *http.Request, n int64) {
	part, _ := io.ReadAll(io.LimitReader(r.Body, n))
	if q.PartialWrites && r.Method == http.MethodPut {
		x := &exchange{s: s, q: q, r: s.withBody(r, part)}
		if x.change(httptest.NewRecorder()) == 0 {
			x.brokeOff(part)
		}
	}
	panic(http.ErrAbortHandler)
}

// withBody is r with another body, done even if the client has left.
func (s *Server) withBody(r *http.Request, body []byte) *http.Request {
	r2 := r.Clone(context.WithoutCancel(r.Context()))
	r2.Body = io.NopCloser(bytes.NewReader(body))
	r2.ContentLength = int64(len(body))
	r2.TransferEncoding = nil
	return r2
}

func copyHeader(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
}

// replay sends a recorded answer.
func replay(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	copyHeader(w, rec)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // the client may have left
}

// refuse answers with a status, in HTML if the quirk says so.
func refuse(q Quirks, w http.ResponseWriter, status int) {
	if q.HTMLErrors {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<!DOCTYPE html><html><body><h1>%d</h1><p>Requested page&nbsp;locked<br></body></html>", status)
		return
	}
	http.Error(w, http.StatusText(status), status)
}
