package davbackend_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

func TestPutSendsALength(t *testing.T) {
	for _, content := range []string{"hello", ""} {
		w := serve(t, status(201))
		if err := w.view().Put(t.Context(), "/a b#?.odt", body(content), davbackend.Condition{}); err != nil {
			t.Fatal(err)
		}
		s := w.last(t, "PUT")
		if s.Body != content || s.Length != int64(len(content)) || s.Chunked || s.Header.Get("Content-Length") != fmt.Sprint(len(content)) ||
			s.Header.Get("Content-Type") != "application/octet-stream" || s.Header.Get("Content-Range") != "" || s.Header.Get("If") != "" {
			t.Errorf("%+v", s)
		}
		if s.URI != "/base/a%20b%23%3F.odt" {
			t.Errorf("address %s", s.URI)
		}
	}
}

func TestPutSuccesses(t *testing.T) {
	for _, code := range []int{200, 201, 202, 204} {
		w := serve(t, status(code))
		if err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{}); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// The forms of upstreams.md 3.4: an absolute URL as the tag, never both headers.
func TestConditionForms(t *testing.T) {
	both := davbackend.Condition{Token: "urn:uuid:1", ETag: `W/"e"`}
	for _, c := range []struct {
		name      string
		form      davbackend.LockForm
		condition davbackend.Condition
		want      map[string]string // header -> value, {url} is the absolute URL
	}{
		{"tagged, both", davbackend.FormTagged, both, map[string]string{"If": `<{url}> (<urn:uuid:1> [W/"e"])`}},
		{"tagged, token", davbackend.FormTagged, davbackend.Condition{Token: "urn:uuid:1"}, map[string]string{"If": `<{url}> (<urn:uuid:1>)`}},
		{"tagged, ETag: If, since Apache refuses weak If-Match", davbackend.FormTagged, davbackend.Condition{ETag: `"e"`}, map[string]string{"If": `<{url}> (["e"])`}},
		{"untagged, both", davbackend.FormUntagged, both, map[string]string{"If": `(<urn:uuid:1> [W/"e"])`}},
		{"Lock-Token, both", davbackend.FormLockToken, both, map[string]string{"Lock-Token": "<urn:uuid:1>", "If-Match": `W/"e"`}},
		{"absent", davbackend.FormTagged, davbackend.Condition{Absent: true}, map[string]string{"If-None-Match": "*"}},
		{"none", davbackend.FormTagged, davbackend.Condition{}, nil},
	} {
		w := serve(t, status(204))
		w.Assumed.Form = c.form
		v := w.view()
		calls := map[string]func() error{
			"PUT":    func() error { return v.Put(t.Context(), "/ä", body("x"), c.condition) },
			"DELETE": func() error { return v.Delete(t.Context(), "/ä", c.condition) },
		}
		for method, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s, %s: %v", c.name, method, err)
			}
			s := w.last(t, method)
			for _, name := range []string{"If", "If-Match", "If-None-Match", "Lock-Token"} {
				want := strings.ReplaceAll(c.want[name], "{url}", w.Base.String()+"%C3%A4")
				if got := s.Header.Get(name); got != want {
					t.Errorf("%s, %s: %s is %q, want %q", c.name, method, name, got, want)
				}
			}
		}
	}
}

// TestTokenOnAnUnmeasuredUpstream: OpenCloud takes a token in Lock-Token only. Where it
// is known how tokens are shown nothing else is tried.
func TestTokenOnAnUnmeasuredUpstream(t *testing.T) {
	for _, c := range []struct {
		profile davbackend.Profile
		want    error
		puts    int
	}{{davbackend.Unknown, nil, 2}, {davbackend.Embedded, dav.ErrLocked, 1}} {
		w := serve(t, func(rw http.ResponseWriter, r *http.Request, s seen) {
			switch {
			case s.Method != "PUT":
				rw.WriteHeader(http.StatusNotFound)
			case s.Header.Get("If") == "" && s.Header.Get("Lock-Token") == "<urn:t>" && s.Body == "x":
				rw.WriteHeader(http.StatusNoContent)
			default:
				rw.WriteHeader(http.StatusLocked)
			}
		})
		w.Assumed = c.profile
		err := w.As(davbackend.Credential{}).Put(t.Context(), "/a", body("x"), davbackend.Condition{Token: "urn:t"})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.profile.Name, err, c.want)
		}
		puts := 0
		for _, s := range w.seen {
			if s.Method == "PUT" {
				puts++
			}
		}
		if puts != c.puts {
			t.Errorf("%s: %d PUTs, want %d", c.profile.Name, puts, c.puts)
		}
	}
}

