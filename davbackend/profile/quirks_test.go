package profile

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// fields are facts as JSON names and values.
func fields(t *testing.T, f Facts) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(comparable(f)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func measured(t *testing.T, s *upstream.Server) Facts {
	t.Helper()
	v := s.View(t)
	f, err := Measure(t.Context(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Quirks.Reset()
	nothingLeft(t, v)
	return f
}

// TestAQuirkFlipsTheProfile: each switch of the strict server changes just the facts
// that are about it.
func TestAQuirkFlipsTheProfile(t *testing.T) {
	strict := fields(t, measured(t, upstream.Strict(t)))
	for _, c := range []struct {
		name string
		set  func(*upstream.Quirks)
		want map[string]any
	}{
		{"tags of folders", func(q *upstream.Quirks) { q.FolderETag = "own" }, map[string]any{"folder_etag": "own children"}},
		{"tags of folders, from not far below", func(q *upstream.Quirks) { q.FolderETag = "near" }, map[string]any{"folder_etag": "own children"}},
		{"tags of folders, from everywhere below", func(q *upstream.Quirks) { q.FolderETag = "tree" }, map[string]any{"folder_etag": "whole tree"}},
		{"weak tags", func(q *upstream.Quirks) { q.WeakETags = true }, map[string]any{"etag": "weak", "if_match": "never holds"}},
		{"unquoted tags", func(q *upstream.Quirks) { q.UnquotedETags = true }, map[string]any{"etag": "unquoted"}},
		{"no tag in PROPFIND", func(q *upstream.Quirks) { q.NoPropfindETag = true }, map[string]any{
			"etag": "none", "etag_of_put": "another", "etag_of_get": "another", "same_second_edit": false,
			"etag_after_move": "none", "etag_after_copy": "none", "if_match": "", "if_etag": "",
		}},
		{"no tag of PUT", func(q *upstream.Quirks) { q.NoPutETag = true }, map[string]any{"etag_of_put": "none"}},
		{"another tag of PUT", func(q *upstream.Quirks) { q.OtherPutETag = true }, map[string]any{"etag_of_put": "another"}},
		{"another tag of GET", func(q *upstream.Quirks) { q.OtherGetETag = true }, map[string]any{"etag_of_get": "another"}},
		{"conditions ignored", func(q *upstream.Quirks) { q.IgnoreConditions = true }, map[string]any{
			"if_match": "ignored", "if_none_match": "ignored", "if_etag": "ignored",
		}},
		{"tag in If never holds", func(q *upstream.Quirks) { q.IfETagFails = true }, map[string]any{"if_etag": "never holds"}},
		{"no LOCK", func(q *upstream.Quirks) { q.NoLock = true }, map[string]any{
			"lock": "none", "lock_granted": 0.0, "lock_shown": "", "token_untagged": false, "token_tagged": false,
			"move_onto_locked": "", "move_of_locked": "",
		}},
		{"lock for 600 s", func(q *upstream.Quirks) { q.LockCap = 600 * time.Second }, map[string]any{"lock_granted": 600.0}},
		{"lock without end", func(q *upstream.Quirks) { q.LockSays = "Infinite" }, map[string]any{"lock_granted": 0.0}},
		{"locks not shown", func(q *upstream.Quirks) { q.HideLocks = true }, map[string]any{"lock_shown": "nothing", "lock_granted": 0.0}},
		{"owners not shown", func(q *upstream.Quirks) { q.HideOwner = true }, map[string]any{"lock_shown": "token"}},
		{"Lock-Token only", func(q *upstream.Quirks) { q.OnlyLockToken = true }, map[string]any{
			"token_untagged": false, "token_tagged": false, "token_header": true, "if_etag": "ignored",
		}},
		{"MOVE drops the lock", func(q *upstream.Quirks) { q.MoveLosesLock = true }, map[string]any{"move_onto_locked": "drops the lock"}},
		{"no MOVE onto a locked file", func(q *upstream.Quirks) { q.MoveLocked412 = true }, map[string]any{"move_onto_locked": "refused"}},
		{"PROPPATCH refused", func(q *upstream.Quirks) { q.NoDeadProps = 403 }, map[string]any{
			"dead_props": "refused", "props_copied": false, "props_with_folder": false, "props_moved_over": "",
		}},
		{"PROPPATCH pretended", func(q *upstream.Quirks) { q.ForgetProps = true }, map[string]any{
			"dead_props": "pretended", "props_copied": false, "props_with_folder": false, "props_moved_over": "",
		}},
		{"native IDs", func(q *upstream.Quirks) { q.NativeIDs = true }, map[string]any{"native_id": "oc:id"}},
		{"MOVE wants the slash", func(q *upstream.Quirks) { q.SlashStatus = 308 }, map[string]any{"move_slash": 308.0}},
		{"PROPFIND wants the slash", func(q *upstream.Quirks) { q.PropfindSlash = 301 }, map[string]any{"propfind_slash": 301.0}},
		{"GET is compressed", func(q *upstream.Quirks) { q.GzipGet = true }, map[string]any{"gzip_get": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(c.set)
			got := fields(t, measured(t, s))
			want := maps.Clone(strict)
			maps.Copy(want, c.want)
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if !reflect.DeepEqual(got[key], want[key]) {
					t.Errorf("%s: %v, want %v", key, got[key], want[key])
				}
			}
		})
	}
}

// TestReadOnlyUpstreamIsNotWrittenTo: after one refused MKCOL (and one of a name
// without a dot) nothing more is tried.
func TestReadOnlyUpstreamIsNotWrittenTo(t *testing.T) {
	s := upstream.Strict(t)
	s.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			switch r.Method {
			case "PROPFIND", "OPTIONS", "GET", "HEAD":
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		}
	})
	f, err := Measure(t.Context(), s.View(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !f.ReadOnly || !f.Quota || f.Classes != "1,2,3" || f.Lock != "" {
		t.Errorf("measured %s", comparable(f))
	}
	if n := s.Count("MKCOL"); n != 2 {
		t.Errorf("%d MKCOL", n)
	}
	for _, method := range []string{"PUT", "LOCK", "DELETE", "MOVE"} {
		if n := s.Count(method); n != 0 {
			t.Errorf("%d %s on an upstream that may only be read", n, method)
		}
	}
	if p := f.Profile(); p.InPlace || p.Conditions {
		t.Errorf("the profile is not the careful one: %+v", p)
	}
}

// TestNamesWithADotMayBeForbidden: then it happens in a folder that is not hidden.
func TestNamesWithADotMayBeForbidden(t *testing.T) {
	s := upstream.Strict(t)
	s.Quirks.Fail(upstream.Fault{Method: "MKCOL", Name: prefix, Status: http.StatusForbidden})
	if f := measured(t, s); f.ReadOnly || f.Lock != "works" {
		t.Errorf("measured %s", comparable(f))
	}
}

// TestTheKindIsProvenByBoth: what a server calls itself is not enough, nor is what
// it does; and one cell that differs makes it unknown.
func TestTheKindIsProvenByBoth(t *testing.T) {
	nginx := Facts{
		Server: "nginx/1.26.0", NativeID: "none", ETag: "none", DeadProps: "refused", IfETag: "ignored", HalfWritten: "old contents",
	}
	apache := Facts{Server: "Apache", NativeID: "none", ETagOfPut: "none", PropfindSlash: 301, DeadProps: "stored", HalfWritten: "old contents"}
	const propset = "1,2, <http://apache.org/dav/propset/fs/1>"
	for _, c := range []struct {
		name, propset, kind string
		f                   func() Facts
		inPlace             bool
	}{
		{"nginx", "2", "nginx", func() Facts { return nginx }, true},
		{"Apache behind nginx", propset, "apache", func() Facts { f := apache; f.Server = "nginx"; return f }, true},
		{"something that calls itself nginx", "1,2", "", func() Facts { f := nginx; f.ETag = "strong"; return f }, false},
		{"Nextcloud on Apache", "1, 3", "", func() Facts { f := apache; f.NativeID = "oc:id"; return f }, false},
		{"Apache, and a reader saw a piece", propset, "apache", func() Facts { f := apache; f.HalfWritten = "a piece"; return f }, false},
		{"nothing is known", "", "", func() Facts { return Facts{} }, false},
		{"Nextcloud behind a proxy that keeps uploads back", "1, 3", "nextcloud", func() Facts {
			return Facts{NativeID: "oc:id", Chunks: true, HalfWritten: "old contents"}
		}, false},
	} {
		f := c.f()
		f.Kind = kindOf(f, c.propset)
		if p := f.Profile(); f.Kind != c.kind || p.InPlace != c.inPlace {
			t.Errorf("%s: kind %q, in place %v; want %q, %v", c.name, f.Kind, p.InPlace, c.kind, c.inPlace)
		}
	}
}

// TestProfile is how facts become what saves and locks do.
func TestProfile(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Facts
		want davbackend.Profile
	}{
		{"nothing known", Facts{}, davbackend.Profile{Name: "measured", Form: davbackend.FormUntagged}},
		{"tagged only", Facts{TokenTagged: true, IfETag: "honoured"}, davbackend.Profile{Name: "measured", Form: davbackend.FormTagged, Conditions: true}},
		{"untagged before tagged", Facts{TokenTagged: true, TokenUntagged: true}, davbackend.Profile{Name: "measured", Form: davbackend.FormUntagged}},
		{"Lock-Token only: conditions go into If-Match", Facts{TokenHeader: true, IfETag: "honoured", IfMatch: "ignored"},
			davbackend.Profile{Name: "measured", Form: davbackend.FormLockToken}},
		{"Lock-Token only, If-Match honoured", Facts{TokenHeader: true, IfMatch: "honoured"},
			davbackend.Profile{Name: "measured", Form: davbackend.FormLockToken, Conditions: true}},
		{"locks at a MOVE", Facts{MoveOntoLocked: "keeps the lock", MoveOfLocked: "carries the lock"},
			davbackend.Profile{Name: "measured", MoveKeepsTargetLock: true, MoveCarriesLock: true, Form: davbackend.FormUntagged}},
		{"chunks, and IDs of its own", Facts{Chunks: true, NativeID: "oc:id", Kind: "nextcloud"},
			davbackend.Profile{Name: "nextcloud", Form: davbackend.FormUntagged, Chunked: true}},
		{"chunks without IDs", Facts{Chunks: true, NativeID: "none"}, davbackend.Profile{Name: "measured", Form: davbackend.FormUntagged}},
		{"never holds is not honoured", Facts{IfETag: "never holds", TokenUntagged: true}, davbackend.Profile{Name: "measured", Form: davbackend.FormUntagged}},
	} {
		if got := c.f.Profile(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestOutageInAnyStep: measuring ends with an error, and nothing is left once the
// upstream is back.
func TestOutageInAnyStep(t *testing.T) {
	s := upstream.Strict(t)
	v := s.View(t)
	f, err := Measure(t.Context(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	for after := 1; after < f.Requests; after += 7 {
		var n atomic.Int64
		s.Quirks.Set(func(q *upstream.Quirks) {
			q.Answer = func(r *http.Request) http.Handler {
				if n.Add(1) != int64(after) {
					return nil
				}
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			}
		})
		_, err := Measure(t.Context(), v, nil)
		s.Quirks.Reset()
		if err == nil {
			continue // net/http has asked again on another connection
		}
		nothingLeft(t, v)
	}
	if got, err := v.Stat(t.Context(), dav.Root); err != nil || !got.Collection {
		t.Errorf("the root: %v", err)
	}
}
