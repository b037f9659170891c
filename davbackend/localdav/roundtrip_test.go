//go:build linux

package localdav

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func inside(f http.HandlerFunc) http.RoundTripper { return inProcess{f} }

func clientRequest(t *testing.T, ctx context.Context, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "PUT", "http://ann:secret@host.invalid:81/a%20b?q=1", body)
	must(t, err)
	return r
}

// The handler sees what a server would have given it.
func TestRequestIsAServers(t *testing.T) {
	rt := inside(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		data, _ := io.ReadAll(r.Body)
		fmt.Fprintln(w, r.Method, r.RequestURI, r.URL.Path, r.URL.Host, r.Host, r.RemoteAddr, r.Proto, r.ContentLength,
			r.TransferEncoding, user, password, r.Header.Get("X"), string(data))
	})
	for _, c := range []struct {
		body io.Reader
		want string
	}{
		{nil, "0 [] ann secret y "},
		{strings.NewReader("text"), "4 [] ann secret y text"},
		{io.MultiReader(strings.NewReader("text")), "-1 [chunked] ann secret y text"},
	} {
		r := clientRequest(t, t.Context(), c.body)
		r.Header.Set("X", "y")
		res, err := rt.RoundTrip(r)
		must(t, err)
		data, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if got := strings.TrimSuffix(string(data), "\n"); got != "PUT /a%20b?q=1 /a b  host.invalid:81 in-process HTTP/1.1 "+c.want {
			t.Errorf("%q", got)
		}
		if res.StatusCode != 200 || res.Status != "200 OK" || res.Proto != "HTTP/1.1" || res.ContentLength != int64(len(data)) ||
			res.Request != r || res.Header.Get("Date") == "" {
			t.Errorf("%+v", res)
		}
		if r.URL.User == nil || r.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
	}
}

func TestAnswerIsAServers(t *testing.T) {
	for _, c := range []struct {
		name, method string
		handler      http.HandlerFunc
		status       int
		length       int64
		body         string
		fails        bool
	}{
		{"nothing", "GET", func(http.ResponseWriter, *http.Request) {}, 200, 0, "", false},
		{"first status counts", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(404)
			w.WriteHeader(200)
		}, 404, 0, "", false},
		{"no content", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			io.WriteString(w, "x")
		}, 204, -1, "", false},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "7")
			io.WriteString(w, "ignored")
		}, 200, 7, "", false},
		{"long", "GET", func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 1000))
			}
		}, 200, -1, strings.Repeat("x", 100_000), false},
		{"long, announced", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, strings.Repeat("x", 100_000))
		}, 200, 100_000, strings.Repeat("x", 100_000), false},
		{"shorter than announced", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "x")
		}, 200, 5, "x", true},
		{"longer than announced", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			io.WriteString(w, "x")
			if _, err := io.WriteString(w, "y"); err != http.ErrContentLength {
				panic(err)
			}
		}, 200, 1, "x", false},
		{"headers after the status do not count", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.Header().Set("Late", "x")
		}, 200, 0, "", false},
		{"flushed", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "a")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			io.WriteString(w, "b")
		}, 200, -1, "ab", false},
		{"panic in the middle", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 10_000))
			panic("oh")
		}, 200, -1, strings.Repeat("x", 10_000), true},
		{"abort in the middle", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 10_000))
			panic(http.ErrAbortHandler)
		}, 200, -1, strings.Repeat("x", 10_000), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, "http://x/", nil)
			must(t, err)
			res, err := inside(c.handler).RoundTrip(r)
			must(t, err)
			data, err := io.ReadAll(res.Body)
			must(t, res.Body.Close())
			if res.StatusCode != c.status || res.ContentLength != c.length || string(data) != c.body || (err != nil) != c.fails {
				t.Error(res.StatusCode, res.ContentLength, len(data), err)
			}
			if res.Header.Get("Late") != "" {
				t.Error(res.Header)
			}
		})
	}
}

func TestPanicIsAnError(t *testing.T) {
	r := clientRequest(t, t.Context(), strings.NewReader("x"))
	if _, err := inside(func(http.ResponseWriter, *http.Request) { panic("oh") }).RoundTrip(r); !errors.Is(err, errPanic) {
		t.Error(err)
	}
	if _, err := inside(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).RoundTrip(r); !errors.Is(err, errAborted) {
		t.Error(err)
	}
}

// Both bodies stream at the same time: each line is answered before the next is sent.
func TestBothWaysAtOnce(t *testing.T) {
	rt := inside(func(w http.ResponseWriter, r *http.Request) {
		for in := bufio.NewScanner(r.Body); in.Scan(); {
			fmt.Fprintln(w, in.Text())
			w.(http.Flusher).Flush()
		}
	})
	pr, pw := io.Pipe()
	go fmt.Fprintln(pw, "first")
	res, err := rt.RoundTrip(clientRequest(t, t.Context(), pr))
	must(t, err)
	in := bufio.NewReader(res.Body)
	for n := range 3 {
		if line, err := in.ReadString('\n'); err != nil || line == "" {
			t.Fatal(line, err)
		}
		fmt.Fprintln(pw, n)
	}
	must(t, pw.Close())
	if _, err := io.ReadAll(in); err != nil {
		t.Error(err)
	}
	must(t, res.Body.Close())
}

// The context ends a handler that waits, wherever it waits.
func TestCancel(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"for nothing":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"for the body":   func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) },
		"for the reader": func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, endless{}) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			ended := make(chan struct{})
			rt := inside(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				handler(w, r)
			})
			pr, _ := io.Pipe()
			res, err := rt.RoundTrip(clientRequest(t, ctx, pr))
			if err == nil {
				<-ctx.Done()
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			<-ended
		})
	}
	t.Run("closing the answer", func(t *testing.T) {
		ended := make(chan error, 1)
		rt := inside(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, endless{})
			<-r.Context().Done()
			ended <- err
		})
		res, err := rt.RoundTrip(clientRequest(t, t.Context(), nil))
		must(t, err)
		must(t, res.Body.Close())
		if err := <-ended; err == nil {
			t.Error("the handler was not told")
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
