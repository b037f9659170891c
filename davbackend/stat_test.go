package davbackend_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

func TestStatAsksForWhatItNeeds(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		multi(w, file("/base/a", "<d:getcontentlength>3</d:getcontentlength>"))
	})
	extra := dav.PropName{Space: "urn:x", Local: "stamp"}
	res, err := w.view().Stat(t.Context(), "/a", extra)
	if err != nil || res.Size != 3 || res.Path != "/a" {
		t.Fatalf("%+v, %v", res, err)
	}
	s := w.last(t, "PROPFIND")
	if s.Header.Get("Depth") != "0" || !strings.HasPrefix(s.Header.Get("Content-Type"), "application/xml") || s.Chunked ||
		s.Header.Get("Accept-Encoding") != "identity" || s.Header.Get("X-Idempotency-Key") != "" {
		t.Errorf("headers %v", s.Header)
	}
	for _, name := range []string{"resourcetype", "getcontentlength", "getetag", "getlastmodified", "getcontenttype", "displayname",
		"lockdiscovery", "resource-id", "quota-available-bytes", ":id", ":fileid", ":stamp"} {
		if !strings.Contains(s.Body, name+"/>") {
			t.Errorf("does not ask for %s", name)
		}
	}
	if strings.Contains(s.Body, "allprop") {
		t.Error("asks for allprop")
	}
}

func TestStatAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter)
		want   dav.Resource
		err    error
	}{
		{"207", func(w http.ResponseWriter) { multi(w, file("/base/a", "<d:getetag>x</d:getetag>")) },
			dav.Resource{Path: "/a", ETag: `"x"`}, nil},
		{"200 with a multistatus", func(w http.ResponseWriter) {
			fmt.Fprint(w, `<multistatus xmlns="DAV:"><response><href>/base/a</href></response></multistatus>`)
		}, dav.Resource{Path: "/a"}, nil},
		{"href in another Unicode form", func(w http.ResponseWriter) { multi(w, file("/base/%C3%A9", "")) },
			dav.Resource{Path: "/a"}, nil},
		{"a server that ignores Depth", func(w http.ResponseWriter) {
			multi(w, file("/base/a/b", "<d:getetag>b</d:getetag>"), file("/base/a/", isCollection))
		}, dav.Resource{Path: "/a", Collection: true}, nil},
		{"404 inside", func(w http.ResponseWriter) {
			multi(w, "<d:response><d:href>/base/a</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>")
		}, dav.Resource{}, dav.ErrNotFound},
		{"403 inside", func(w http.ResponseWriter) {
			multi(w, "<d:response><d:href>/base/a</d:href><d:status>HTTP/1.1 403 x</d:status></d:response>")
		}, dav.Resource{}, dav.ErrDenied},
		{"nothing inside", func(w http.ResponseWriter) { multi(w) }, dav.Resource{}, dav.ErrNotFound},
	} {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) { c.answer(w) })
		res, err := w.view().Stat(t.Context(), "/a")
		if !errors.Is(err, c.err) || res.Path != c.want.Path || res.ETag != c.want.ETag || res.Collection != c.want.Collection {
			t.Errorf("%s: %+v, %v", c.name, res, err)
		}
	}
}

func TestSlashRedirectOfPropfind(t *testing.T) {
	for _, c := range []struct {
		name, location string
		status         int
		follows        bool
	}{
		{"301 to the path", "/base/dir/", 301, true},
		{"308 to the absolute URL", "http://{host}/base/dir/", 308, true},
		{"301 with the inner scheme and host of a proxied server: the path alone counts", "http://inner:8080/base/dir/", 301, true},
		{"301 to elsewhere", "https://evil.example/base/other/", 301, false},
		{"301 without slash", "/base/dir", 301, false},
		{"301 without Location", "", 301, false},
		{"303 is for browsers", "/base/dir/", 303, false},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			if strings.HasSuffix(r.URL.Path, "/") {
				multi(w, file("/base/dir/", isCollection))
				return
			}
			w.Header().Set("Location", strings.Replace(c.location, "{host}", r.Host, 1))
			w.WriteHeader(c.status)
		})
		res, err := w.view().Stat(t.Context(), "/dir")
		if c.follows != (err == nil && res.Collection) {
			t.Errorf("%s: %+v, %v", c.name, res, err)
		}
		if n := len(w.requests()); c.follows && n != 2 || !c.follows && n != 1 {
			t.Errorf("%s: requests %v", c.name, w.requests())
		}
	}
	loop := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		w.Header().Set("Location", "/base/dir/")
		w.WriteHeader(301)
	})
	if _, err := loop.view().Stat(t.Context(), "/dir"); !errors.Is(err, dav.ErrUnavailable) || len(loop.requests()) != 2 {
		t.Errorf("followed more than once: %v, %v", loop.requests(), err)
	}
}

