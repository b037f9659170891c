package idmap_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

func TestVerify(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		for _, p := range []dav.Path{"/a/", "/b/", "/c/"} {
			w.add(p)
		}
		moved, gone, other := w.add("/a/moved.odt"), w.add("/a/gone.odt"), w.add("/a/other.odt")
		edited, back := w.add("/a/edited.odt"), w.add("/b/back.odt")
		w.add("/a/same.odt")
		sub := w.add("/c/sub/")
		deep := w.add("/c/sub/deep.odt")
		kept := *w.tr.nodes["/b/back.odt"]
		w.tr.remove("/b/back.odt")
		w.list("/b")
		w.tr.nodes["/b/back.odt"] = &kept
		w.tr.edit("/a/edited.odt")
		w.tr.move("/a/moved.odt", "/b/moved.odt")
		w.tr.remove("/a/gone.odt")
		w.tr.add("/a/other.odt", false)
		w.tr.move("/c/sub", "/b/sub")

		verify := func(under dav.Path, repair bool) (map[string]idmap.Difference, idmap.Verified) {
			w.Helper()
			found := map[string]idmap.Difference{}
			told := 0
			count, err := w.m.Verify(w.ctx(), w.s, under, idmap.Verification{
				Upstream: w.tr, Repair: repair,
				Each:     func(d idmap.Difference) error { found[d.What+" "+string(d.Path)] = d; return nil },
				Progress: func(idmap.Verified) { told++ },
			})
			if err != nil {
				w.Fatal(err)
			}
			if int64(told) < count.Folders {
				w.Errorf("told %d times of %d folders", told, count.Folders)
			}
			w.sound()
			return found, count
		}
		want := map[string]idmap.FileID{
			"missing /a/moved.odt": moved.ID, "missing /a/gone.odt": gone.ID, "other /a/other.odt": other.ID, "changed /a/edited.odt": edited.ID,
			"back /b/back.odt": back.ID, "missing /c/sub": sub.ID, "new /b/moved.odt": "", "new /b/sub": "",
		}
		before, _ := w.export()
		found, count := verify("/", false)
		got := map[string]idmap.FileID{}
		for k, d := range found {
			got[k] = d.ID
		}
		if !maps.Equal(got, want) {
			w.Errorf("found %v\nwant %v", got, want)
		}
		if count.Folders != 4 || count.Places != 10 || count.Differs["missing"] != 3 || count.Differs["new"] != 2 {
			w.Errorf("%+v", count)
		}
		if after, _ := w.export(); after != before {
			w.Error("looking changed something")
		}
		if found, count := verify("/a/gone.odt", false); len(found) != 1 || count.Places != 1 {
			w.Errorf("%v, %+v", found, count)
		}
		if found, _ := verify("/b", false); len(found) != 3 {
			w.Errorf("%v", found)
		}

		found, count = verify("/", true)
		if found["missing /a/moved.odt"].Now != "/b/moved.odt" || count.Found < 1 || found["missing /a/gone.odt"].Now != "" {
			w.Errorf("%v %+v", found, count)
		}
		for id, p := range map[idmap.FileID]dav.Path{moved.ID: "/b/moved.odt", sub.ID: "/b/sub", deep.ID: "/b/sub/deep.odt", back.ID: "/b/back.odt"} {
			if k := w.known(id); k.Path != p || !k.Missing.IsZero() {
				w.Errorf("%+v, want it at %s", k, p)
			}
		}
		if again, _ := verify("/", true); len(again) != 0 {
			w.Errorf("after a repair: %v", again)
		}
		if again, _ := verify("/", false); len(again) != 0 {
			w.Errorf("after a repair: %v", again)
		}
	})
}

// refusing is a tree that refuses to show a folder.
type refusing struct {
	*tree
	folder dav.Path
	err    error
}

func (r refusing) List(ctx context.Context, p dav.Path, each func(dav.Resource) error) error {
	if p == r.folder {
		return r.err
	}
	return r.tree.List(ctx, p, each)
}

