package davbackend_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

func TestMoveHeaders(t *testing.T) {
	none := davbackend.Condition{}
	for _, c := range []struct {
		name           string
		form           davbackend.LockForm
		overwrite      bool
		source, target davbackend.Condition
		want           map[string]string
	}{
		{"plain", davbackend.FormTagged, true, none, none, map[string]string{"Overwrite": "T"}},
		{"RFC 4918 10.6: Overwrite F", davbackend.FormTagged, false, none, none, map[string]string{"Overwrite": "F"}},
		{"Absent is Overwrite F", davbackend.FormTagged, true, none, davbackend.Condition{Absent: true}, map[string]string{"Overwrite": "F"}},
		{"lock on the target", davbackend.FormTagged, true, none, davbackend.Condition{Token: "t:2", ETag: `"e"`},
			map[string]string{"Overwrite": "T", "If": `<{base}b%20c> (<t:2> ["e"])`}},
		{"lock on the target, where other writes are untagged", davbackend.FormUntagged, true, none, davbackend.Condition{Token: "t:2"},
			map[string]string{"Overwrite": "T", "If": `<{base}b%20c> (<t:2>)`}},
		{"lock on the source", davbackend.FormTagged, true, davbackend.Condition{Token: "t:1"}, none,
			map[string]string{"Overwrite": "T", "If": `<{base}a> (<t:1>)`}},
		{"locks on both", davbackend.FormTagged, true, davbackend.Condition{Token: "t:1"}, davbackend.Condition{Token: "t:2"},
			map[string]string{"Overwrite": "T", "If": `<{base}a> (<t:1>) <{base}b%20c> (<t:2>)`}},
		{"Lock-Token", davbackend.FormLockToken, true, davbackend.Condition{Token: "t:1", ETag: `"e"`}, none,
			map[string]string{"Overwrite": "T", "Lock-Token": "<t:1>", "If-Match": `"e"`}},
		{"Lock-Token for the target", davbackend.FormLockToken, true, none, davbackend.Condition{Token: "t:2"},
			map[string]string{"Overwrite": "T", "Lock-Token": "<t:2>"}},
	} {
		w := serve(t, status(201))
		w.Assumed.Form = c.form
		if err := w.view().Move(t.Context(), "/a", "/b c", c.overwrite, c.source, c.target); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		s := w.last(t, "MOVE")
		c.want["Destination"] = "{base}b%20c"
		for _, name := range []string{"Destination", "Overwrite", "If", "If-Match", "Lock-Token", "Depth"} {
			want := strings.ReplaceAll(c.want[name], "{base}", w.Base.String())
			if got := s.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
			}
		}
	}
}

// The lists of an If are alternatives: with a list about the source, the target's
// ETag must be looked at before.
func TestMoveLooksAtTheTargetWhereNoHeaderCan(t *testing.T) {
	for _, c := range []struct {
		name    string
		profile davbackend.Profile
		source  davbackend.Condition
		etag    string
		want    error
	}{
		{"conditions ignored, same", davbackend.Unknown, davbackend.Condition{}, `"e"`, nil},
		{"conditions ignored, changed", davbackend.Unknown, davbackend.Condition{}, `"f"`, dav.ErrChanged},
		{"source locked, same", davbackend.Embedded, davbackend.Condition{Token: "t:1"}, `"e"`, nil},
		{"source locked, changed", davbackend.Embedded, davbackend.Condition{Token: "t:1"}, `"f"`, dav.ErrChanged},
		{"target gone", davbackend.Unknown, davbackend.Condition{}, "", dav.ErrChanged},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method == "MOVE":
				w.WriteHeader(204)
			case c.etag == "":
				w.WriteHeader(404)
			default:
				multi(w, file("/base/b", "<d:getetag>"+c.etag+"</d:getetag>"))
			}
		})
		w.Learn(c.profile)
		err := w.view().Move(t.Context(), "/a", "/b", true, c.source, davbackend.Condition{ETag: `"e"`})
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if moved := strings.Contains(strings.Join(w.requests(), " "), "MOVE"); moved != (c.want == nil) {
			t.Errorf("%s: requests %v", c.name, w.requests())
		}
	}
}