func TestListSortsOut(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		multi(w,
			file("/base/d%c3%a9/", isCollection),
			file("http://inner/base/d%C3%A9/a.odt", "<d:getcontentlength>1</d:getcontentlength>"),
			file("/base/d%C3%A9/sub/", isCollection),
			file("/base//d%C3%A9//b%20c", ""),
			file("/base/d%C3%A9/sub/deeper", ""),
			file("/base/other", ""),
			file("/base/", isCollection),
			file("/elsewhere/x", ""),
			file("/base/d%C3%A9/..%2f..%2fetc", ""),
			file("/base/d%C3%A9/%2e%2e", ""),
			file("/base/d%C3%A9/nul%00", ""),
			"<d:response><d:href>/base/d%C3%A9/hidden</d:href><d:status>HTTP/1.1 403 x</d:status></d:response>",
		)
	})
	var got []string
	err := w.view().List(t.Context(), "/dé", func(r dav.Resource) error { got = append(got, string(r.Path)); return nil })
	want := []string{"/dé/a.odt", "/dé/sub", "/dé/b c"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	s := w.last(t, "PROPFIND")
	if s.Header.Get("Depth") != "1" || s.URI != "/base/d%C3%A9/" || strings.Contains(s.Body, "lockdiscovery") {
		t.Errorf("%s %v %s", s.URI, s.Header, s.Body)
	}
}

// A server that keeps names in another Unicode form than we asked with (rclone).
func TestListOfAFolderThatTheServerSpellsOtherwise(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		multi(w, file("/base/%C3%A9/", isCollection), file("/base/%C3%A9/a", ""))
	})
	var got []dav.Path
	err := w.view().List(t.Context(), "/e\u0301", func(r dav.Resource) error { got = append(got, r.Path); return nil })
	if err != nil || !slices.Equal(got, []dav.Path{"/e\u0301/a"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestListErrors(t *testing.T) {
	enough := errors.New("enough")
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter)
		want   error
	}{
		{"a file", func(w http.ResponseWriter) { multi(w, file("/base/a", "<d:resourcetype/>")) }, dav.ErrUnsupported},
		{"refused inside", func(w http.ResponseWriter) {
			multi(w, "<d:response><d:href>/base/a/</d:href><d:status>HTTP/1.1 403 x</d:status></d:response>")
		}, dav.ErrDenied},
		{"the caller's own error", func(w http.ResponseWriter) { multi(w, file("/base/a/", isCollection), file("/base/a/b", "")) }, enough},
		{"broken off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<d:multistatus xmlns:d="DAV:">`+file("/base/a/", isCollection)+"<d:response>")
		}, dav.ErrIncomplete},
	} {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) { c.answer(w) })
		err := w.view().List(t.Context(), "/a", func(dav.Resource) error {
			if c.want == enough {
				return enough
			}
			return nil
		})
		if !errors.Is(err, c.want) || c.want == enough && err != enough {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestByNativeIDHasNoLookUp(t *testing.T) {
	v := (&davbackend.Client{Base: parse(t, "http://nas.example/")}).As(davbackend.Credential{})
	if _, err := v.ByNativeID(t.Context(), "1"); !errors.Is(err, dav.ErrUnsupported) {
		t.Error(err)
	}
}

func TestTripsAreCounted(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) { multi(w, file("/base/a", "")) })
	outer, all := davbackend.CountTrips(t.Context())
	inner, some := davbackend.CountTrips(outer)
	for range 2 {
		if _, err := w.view().Stat(inner, "/a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.view().Stat(outer, "/a"); err != nil {
		t.Fatal(err)
	}
	if all() != 3 || some() != 2 {
		t.Errorf("counted %d and %d", all(), some())
	}
}
