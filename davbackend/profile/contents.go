package profile

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// The steps about entity tags and conditions, and what a reader sees meanwhile.

func textBody(text string) *davbackend.Body {
	return &davbackend.Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
		Size: int64(len(text)),
		Type: "text/plain",
	}
}

// against says how one entity tag compares with another that should be it.
func against(tag, other dav.ETag) string {
	switch {
	case tag == "":
		return "none"
	case tag.Same(other):
		return "same"
	}
	return "another"
}

// tags writes the document and compares PUT's tag with PROPFIND's.
func (m *measuring) tags(ctx context.Context) error {
	a, err := m.put(ctx, m.file)
	if err != nil {
		return err
	}
	res, ok, err := m.look(ctx, m.file)
	if err != nil || !ok {
		return err
	}
	ofPut, _ := dav.ParseETag(a.Header.Get("ETag"))
	m.f.ETagOfPut = against(ofPut, res.ETag)
	switch {
	case res.ETag == "":
		m.f.ETag = "none"
	case res.ETag.Weak():
		m.f.ETag = "weak"
	case !strings.HasPrefix(res.tag, `"`):
		m.f.ETag = "unquoted"
	default:
		m.f.ETag = "strong"
	}
	m.f.ResourceID = m.f.ResourceID || res.ResourceID != ""
	if res.NativeID != "" {
		m.f.NativeID = nativeName(res)
	}
	return nil
}

func nativeName(res resource) string {
	if _, plain := res.Props[dav.PropOCFileID]; plain {
		return "oc:fileid"
	}
	return "oc:id"
}

func (m *measuring) tagOfGet(ctx context.Context) error {
	res, _, err := m.look(ctx, m.file)
	if err != nil {
		return err
	}
	a, err := m.raw(ctx, http.MethodGet, m.file)
	if err != nil {
		return err
	}
	ofGet, _ := dav.ParseETag(a.Header.Get("ETag"))
	m.f.ETagOfGet = against(ofGet, res.ETag)
	m.f.GzipGet = a.Header.Get("Content-Encoding") != "" && a.Header.Get("Content-Encoding") != "identity"
	return nil
}

// tick is longer than the clock of file systems takes for a step; two edits within
// one step look alike to servers that count in microseconds, too.
const tick = 20 * time.Millisecond

// sameSecond edits the document twice within a second, as the upstream counts it. It
// tries again where the second ended in between.
func (m *measuring) sameSecond(ctx context.Context) error {
	for range 4 {
		if _, err := m.put(ctx, m.file); err != nil {
			return err
		}
		before, _, err := m.look(ctx, m.file)
		if err != nil {
			return err
		}
		if err := pause(ctx, tick); err != nil {
			return err
		}
		if _, err := m.put(ctx, m.file); err != nil {
			return err
		}
		after, _, err := m.look(ctx, m.file)
		if err != nil {
			return err
		}
		if before.ETag == "" || after.ETag == "" {
			return nil
		}
		m.f.SameSecondEdit = !after.ETag.Same(before.ETag)
		if !m.f.SameSecondEdit || before.Modified.Equal(after.Modified) {
			return nil
		}
	}
	m.f.SameSecondEdit = false // never within a second: not proven
	return nil
}