// TestAbsentOnOpenCloud: it honours If-Match and ignores If-None-Match.
func TestAbsentOnOpenCloud(t *testing.T) {
	s := upstream.Strict(t)
	s.Quirks.Set(upstream.As("opencloud"))
	s.Write(t, "a", "theirs")
	c := s.Client(t)
	c.Assumed = davbackend.Profile{Name: "opencloud", InPlace: true, Conditions: true, Form: davbackend.FormLockToken}
	err := c.As(s.Credential()).Put(t.Context(), "/a", body("ours"), davbackend.Condition{Absent: true})
	if got, _ := s.Read(t, "a"); !errors.Is(err, dav.ErrExists) || got != "theirs" {
		t.Errorf("%v, the file holds %q", err, got)
	}
	if err := c.As(s.Credential()).Put(t.Context(), "/b", body("ours"), davbackend.Condition{Absent: true}); err != nil {
		t.Errorf("where nothing is: %v", err)
	}
}

func TestTokenThatCannotBeSentIsRefused(t *testing.T) {
	w := serve(t, status(204))
	c := davbackend.Condition{Token: "a>\r\nX: y"}
	for name, err := range map[string]error{
		"PUT":    w.view().Put(t.Context(), "/a", body("x"), c),
		"MOVE":   w.view().Move(t.Context(), "/a", "/b", true, davbackend.Condition{}, c),
		"UNLOCK": w.view().Unlock(t.Context(), "/a", c.Token),
	} {
		if !errors.Is(err, dav.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.requests()) != 0 {
		t.Errorf("sent %v", w.requests())
	}
}

// Where conditions are not honoured they are looked at before and not sent.
func TestConditionsThatTheUpstreamIgnores(t *testing.T) {
	for _, c := range []struct {
		name  string
		there string // getetag, "" nothing there
		cond  davbackend.Condition
		want  error
	}{
		{"same contents", `"e"`, davbackend.Condition{ETag: `"e"`, Token: "t:1"}, nil},
		{"same contents, weak meanwhile", `W/"e"`, davbackend.Condition{ETag: `"e"`}, nil},
		{"other contents", `"f"`, davbackend.Condition{ETag: `"e"`}, dav.ErrChanged},
		{"gone", "", davbackend.Condition{ETag: `"e"`}, dav.ErrChanged},
		{"absent", "", davbackend.Condition{Absent: true}, nil},
		{"not absent", `"e"`, davbackend.Condition{Absent: true}, dav.ErrExists},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method != "PROPFIND":
				w.WriteHeader(204)
			case c.there == "":
				w.WriteHeader(404)
			default:
				multi(w, file("/base/a", "<d:getetag>"+c.there+"</d:getetag>"))
			}
		})
		w.Learn(davbackend.Unknown)
		err := w.view().Put(t.Context(), "/a", body("x"), c.cond)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		sent := strings.Contains(strings.Join(w.requests(), " "), "PUT")
		if sent != (c.want == nil) {
			t.Errorf("%s: sent %v", c.name, w.requests())
		}
		if sent {
			s := w.last(t, "PUT")
			if strings.Contains(s.Header.Get("If"), "[") || s.Header.Get("If-None-Match") != "" || c.cond.Token != "" && s.Header.Get("If") == "" {
				t.Errorf("%s: headers %v", c.name, s.Header)
			}
		}
	}
}

func TestAbsentThatIsNotHoldsAsExists(t *testing.T) {
	w := serve(t, status(412))
	if err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{Absent: true}); !errors.Is(err, dav.ErrExists) {
		t.Error(err)
	}
}

func TestConflictWithAnETagIsAChange(t *testing.T) {
	w := serve(t, status(409))
	w.Assumed.Form = davbackend.FormLockToken
	if err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{ETag: `"e"`}); !errors.Is(err, dav.ErrChanged) {
		t.Errorf("OpenCloud's 409 to If-Match: %v", err)
	}
}

