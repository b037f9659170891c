package idmap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func TestDescribe(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x := w.add("/a/x.odt")
		if err := w.m.Hash(w.ctx(), x.ID, 1, bytes.Repeat([]byte{0xab}, 32)); err != nil {
			w.Fatal(err)
		}
		describe := func(s string, n int) []idmap.Description {
			w.Helper()
			d, err := w.m.Describe(w.ctx(), s)
			if err != nil || len(d) != n {
				w.Fatalf("%q: %+v, %v", s, d, err)
			}
			return d
		}
		d := describe(string(x.ID), 1)[0]
		if d.ID != x.ID || d.Kind != "file" || d.Upstream != "nas" || d.Root != "" || d.Space != w.s || d.Path != "/a/x.odt" || d.State != "live" ||
			d.Number != 1 || d.Version != x.Revision.Version || d.Modified != x.Revision.LastModified || !d.Since.IsZero() || d.Seen.IsZero() ||
			d.Evidence.NativeID == "" || d.Evidence.ResourceID == "" || d.Evidence.ETag != x.Revision.ETag || d.Evidence.Size != 10 ||
			d.Evidence.SHA256 != strings.Repeat("ab", 32) {
			w.Errorf("%+v", d)
		}
		if by := describe("/a/x.odt", 1)[0]; by != d {
			w.Errorf("by path %+v, by ID %+v", by, d)
		}
		if b, err := json.Marshal(d); err != nil || !strings.Contains(string(b), `"path":"/a/x.odt"`) {
			w.Errorf("%s, %v", b, err)
		}

		s, err := w.m.Space(w.ctx(), "nas", "somebody")
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.m.At(w.ctx(), s, w.tr.res("/a/x.odt")); err != nil {
			w.Fatal(err)
		}
		if two := describe("/a/x.odt", 2); two[0].ID != two[1].ID || two[1].Root != "somebody" {
			w.Errorf("%+v", two)
		}

		w.tr.remove("/a/x.odt")
		w.list("/a")
		if d := describe(string(x.ID), 2); d[0].State != "missing" || d[0].Since.IsZero() || d[1].State != "live" {
			w.Errorf("%+v", d)
		}
		if err := w.m.Deleted(w.ctx(), w.s, x.ID); err != nil {
			w.Fatal(err)
		}
		if d := describe(string(x.ID), 1)[0]; d.State != "tombstone" || d.Since.IsZero() || d.Path != "" || d.Upstream != "nas" {
			w.Errorf("%+v", d)
		}
		if d := describe("/", 2)[0]; d.Kind != "container" || d.Path != "/" || d.Number != 0 {
			w.Errorf("%+v", d)
		}
		for in, want := range map[string]error{
			"/none": idmap.ErrNotFound, "aaaaaaaaaaaaaaaaaaaaaaaaaa": idmap.ErrNotFound,
			"x": idmap.ErrBadFileID, "": idmap.ErrBadFileID, "/a/../b": dav.ErrBadPath,
		} {
			if _, err := w.m.Describe(w.ctx(), in); !errors.Is(err, want) {
				w.Errorf("%q: %v, want %v", in, err, want)
			}
		}
	})
}

func TestSpaces(t *testing.T) {
	each(t, func(w *world) {
		met := map[idmap.SpaceID]bool{}
		for _, k := range [][2]string{{"nas", ""}, {"nas", "a"}, {"nas", "A"}, {"other", ""}, {"other", "a"}} {
			s, err := w.m.Space(w.ctx(), k[0], k[1])
			if err != nil || met[s] {
				w.Fatal(s, err)
			}
			met[s] = true
			if again, err := w.m.Space(w.ctx(), k[0], k[1]); err != nil || again != s {
				w.Error(again, err)
			}
			if u, r, err := w.m.UpstreamOf(w.ctx(), s); err != nil || u != k[0] || r != k[1] {
				w.Error(u, r, err)
			}
		}
		if _, _, err := w.m.UpstreamOf(w.ctx(), 999); !errors.Is(err, idmap.ErrNotFound) {
			w.Error(err)
		}
		if _, err := w.m.Root(w.ctx(), 999); !errors.Is(err, idmap.ErrNotFound) {
			w.Error(err)
		}
	})
}

func TestKnownAtSaysWhatIsMissing(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/a/b/x")
		w.tr.remove("/a")
		w.list("/")
		e, err := w.m.KnownAt(w.ctx(), w.s, "/a/b/x")
		if err != nil || e.ID != x.ID || e.Missing.IsZero() {
			w.Errorf("below a folder that is missing: %+v, %v", e, err)
		}
		if k := w.known(x.ID); !k.Missing.Equal(e.Missing) {
			w.Errorf("%+v and %+v", k, e)
		}
	})
}