func TestVerifyStops(t *testing.T) {
	each(t, func(w *world) {
		w.add("/a/")
		w.add("/a/x.odt")
		w.add("/b/")
		w.add("/b/y.odt")
		how := idmap.Verification{Upstream: refusing{w.tr, "/a", dav.ErrDenied}}
		if count, err := w.m.Verify(w.ctx(), w.s, "/", how); err != nil || count.Folders != 2 || count.Differs["unseen"] != 1 {
			w.Errorf("a folder that may not be seen: %+v, %v", count, err)
		}
		how.Upstream = refusing{w.tr, "/a", dav.ErrUnavailable}
		if _, err := w.m.Verify(w.ctx(), w.s, "/", how); !errors.Is(err, dav.ErrUnavailable) {
			w.Error(err)
		}
		if _, err := w.m.Verify(w.ctx(), w.s, "/never", how); !errors.Is(err, idmap.ErrNotFound) {
			w.Error(err)
		}
		requests := 0
		how = idmap.Verification{Upstream: w.tr, Pace: func(context.Context) error {
			if requests++; requests > 2 {
				return context.Canceled
			}
			return nil
		}}
		w.tr.asks()
		if _, err := w.m.Verify(w.ctx(), w.s, "/", how); !errors.Is(err, context.Canceled) {
			w.Error(err)
		}
		if asked := w.tr.asks(); strings.Count(asked, "list") != 2 {
			w.Errorf("not at that pace: %s", asked)
		}
	})
}

func TestSeek(t *testing.T) {
	each(t, func(w *world) {
		w.tr.natives = true
		x, y := w.add("/a/Annual Report 100%.odt"), w.add("/a/annual_x.odt")
		dead := w.add("/a/dead.odt")
		native := w.tr.res("/a/dead.odt").NativeID
		if err := w.m.Deleted(w.ctx(), w.s, dead.ID); err != nil {
			w.Fatal(err)
		}
		w.tr.remove("/a/annual_x.odt")
		w.tr.remove("/a/dead.odt")
		w.list("/a")
		sum := strings.Repeat("5a", 32)
		if err := w.m.Hash(w.ctx(), x.ID, 1, []byte(strings.Repeat("Z", 32))); err != nil {
			w.Fatal(err)
		}
		for text, want := range map[string][]idmap.FileID{
			"annual": {x.ID, y.ID}, "ANNUAL": {x.ID, y.ID}, "100%": {x.ID}, "annual_": {y.ID}, "l_r": nil, "nothing": nil,
			w.tr.res(x.Path).NativeID: {x.ID}, w.tr.res(x.Path).ResourceID: {x.ID}, native: {dead.ID}, sum: {x.ID},
			string(w.tr.res(x.Path).ETag): {x.ID}, strings.Trim(string(w.tr.res(x.Path).ETag), `"`): {x.ID}, string(x.ID[:12]): {x.ID}, string(x.ID): {x.ID},
		} {
			found, more, err := w.m.Seek(w.ctx(), text, 10)
			var ids []idmap.FileID
			for _, d := range found {
				ids = append(ids, d.ID)
			}
			if err != nil || more || !slices.Equal(ids, want) {
				w.Errorf("%q: %v, %v, %v; want %v", text, ids, more, err, want)
			}
		}
		found, more, err := w.m.Seek(w.ctx(), "annual", 1)
		if err != nil || !more || len(found) != 1 {
			w.Errorf("%+v, %v, %v", found, more, err)
		}
		for _, d := range mustSeek(w, "annual_") {
			if d.State != "missing" || d.Path != y.Path {
				w.Errorf("%+v", d)
			}
		}
		for _, bad := range []string{"", "a\x00"} {
			if _, _, err := w.m.Seek(w.ctx(), bad, 10); err == nil {
				w.Errorf("%q was looked for", bad)
			}
		}
	})
}

func mustSeek(w *world, text string) []idmap.Description {
	w.Helper()
	found, _, err := w.m.Seek(w.ctx(), text, 10)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func TestHistory(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/x.odt")
		for range 4 {
			w.tr.edit(x.Path)
			x = w.at(x.Path)
		}
		all, err := w.m.History(w.ctx(), x.ID, 3)
		if err != nil || len(all) != 3 || all[0].Version != x.Revision.Version || all[1].Number != x.Revision.Number-1 || all[2].Number != x.Revision.Number-2 {
			w.Errorf("%+v, %v", all, err)
		}
		if all, err := w.m.History(w.ctx(), w.add("/d/").ID, 3); err != nil || len(all) != 0 {
			w.Errorf("%+v, %v", all, err)
		}
		if _, err := w.m.History(w.ctx(), "aaaaaaaaaaaaaaaaaaaaaaaaaa", 3); !errors.Is(err, idmap.ErrNotFound) {
			w.Error(err)
		}
	})
}