func TestTransferErrors(t *testing.T) {
	none := davbackend.Condition{}
	for _, c := range []struct {
		name      string
		code      int
		overwrite bool
		target    davbackend.Condition
		there     map[string]bool // paths that PROPFIND finds
		want      error
	}{
		{"RFC 4918 9.9.4: 412, Overwrite F", 412, false, none, nil, dav.ErrExists},
		{"412 with a condition, something there", 412, false, davbackend.Condition{Token: "t:1"}, map[string]bool{"/base/d/b": true}, dav.ErrExists},
		{"412 with a condition, nothing there", 412, false, davbackend.Condition{Token: "t:1"}, nil, dav.ErrChanged},
		{"412 with overwrite", 412, true, davbackend.Condition{Token: "t:1"}, map[string]bool{"/base/d/b": true}, dav.ErrChanged},
		{"409, no parent", 409, true, none, nil, dav.ErrNotFound},
		{"x/net: 403, no parent", 403, true, none, nil, dav.ErrNotFound},
		{"403, both there", 403, true, none, map[string]bool{"/base/d": true, "/base/a": true}, dav.ErrDenied},
		{"rclone: 403, no source", 403, true, none, map[string]bool{"/base/d": true}, dav.ErrNotFound},
		{"Apache: 500, no parent", 500, true, none, nil, dav.ErrNotFound},
		{"500, parent there, source moved or not", 500, true, none, map[string]bool{"/base/d": true}, dav.ErrUnavailable},
		{"502", 502, true, none, nil, dav.ErrUnavailable},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method != "PROPFIND":
				w.WriteHeader(c.code)
			case c.there[r.URL.Path]:
				multi(w, file(r.URL.Path, ""))
			default:
				w.WriteHeader(404)
			}
		})
		for method, err := range map[string]error{
			"MOVE": w.view().Move(t.Context(), "/a", "/d/b", c.overwrite, none, c.target),
			"COPY": w.view().Copy(t.Context(), "/a", "/d/b", c.overwrite, c.target),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", c.name, method, err, c.want)
			}
		}
	}
}

// Apache 301, lighttpd 308, nginx 400 and 409: once more with slashes, if it is one.
func TestCollectionsAreAddressedWithSlash(t *testing.T) {
	for _, c := range []struct {
		name       string
		code       int
		collection bool
		tried      bool
	}{
		{"301", 301, true, true}, {"308", 308, true, true}, {"400", 400, true, true}, {"409", 409, true, true},
		{"400 for a file is about the name", 400, false, false},
		{"403 is no matter of slashes", 403, true, false},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			switch {
			case r.Method == "PROPFIND" && c.collection:
				multi(w, file("/base/d/", isCollection))
			case r.Method == "PROPFIND":
				multi(w, file("/base/d", ""))
			case strings.HasSuffix(r.URL.Path, "/"):
				w.WriteHeader(201)
			default:
				w.WriteHeader(c.code)
			}
		})
		v := w.view()
		for method, err := range map[string]error{
			"MOVE":   v.Move(t.Context(), "/d", "/e", false, davbackend.Condition{}, davbackend.Condition{}),
			"COPY":   v.Copy(t.Context(), "/d", "/e", true, davbackend.Condition{}),
			"DELETE": v.Delete(t.Context(), "/d", davbackend.Condition{Token: "t:1"}),
		} {
			if (err == nil) != c.tried {
				t.Errorf("%s, %s: %v", c.name, method, err)
			}
			s := w.last(t, method)
			if strings.HasSuffix(s.URI, "/") != c.tried || method != "DELETE" && strings.HasSuffix(s.Header.Get("Destination"), "/") != c.tried {
				t.Errorf("%s, %s: %s to %s", c.name, method, s.URI, s.Header.Get("Destination"))
			}
			if method == "DELETE" && c.tried && s.Header.Get("If") != "<"+w.Base.String()+"d/> (<t:1>)" {
				t.Errorf("%s: tag is another URL: %s", c.name, s.Header.Get("If"))
			}
		}
	}
}

func TestTransfersThatMakeNoSense(t *testing.T) {
	w := serve(t, status(201))
	for _, c := range [][2]dav.Path{{"/", "/a"}, {"/a", "/"}, {"/a", "/a"}} {
		if err := w.view().Move(t.Context(), c[0], c[1], true, davbackend.Condition{}, davbackend.Condition{}); !errors.Is(err, dav.ErrDenied) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if len(w.requests()) != 0 {
		t.Errorf("sent %v", w.requests())
	}
}

func TestCopyHasDepthInfinity(t *testing.T) {
	w := serve(t, status(201))
	if err := w.view().Copy(t.Context(), "/a", "/b", false, davbackend.Condition{}); err != nil {
		t.Fatal(err)
	}
	if s := w.last(t, "COPY"); s.Header.Get("Depth") != "infinity" || s.Header.Get("Overwrite") != "F" {
		t.Errorf("%v", s.Header)
	}
}
