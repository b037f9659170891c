package localdav

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"davwopi/davbackend/dav"
)

const xmlType = "application/xml; charset=utf-8"

// A refused is an answer other than success.
type refused struct {
	status    int
	condition string   // the precondition of RFC 4918 16 that failed, "" none
	hrefs     []string // the resources that it is about
	err       error    // the reason; never sent
}

func (e *refused) Error() string { return e.err.Error() }
func (e *refused) Unwrap() error { return e.err }

func refusal(status int, err error) error { return &refused{status: status, err: err} }

// Errors of the folder that the os package has no name for.
var (
	errEscape  = errors.New("localdav: symbolic link leads out of the folder")
	errLoop    = errors.New("localdav: too many symbolic links")
	errSpecial = errors.New("localdav: neither file nor folder")
	errChanged = errors.New("localdav: changed while the request was served")
)

// refusedBy says what a client is told about err.
func refusedBy(err error) *refused {
	var e *refused
	if errors.As(err, &e) {
		return e
	}
	e = &refused{status: http.StatusInternalServerError, err: err}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong), errors.Is(err, syscall.EFBIG):
		e.status = http.StatusRequestEntityTooLarge
	case errors.Is(err, syscall.ENOSPC):
		e.status, e.condition = http.StatusInsufficientStorage, "sufficient-disk-space"
	case errors.Is(err, syscall.EDQUOT):
		e.status, e.condition = http.StatusInsufficientStorage, "quota-not-exceeded"
	case errors.Is(err, dav.ErrBadPath), errors.Is(err, syscall.EILSEQ), errors.Is(err, io.ErrUnexpectedEOF):
		e.status = http.StatusBadRequest
	case errors.Is(err, syscall.ENAMETOOLONG):
		e.status = http.StatusRequestURITooLong
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.status = http.StatusNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, errSpecial), escapes(err),
		errors.Is(err, errLoop), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EXDEV):
		e.status = http.StatusForbidden
	case errors.Is(err, errChanged):
		e.status = http.StatusPreconditionFailed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, fs.ErrClosed):
		e.status = http.StatusServiceUnavailable
	}
	return e
}

// escapes reports whether err is os.Root's refusal to leave the folder, which has no
// exported name.
func escapes(err error) bool {
	var p *fs.PathError
	return errors.Is(err, errEscape) || errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}

// noParent turns "not found" into 409: a folder on the way to what is to be made is
// missing (RFC 4918 9.3.1, 9.7.1, 9.8.5, 9.9.4, 9.10.6).
func noParent(err error) error {
	if refusedBy(err).status == http.StatusNotFound {
		return refusal(http.StatusConflict, err)
	}
	return err
}

// refuse answers with err. It is the only place where an error becomes a status.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := refusedBy(err)
	h := w.Header()
	for _, k := range []string{"ETag", "Content-Disposition", "Last-Modified", "Lock-Token"} {
		h.Del(k)
	}
	if e.status == http.StatusMethodNotAllowed && h.Get("Allow") == "" {
		h.Set("Allow", s.allow(r))
	}
	var body string
	if e.condition == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = statusText(e.status) + "\n"
	} else {
		h.Set("Content-Type", xmlType)
		body = conditionBody(e)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		io.WriteString(w, body)
	}
}

// conditionBody is the DAV:error of RFC 4918 14.5.
func conditionBody(e *refused) string {
	var b strings.Builder
	b.WriteString(xmlHead + `<D:error xmlns:D="DAV:">`)
	writeElement(&b, "D:"+e.condition, func() {
		for _, href := range e.hrefs {
			b.WriteString("<D:href>" + escape(href) + "</D:href>")
		}
	})
	b.WriteString("</D:error>\n")
	return b.String()
}

const xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

func writeElement(b *strings.Builder, name string, inner func()) {
	b.WriteString("<" + name + ">")
	inner()
	b.WriteString("</" + name + ">")
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func statusText(code int) string {
	if s := http.StatusText(code); s != "" {
		return s
	}
	return "Status"
}

// finish answers without a body.
func finish(w http.ResponseWriter, status int) error {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
	return nil
}
