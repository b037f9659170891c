package davbackend_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

const digits = "0123456789"

// ranged serves digits as net/http does.
func ranged(w http.ResponseWriter, r *http.Request, _ seen) {
	w.Header().Set("ETag", `"e"`)
	http.ServeContent(w, r, "x.txt", time.Unix(1_800_000_000, 0), strings.NewReader(digits))
}

// whole serves digits and knows no ranges.
func whole(w http.ResponseWriter, _ *http.Request, _ seen) { fmt.Fprint(w, digits) }

// zipped compresses whatever was asked for.
func zipped(w http.ResponseWriter, _ *http.Request, _ seen) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	fmt.Fprint(z, digits)
	z.Close()
}

// unsized sends no Content-Length.
func unsized(w http.ResponseWriter, _ *http.Request, _ seen) {
	fmt.Fprint(w, digits[:5])
	w.(http.Flusher).Flush()
	fmt.Fprint(w, digits[5:])
}

func TestGetRanges(t *testing.T) {
	servers := map[string]func(http.ResponseWriter, *http.Request, seen){"ranges": ranged, "200 to a range": whole, "gzip": zipped, "no length": unsized}
	for _, c := range []struct {
		offset, length int64
		want           string
		whole          bool
	}{
		{0, -1, digits, true},
		{3, -1, "3456789", false},
		{0, 4, "0123", false},
		{3, 4, "3456", false},
		{3, 100, "3456789", false},
		{0, 10, digits, true},
		{0, 100, digits, true},
		{9, 1, "9", false},
		{10, -1, "", false},
		{20, 5, "", false},
		{3, 0, "", false},
	} {
		for name, server := range servers {
			w := serve(t, server)
			content, err := w.view().Get(t.Context(), "/x.txt", c.offset, c.length)
			if err != nil {
				t.Errorf("%s, %d+%d: %v", name, c.offset, c.length, err)
				continue
			}
			size, isWhole := content.Size, content.Whole
			got, err := read(t, content)
			if err != nil || got != c.want {
				t.Errorf("%s, %d+%d: got %q, %v; want %q", name, c.offset, c.length, got, err, c.want)
			}
			sized := name == "ranges" || name == "200 to a range"
			if sized && (size != int64(len(c.want)) || isWhole != c.whole) || !sized && size > int64(len(c.want)) {
				t.Errorf("%s, %d+%d: size %d, whole %v", name, c.offset, c.length, size, isWhole)
			}
		}
	}
}

func TestGetTellsHeaders(t *testing.T) {
	w := serve(t, ranged)
	content, err := w.view().Get(t.Context(), "/x.txt", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if content.ETag != `"e"` || !content.Modified.Equal(time.Unix(1_800_000_000, 0)) || !strings.HasPrefix(content.Type, "text/plain") || content.Total != 10 {
		t.Errorf("%+v", content)
	}
	s := w.last(t, "GET")
	if s.Header.Get("Accept-Encoding") != "identity" || s.Header.Get("Range") != "" {
		t.Errorf("headers %v", s.Header)
	}
}

func TestGetNoticesAnEarlyEnd(t *testing.T) {
	cut := func(status int, contentRange string) func(http.ResponseWriter, *http.Request, seen) {
		return func(w http.ResponseWriter, _ *http.Request, _ seen) {
			w.Header().Set("Content-Length", "10")
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(status)
			fmt.Fprint(w, digits[:4])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	for name, c := range map[string]struct {
		offset int64
		server func(http.ResponseWriter, *http.Request, seen)
	}{"whole": {0, cut(200, "")}, "range": {1, cut(206, "bytes 1-10/11")}, "skipped": {6, cut(200, "")}} {
		w := serve(t, c.server)
		content, err := w.view().Get(t.Context(), "/x", c.offset, -1)
		if err == nil {
			_, err = read(t, content)
		}
		if !errors.Is(err, dav.ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A transport that ends without an error of its own.
	client := &davbackend.Client{Base: parse(t, "http://nas.example/"), Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 10, Body: io.NopCloser(strings.NewReader("0123"))}, nil
	})}
	content, err := client.As(davbackend.Credential{}).Get(t.Context(), "/x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, content); !errors.Is(err, dav.ErrIncomplete) {
		t.Errorf("silent end: %v", err)
	}
}

func TestGetRefusesAnotherRange(t *testing.T) {
	for name, contentRange := range map[string]string{
		"other start": "bytes 2-5/10", "none": "", "other unit": "lines 3-6/10", "other size": "bytes 3-9/10", "backwards": "bytes 3-1/10",
	} {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(206)
			fmt.Fprint(w, "3456")
		})
		content, err := w.view().Get(t.Context(), "/x", 3, 4)
		closeContent(content)
		if !errors.Is(err, dav.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := serve(t, ranged)
	for _, r := range [][2]int64{{-1, 5}, {0, -2}} {
		if _, err := w.view().Get(t.Context(), "/x", r[0], r[1]); !errors.Is(err, dav.ErrUnsupported) {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestGetOfBrokenGzip(t *testing.T) {
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	fmt.Fprint(zw, strings.Repeat(digits, 1000))
	zw.Close()
	for name, sent := range map[string][]byte{"not gzip": []byte("plain text"), "cut": z.Bytes()[:z.Len()/2]} {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(sent)
		})
		content, err := w.view().Get(t.Context(), "/x", 0, -1)
		if err == nil {
			_, err = read(t, content)
		}
		if !errors.Is(err, dav.ErrUnavailable) && !errors.Is(err, dav.ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nextcloud answers 423 to GET while somebody's PUT runs.
func TestGetWaitsForAPassingLock(t *testing.T) {
	n := 0
	w := serve(t, func(w http.ResponseWriter, r *http.Request, s seen) {
		if n++; n == 1 {
			w.WriteHeader(http.StatusLocked)
			return
		}
		whole(w, r, s)
	})
	content, err := w.view().Get(t.Context(), "/x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, content); got != digits || err != nil || n != 2 {
		t.Errorf("%q, %v after %d requests", got, err, n)
	}
}
