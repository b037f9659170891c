package davbackend_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

const idle = 80 * time.Millisecond

// The limit is on progress: each byte begins it anew, in both directions, and a slow
// reader or a slow source of ours does not count.
func TestProgressLimit(t *testing.T) {
	release := make(chan struct{})
	hang := func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	w := raw(t, func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimSuffix(r.URL.Path, "/") {
		case "/base/silent":
			_, _ = io.Copy(io.Discard, r.Body)
			hang(r)
		case "/base/stops":
			fmt.Fprint(w, strings.Repeat("x", 100))
			w.(http.Flusher).Flush()
			hang(r)
		case "/base/never-reads":
			hang(r)
		case "/base/slow":
			for range 6 {
				fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(idle / 2)
			}
		case "/base/quick":
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, strings.Repeat("x", 1000))
		}
	})
	t.Cleanup(func() { close(release) })
	w.Idle = idle
	v := w.view()
	get := func(p string) (string, error) {
		content, err := v.Get(t.Context(), path(t, p), 0, -1)
		if err != nil {
			return "", err
		}
		return read(t, content)
	}
	large := davbackend.Body{Size: 64 << 20, Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, 64<<20)), nil }}
	for name, err := range map[string]error{
		"no answer to GET":         second(get("/silent")),
		"GET stops in the middle":  second(get("/stops")),
		"no answer to PUT":         v.Put(t.Context(), "/silent", body("x"), davbackend.Condition{}),
		"PUT's body is not taken":  v.Put(t.Context(), "/never-reads", large, davbackend.Condition{}),
		"no answer to PROPFIND":    second(v.Stat(t.Context(), "/silent")),
		"no answer to MOVE":        v.Move(t.Context(), "/silent", "/x", true, davbackend.Condition{}, davbackend.Condition{}),
		"no answer to a listing":   v.List(t.Context(), "/silent", func(dav.Resource) error { return nil }),
		"lock is not answered":     second3(v.Lock(t.Context(), "/silent", davbackend.LockRequest{})),
		"refusal that never comes": v.Unlock(t.Context(), "/silent", "t:1"),
	} {
		if !errors.Is(err, dav.ErrUnavailable) || !strings.Contains(err.Error(), "no byte moved for 80ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := get("/slow"); err != nil || got != "xxxxxx" {
		t.Errorf("longer than the limit in all, but moving: %q, %v", got, err)
	}
	content, err := v.Get(t.Context(), "/quick", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if got, err := read(t, content); err != nil || len(got) != 1000 {
		t.Errorf("slow reader of ours: %d bytes, %v", len(got), err)
	}
	slow := davbackend.Body{Size: 3, Open: func() (io.ReadCloser, error) {
		time.Sleep(100 * time.Millisecond)
		return io.NopCloser(&slowReader{left: 3}), nil
	}}
	if err := v.Put(t.Context(), "/quick", slow, davbackend.Condition{}); err != nil {
		t.Errorf("slow source of ours: %v", err)
	}
}

// Who waits for one of a few connections has not been kept waiting by the upstream: as long
// as it answers others, it is not away. But nobody waits for ever.
func TestWaitingForAConnectionIsNoSilence(t *testing.T) {
	const idle = 500 * time.Millisecond
	w := raw(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, strings.Repeat("x", 100_000))
	})
	transport := davbackend.NewTransport()
	transport.MaxConnsPerHost = 1
	w.Idle, w.Transport = idle, transport
	t.Cleanup(transport.CloseIdleConnections)
	first, err := w.view().Get(t.Context(), path(t, "/a"), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	put := make(chan error, 1)
	go func() { put <- w.view().Put(t.Context(), "/b", body("x"), davbackend.Condition{}) }()
	select {
	case err := <-put:
		t.Errorf("while the only connection is in use: %v", err)
	case <-time.After(2 * idle):
	}
	if got, err := read(t, first); err != nil || len(got) != 100_000 {
		t.Errorf("who has the connection: %d bytes, %v", len(got), err)
	}
	if !t.Failed() {
		if err := <-put; err != nil {
			t.Error(err)
		}
	}
	if first, err = w.view().Get(t.Context(), path(t, "/a"), 0, -1); err != nil {
		t.Fatal(err)
	}
	w.Idle = 20 * time.Millisecond
	err = w.view().Put(t.Context(), "/b", body("x"), davbackend.Condition{})
	if !errors.Is(err, dav.ErrUnavailable) || !strings.Contains(err.Error(), "no connection was free for 200ms") {
		t.Errorf("while the only connection stays in use: %v", err)
	}
	first.Close()
}

func second[T any](_ T, err error) error        { return err }
func second3[T, U any](_ T, _ U, e error) error { return e }

// slowReader takes longer than the limit for each byte.
type slowReader struct{ left int }

func (r *slowReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(idle)
	r.left--
	p[0] = 'x'
	return 1, nil
}

// A connection that the server closed in between is no fault of the upstream for
// methods that change nothing.
func TestStatSurvivesADyingConnection(t *testing.T) {
	n := 0
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if n++; n == 2 {
			panic(http.ErrAbortHandler)
		}
		multi(w, file("/base/a", ""))
	})
	for i := range 2 {
		if _, err := w.view().Stat(t.Context(), "/a"); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if n != 3 {
		t.Errorf("%d requests", n)
	}
}

// A PUT whose answer is lost is not sent again: it may have happened.
func TestPutIsNotRepeatedAfterALostAnswer(t *testing.T) {
	var n atomic.Int32 // the broken answer orders nothing between the goroutines
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Method == "PUT" {
			n.Add(1)
			panic(http.ErrAbortHandler)
		}
		multi(w, file("/base/a", ""))
	})
	if _, err := w.view().Stat(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{})
	if !errors.Is(err, dav.ErrUnavailable) || n.Load() != 1 {
		t.Errorf("%v after %d PUTs", err, n.Load())
	}
}