// A body of another length never reaches the upstream as a whole one.
func TestBodyOfAnotherLength(t *testing.T) {
	broken := errors.New("disk")
	for _, c := range []struct {
		name string
		body davbackend.Body
		want error
	}{
		{"shorter", sized(10, strings.NewReader("0123")), dav.ErrIncomplete},
		{"longer", sized(4, strings.NewReader(digits)), dav.ErrIncomplete},
		{"longer, in one more read", sized(4, io.MultiReader(strings.NewReader("0123"), strings.NewReader("4"))), dav.ErrIncomplete},
		{"empty", sized(4, strings.NewReader("")), dav.ErrIncomplete},
		{"read error", sized(10, io.MultiReader(strings.NewReader("0123"), failing{broken})), broken},
		{"read error after the last byte", sized(4, io.MultiReader(strings.NewReader("0123"), failing{broken})), broken},
		{"cannot be opened", davbackend.Body{Size: 4, Open: func() (io.ReadCloser, error) { return nil, broken }}, broken},
		{"negative", davbackend.Body{Size: -1, Open: body("").Open}, dav.ErrUnsupported},
		{"no Open", davbackend.Body{Size: 1}, dav.ErrUnsupported},
	} {
		var complete atomic.Bool
		w := serve(t, func(w http.ResponseWriter, r *http.Request, s seen) {
			complete.Store(int64(len(s.Body)) == s.Length)
			w.WriteHeader(201)
		})
		if err := w.view().Put(t.Context(), "/a", c.body, davbackend.Condition{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if complete.Load() {
			t.Errorf("%s: the upstream saw a whole request", c.name)
		}
	}
}

func sized(n int64, r io.Reader) davbackend.Body {
	return davbackend.Body{Size: n, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A large body is not sent to a server that refuses it, and 417 is not the end.
func TestLargeBodiesWaitForTheServer(t *testing.T) {
	large := strings.Repeat("x", 2<<20)
	var opened atomic.Int32
	b := davbackend.Body{Size: int64(len(large)), Open: func() (io.ReadCloser, error) {
		opened.Add(1)
		return io.NopCloser(strings.NewReader(large)), nil
	}}
	var got atomic.Int64
	w := raw(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PROPFIND" {
			w.WriteHeader(404)
			return
		}
		switch r.URL.Path {
		case "/base/locked":
			w.WriteHeader(423)
		case "/base/417":
			if r.Header.Get("Expect") != "" {
				w.WriteHeader(417)
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			got.Store(n)
			w.WriteHeader(204)
		}
	})
	if err := w.view().Put(t.Context(), "/locked", b, davbackend.Condition{}); !errors.Is(err, dav.ErrLocked) {
		t.Errorf("early 423: %v", err)
	}
	if err := w.view().Put(t.Context(), "/417", b, davbackend.Condition{}); err != nil || got.Load() != b.Size {
		t.Errorf("417: %v, %d bytes", err, got.Load())
	}
}

func TestMkcol(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		there bool
		want  error
	}{
		{"made", 201, false, nil},
		{"RFC 4918 9.3.1: 405, something is there", 405, true, dav.ErrExists},
		{"RFC 4918 9.3.1: 409, no parent", 409, false, dav.ErrNotFound},
		{"409 for a file that is there", 409, true, dav.ErrExists},
		{"507", 507, false, dav.ErrFull},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method != "PROPFIND":
				w.WriteHeader(c.code)
			case c.there:
				multi(w, file("/base/d", ""))
			default:
				w.WriteHeader(404)
			}
		})
		if err := w.view().Mkcol(t.Context(), "/d"); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if s := w.last(t, "MKCOL"); s.URI != "/base/d/" {
			t.Errorf("%s: address %s", c.name, s.URI)
		}
	}
}

func TestDeleteOfTheRootIsRefused(t *testing.T) {
	w := serve(t, status(204))
	if err := w.view().Delete(t.Context(), dav.Root, davbackend.Condition{}); !errors.Is(err, dav.ErrDenied) || len(w.requests()) != 0 {
		t.Errorf("%v, %v", err, w.requests())
	}
}

// A gigabyte would not fit: what is sent is never held.
func TestPutStreams(t *testing.T) {
	const size = 8 << 20
	w := raw(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n != size || err != nil {
			w.WriteHeader(500)
			return
		}
		w.WriteHeader(201)
	})
	largest := 0
	b := davbackend.Body{Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(&watchedReader{r: io.LimitReader(zeros{}, size), largest: &largest}), nil
	}}
	if err := w.view().Put(t.Context(), "/a", b, davbackend.Condition{}); err != nil {
		t.Fatal(err)
	}
	if largest > 1<<20 {
		t.Errorf("read %d bytes at once", largest)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type watchedReader struct {
	r       io.Reader
	largest *int
}

func (w *watchedReader) Read(p []byte) (int, error) {
	*w.largest = max(*w.largest, len(p))
	return w.r.Read(p)
}
