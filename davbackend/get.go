package davbackend

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// Content is the body of a GET. The reader returns [dav.ErrIncomplete] if the
// upstream hangs up before Size bytes; its other errors wrap [dav.ErrUnavailable].
// Close must be called.
type Content struct {
	io.ReadCloser
	Size     int64     // bytes of this body; -1 where the upstream does not say
	Total    int64     // bytes of the whole resource; -1 unknown
	ETag     dav.ETag  // as GET said, "" none; it may differ from PROPFIND's
	Modified time.Time // zero: not said
	Whole    bool      // the body is the whole resource
	Type     string    // Content-Type, "" none
}

// Get reads length bytes of p from offset on; length -1 is to the end. Beyond the end
// there is nothing to read, which is no error. Nextcloud's passing 423 during
// somebody's PUT is waited out for under half a second and then [dav.ErrUnavailable].
// Get returns [dav.ErrNotFound], [dav.ErrDenied], [dav.ErrUnauthorized],
// [dav.ErrUnavailable].
func (v *View) Get(ctx context.Context, p dav.Path, offset, length int64) (*Content, error) {
	if offset < 0 || length < -1 {
		return nil, fmt.Errorf("davbackend: %w: range with a negative bound", dav.ErrUnsupported)
	}
	c := newCall("GET", p)
	partial := offset > 0 || length >= 0
	if partial {
		c.header.Set("Range", byteRange(offset, length))
	}
	a, err := v.patientGet(ctx, c)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status() == http.StatusOK:
		return v.wholeAnswer(a, offset, length)
	case a.status() == http.StatusPartialContent && partial:
		return v.partialAnswer(a, offset, length)
	case a.status() == http.StatusRequestedRangeNotSatisfiable && partial:
		content := describe(a)
		content.Size, content.Total = 0, rangeTotal(a.resp.Header.Get("Content-Range"))
		content.Whole = content.Total == 0
		a.close()
		content.ReadCloser = io.NopCloser(strings.NewReader(""))
		return content, nil
	case a.status() == http.StatusLocked:
		err := v.refused(c, a)
		return nil, &UnavailableError{Origin: v.client.Origin(), Reason: "file is being written", Err: &StatusError{c.method, statusOf(err)}}
	case a.status() < 300:
		a.close()
		return nil, &UnavailableError{Origin: v.client.Origin(), Reason: "unexpected answer to GET", Err: &StatusError{c.method, a.status()}}
	}
	return nil, v.refused(c, a)
}

func byteRange(offset, length int64) string {
	s := "bytes=" + strconv.FormatInt(offset, 10) + "-"
	if length > 0 {
		return s + strconv.FormatInt(offset+length-1, 10)
	}
	if length == 0 {
		return s + strconv.FormatInt(offset, 10) // an empty range cannot be said
	}
	return s
}