// weakAtFirst waits whether a weak tag becomes strong (Apache, two seconds after a
// write).
func (m *measuring) weakAtFirst(ctx context.Context) error {
	if m.f.ETag != "weak" {
		return nil
	}
	for range 4 {
		if err := pause(ctx, 800*time.Millisecond); err != nil {
			return err
		}
		res, _, err := m.look(ctx, m.file)
		if err != nil {
			return err
		}
		if res.ETag != "" && !res.ETag.Weak() {
			m.f.ETag = "weak at first"
			return nil
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

const wrongTag = `"davwopi-this-is-no-tag-of-yours"`

func (m *measuring) conditions(ctx context.Context) error {
	var err error
	if m.f.IfETag, err = m.condition(ctx, "If", func(tag string) string { return "([" + tag + "])" }); err != nil {
		return err
	}
	if m.f.IfMatch, err = m.condition(ctx, "If-Match", func(tag string) string { return tag }); err != nil {
		return err
	}
	a, err := m.put(ctx, m.file, "If-None-Match", "*")
	if err != nil {
		return err
	}
	switch {
	case a.OK():
		m.f.IfNoneMatch = "ignored"
	case isCondition(a.Status):
		m.f.IfNoneMatch = "honoured"
	}
	return nil
}

// isCondition reports whether a status says that a condition does not hold. OpenCloud
// says 409. Any other refusal may pass, and proves nothing.
func isCondition(status int) bool {
	return status == http.StatusPreconditionFailed || status == http.StatusConflict
}

// condition tries a wrong tag, which must be refused, and the right one, which must
// not.
func (m *measuring) condition(ctx context.Context, header string, value func(string) string) (string, error) {
	a, err := m.put(ctx, m.file, header, value(wrongTag))
	if err != nil {
		return "", err
	}
	if a.OK() {
		return "ignored", nil
	}
	if !isCondition(a.Status) {
		return "", nil
	}
	res, ok, err := m.look(ctx, m.file)
	if err != nil || !ok || res.ETag == "" {
		return "", err
	}
	a, err = m.put(ctx, m.file, header, value(string(res.ETag)))
	switch {
	case err != nil:
		return "", err
	case a.OK():
		return "honoured", nil
	case isCondition(a.Status):
		return "never holds", nil
	}
	return "", nil
}

// readers uploads slowly over the document and looks at it in the middle. Nothing is
// broken off.
func (m *measuring) readers(ctx context.Context) error {
	const half = 128 << 10
	if _, err := m.put(ctx, m.file); err != nil {
		return err
	}
	before, err := m.raw(ctx, http.MethodGet, m.file)
	if err != nil {
		return err
	}
	body := &halfway{size: 2 * half, half: half, there: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := m.v.Raw(ctx, davbackend.Raw{Method: http.MethodPut, Path: m.file, Body: &davbackend.Body{
			Open: func() (io.ReadCloser, error) { return body.begin(), nil }, Size: 2 * half, Type: "text/plain",
		}})
		done <- err
	}()
	select {
	case <-body.there:
	case err := <-done:
		return err // refused before the middle
	}
	seen, err := m.during(ctx, before)
	body.release()
	if ended := <-done; ended != nil {
		return ended
	}
	m.f.HalfWritten = seen
	return err
}

// readerPatience is for how long a reader waits for somebody's upload.
const readerPatience = 3 * time.Second

// during looks a few times: what was sent may take a moment to show. It is "" if readers are
// kept waiting: by the server, or because there may be one connection only.
func (m *measuring) during(ctx context.Context, before davbackend.RawAnswer) (string, error) {
	patient, stop := context.WithTimeout(ctx, readerPatience)
	defer stop()
	for range 4 {
		a, err := m.raw(patient, http.MethodGet, m.file)
		switch {
		case patient.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, dav.ErrIncomplete):
			return "a piece", nil // rclone notices on the way that the file is growing, and hangs up
		case err != nil:
			return "", err
		case !a.OK():
			return "refused", nil
		case string(a.Body) != string(before.Body):
			return "a piece", nil
		}
		if err := pause(ctx, 40*time.Millisecond); err != nil {
			return "", err
		}
	}
	return "old contents", nil
}

// A halfway is a body that waits in the middle to be told to go on.
type halfway struct {
	size, half int
	there      chan struct{} // closed when the first half is sent
	goOn       chan struct{} // closed when the second may be

	arrived, released sync.Once
}

func (h *halfway) release() { h.released.Do(func() { close(h.goOn) }) }

func (h *halfway) begin() io.ReadCloser { return &halfwayReader{h: h} }

type halfwayReader struct {
	h *halfway
	n int
}

// Read gives out lines of dots, and waits once.
func (r *halfwayReader) Read(p []byte) (int, error) {
	if r.n == r.h.size {
		return 0, io.EOF
	}
	rest := r.h.size - r.n
	if r.n == r.h.half {
		r.h.arrived.Do(func() { close(r.h.there) })
		<-r.h.goOn
	}
	if r.n < r.h.half {
		rest = r.h.half - r.n
	}
	n := min(len(p), rest)
	for i := range n {
		p[i] = '.'
	}
	r.n += n
	return n, nil
}

// Close lets a Read that waits end too: the upstream may answer before the whole.
func (r *halfwayReader) Close() error {
	r.h.release()
	return nil
}