// patientGet repeats a GET that meets somebody's PUT.
func (v *View) patientGet(ctx context.Context, c call) (*answer, error) {
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		a, err := v.send(ctx, c)
		if err != nil || a.status() != http.StatusLocked || wait > 200*time.Millisecond {
			return a, err
		}
		a.close()
		select {
		case <-ctx.Done():
			return nil, v.client.unavailable(ctx, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// describe reads the headers that all answers to GET share.
func describe(a *answer) *Content {
	h := a.resp.Header
	content := &Content{Size: a.resp.ContentLength, Total: -1, Type: h.Get("Content-Type")}
	content.ETag, _ = dav.ParseETag(h.Get("ETag"))
	if t, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		content.Modified = t.UTC()
	}
	return content
}

// wholeAnswer makes what was asked for out of a 200.
func (v *View) wholeAnswer(a *answer, offset, length int64) (*Content, error) {
	content := describe(a)
	var body io.Reader = &fullReader{from: a.resp.Body, left: a.resp.ContentLength}
	switch coding := strings.ToLower(a.resp.Header.Get("Content-Encoding")); coding {
	case "", "identity":
		content.Total = content.Size
	case "gzip", "x-gzip":
		content.Size = -1
		unzipped, err := v.unzip(body)
		if err != nil {
			a.close()
			return nil, err
		}
		body = unzipped
	default:
		a.close()
		return nil, &UnavailableError{Origin: v.client.Origin(), Reason: fmt.Sprintf("answers GET with content coding %q", coding)}
	}
	content.Whole = offset == 0 && (length < 0 || content.Total >= 0 && length >= content.Total)
	if offset > 0 {
		// EOF: the range lies beyond the end, and there is nothing to read.
		if _, err := io.CopyN(io.Discard, body, offset); err != nil && err != io.EOF {
			a.close()
			return nil, err
		}
	}
	if content.Total >= 0 {
		content.Size = max(content.Total-offset, 0)
	}
	if length >= 0 {
		body = io.LimitReader(body, length)
		if content.Size >= 0 {
			content.Size = min(content.Size, length)
		}
	}
	content.ReadCloser = &answerBody{Reader: body, a: a}
	return content, nil
}

// unzip undoes a compression that was not asked for.
func (v *View) unzip(body io.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(body)
	if err != nil {
		return nil, v.badGzip(err)
	}
	return &gzipReader{from: z, fault: v.badGzip}, nil
}

func (v *View) badGzip(err error) error {
	switch {
	case errors.Is(err, dav.ErrIncomplete), errors.Is(err, dav.ErrUnavailable):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("davbackend: %w: compressed body ends early", dav.ErrIncomplete)
	}
	return &UnavailableError{Origin: v.client.Origin(), Reason: "answer to GET is not the gzip that it says", Err: err}
}

type gzipReader struct {
	from  io.Reader
	fault func(error) error
}

func (r *gzipReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		err = r.fault(err)
	}
	return n, err
}

// partialAnswer checks that a 206 is the range that was asked for.
func (v *View) partialAnswer(a *answer, offset, length int64) (*Content, error) {
	content := describe(a)
	said := a.resp.Header.Get("Content-Range")
	first, last, ok := rangeBounds(said)
	size := last - first + 1
	coding := a.resp.Header.Get("Content-Encoding")
	if !ok || first != offset || coding != "" && !strings.EqualFold(coding, "identity") ||
		content.Size >= 0 && content.Size != size {
		a.close()
		return nil, &UnavailableError{Origin: v.client.Origin(), Reason: "answers a range request with another range"}
	}
	content.Total = rangeTotal(said)
	content.Size = size
	var body io.Reader = &fullReader{from: a.resp.Body, left: size}
	if length >= 0 && size > length {
		content.Size = length
		body = io.LimitReader(body, length)
	}
	content.Whole = offset == 0 && content.Size == content.Total
	content.ReadCloser = &answerBody{Reader: body, a: a}
	return content, nil
}

// rangeBounds reads `bytes 5-9/100`.
func rangeBounds(s string) (first, last int64, ok bool) {
	s, ok = strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "bytes ")
	bounds, _, slash := strings.Cut(s, "/")
	a, b, dash := strings.Cut(bounds, "-")
	first, errA := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	last, errB := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	return first, last, ok && slash && dash && errA == nil && errB == nil && first >= 0 && last >= first
}

// rangeTotal reads what stands after the slash; -1 unknown.
func rangeTotal(s string) int64 {
	_, total, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// fullReader turns an early end into dav.ErrIncomplete; left -1: any end is good.
type fullReader struct {
	from io.Reader
	left int64
}

func (r *fullReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if r.left < 0 {
		return n, err
	}
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		return n, fmt.Errorf("davbackend: %w: %d bytes are missing", dav.ErrIncomplete, r.left)
	}
	return n, err
}

// answerBody ends the request with the reading, without draining what is left.
type answerBody struct {
	io.Reader
	a *answer
}

func (b *answerBody) Close() error { return b.a.resp.Body.Close() }
