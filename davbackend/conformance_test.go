package davbackend_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// servers are all that a View must get along with.
var servers = []struct {
	name  string
	start func(testing.TB) *upstream.Server
}{
	{"strict", upstream.Strict},
	{"embedded", upstream.Embedded},
	{"apache", upstream.Apache},
	{"apache digest", upstream.ApacheDigest},
	{"nginx", upstream.Nginx},
	{"lighttpd", upstream.Lighttpd},
	{"rclone", upstream.Rclone},
}

func each(t *testing.T, f func(t *testing.T, s *upstream.Server, v *davbackend.View)) {
	for _, one := range servers {
		t.Run(one.name, func(t *testing.T) {
			s := one.start(t)
			f(t, s, s.View(t))
		})
	}
}

func put(t *testing.T, v *davbackend.View, p dav.Path, content string) {
	t.Helper()
	if err := v.Put(t.Context(), p, body(content), davbackend.Condition{}); err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
}

func get(t *testing.T, v *davbackend.View, p dav.Path) string {
	t.Helper()
	content, err := v.Get(t.Context(), p, 0, -1)
	if err != nil {
		t.Fatalf("get %s: %v", p, err)
	}
	got, err := read(t, content)
	if err != nil {
		t.Fatalf("get %s: %v", p, err)
	}
	return got
}

func names(t *testing.T, v *davbackend.View, p dav.Path) []string {
	t.Helper()
	var out []string
	err := v.List(t.Context(), p, func(r dav.Resource) error {
		name := r.Path.Base()
		if r.Collection {
			name += "/"
		}
		out = append(out, name)
		return nil
	})
	if err != nil {
		t.Fatalf("list %s: %v", p, err)
	}
	slices.Sort(out)
	return out
}

func TestServersFiles(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx := t.Context()
		root, err := v.Stat(ctx, dav.Root)
		if err != nil || !root.Collection {
			t.Fatalf("root: %+v, %v", root, err)
		}
		put(t, v, "/a.txt", "one")
		res, err := v.Stat(ctx, "/a.txt")
		if err != nil || res.Collection || res.Size != 3 || res.Modified.IsZero() || s.Name != "nginx" && res.ETag == "" {
			t.Fatalf("stat: %+v, %v", res, err)
		}
		put(t, v, "/a.txt", strings.Repeat("two", 100_000))
		if got := get(t, v, "/a.txt"); got != strings.Repeat("two", 100_000) {
			t.Errorf("get: %d bytes", len(got))
		}
		part, err := v.Get(ctx, "/a.txt", 299_998, 10)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, part); got != "wo" || err != nil || part.Whole || part.Size != 2 {
			t.Errorf("range: %q, %v, %+v", got, err, part)
		}
		put(t, v, "/empty", "")
		if res, err := v.Stat(ctx, "/empty"); err != nil || res.Size != 0 {
			t.Errorf("empty: %+v, %v", res, err)
		}
		if got := get(t, v, "/empty"); got != "" {
			t.Errorf("empty: %q", got)
		}
		for what, err := range map[string]error{
			"stat":   second(v.Stat(ctx, "/none")),
			"get":    second(v.Get(ctx, "/none", 0, -1)),
			"delete": v.Delete(ctx, "/none", davbackend.Condition{}),
			"move":   v.Move(ctx, "/none", "/x", true, davbackend.Condition{}, davbackend.Condition{}),
			"copy":   v.Copy(ctx, "/none", "/x", true, davbackend.Condition{}),
			"list":   v.List(ctx, "/none", func(dav.Resource) error { return nil }),
		} {
			if !errors.Is(err, dav.ErrNotFound) {
				t.Errorf("%s of nothing: %v", what, err)
			}
		}
		wrong := davbackend.Credential{Kind: "password", User: s.User, Secret: "no"}
		if s.User == "" {
			wrong.Secret = "\x00" // refused before it is sent
		}
		if _, err := s.Client(t).As(wrong).Stat(ctx, "/"); !errors.Is(err, dav.ErrUnauthorized) {
			t.Errorf("wrong password: %v", err)
		}
		if err := v.Delete(ctx, "/a.txt", davbackend.Condition{}); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, there := s.Read(t, "a.txt"); there {
			t.Error("delete left the file")
		}
	})
}

func TestServersFolders(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx := t.Context()
		none := davbackend.Condition{}
		for _, p := range []dav.Path{"/d", "/d/sub"} {
			if err := v.Mkcol(ctx, p); err != nil {
				t.Fatalf("mkcol %s: %v", p, err)
			}
		}
		put(t, v, "/d/f.odt", "1")
		put(t, v, "/d/sub/g.odt", "2")
		if got := names(t, v, "/d"); !slices.Equal(got, []string{"f.odt", "sub/"}) {
			t.Errorf("list: %q", got)
		}
		if res, err := v.Stat(ctx, "/d"); err != nil || !res.Collection || res.Size != -1 {
			t.Errorf("stat of a collection: %+v, %v", res, err)
		}
		if err := v.Mkcol(ctx, "/d"); s.Name != "rclone" && !errors.Is(err, dav.ErrExists) {
			t.Errorf("mkcol again: %v", err)
		}
		if err := v.Mkcol(ctx, "/none/x"); s.Name != "nginx" && !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("mkcol without a parent: %v", err)
		}
		if err := v.Put(ctx, "/none2/x", body("x"), none); s.Name != "nginx" && !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("put without a parent: %v", err)
		}
		if err := v.Move(ctx, "/d", "/e f", false, none, none); err != nil {
			t.Fatalf("move of a collection: %v", err)
		}
		if got := get(t, v, "/e f/sub/g.odt"); got != "2" {
			t.Errorf("moved: %q", got)
		}
		if err := v.Copy(ctx, "/e f", "/h", false, none); err != nil {
			t.Fatalf("copy of a collection: %v", err)
		}
		if got := names(t, v, "/"); !slices.Equal(got, []string{"e f/", "h/"}) {
			t.Errorf("after move and copy: %q", got)
		}
		if err := v.Move(ctx, "/e f/f.odt", "/none/f.odt", false, none, none); s.Name != "nginx" && !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("move into a missing parent: %v", err)
		}
		if err := v.Delete(ctx, "/h", none); err != nil {
			t.Errorf("delete of a collection: %v", err)
		}
		if _, err := v.Stat(ctx, "/h"); !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("after delete: %v", err)
		}
	})
}

// MOVE Overwrite: F is the one way to create only where nothing is.
func TestServersMoveOnto(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx, none := t.Context(), davbackend.Condition{}
		put(t, v, "/a", "new")
		put(t, v, "/b", "old")
		if err := v.Move(ctx, "/a", "/b", false, none, none); !errors.Is(err, dav.ErrExists) {
			t.Errorf("Overwrite F: %v", err)
		}
		if got := get(t, v, "/b"); got != "old" {
			t.Errorf("Overwrite F overwrote: %q", got)
		}
		if err := v.Copy(ctx, "/a", "/b", false, none); !errors.Is(err, dav.ErrExists) {
			t.Errorf("COPY, Overwrite F: %v", err)
		}
		if err := v.Move(ctx, "/a", "/b", true, none, none); err != nil {
			t.Errorf("Overwrite T: %v", err)
		}
		if got := get(t, v, "/b"); got != "new" {
			t.Errorf("Overwrite T: %q", got)
		}
		if _, err := v.Stat(ctx, "/a"); !errors.Is(err, dav.ErrNotFound) {
			t.Errorf("source is still there: %v", err)
		}
	})
}

func TestServersConditions(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx := t.Context()
		put(t, v, "/a", "one")
		res, err := v.Stat(ctx, "/a")
		if err != nil {
			t.Fatal(err)
		}
		if res.ETag != "" {
			if err := v.Put(ctx, "/a", body("two!"), davbackend.Condition{ETag: `"wrong"`}); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("wrong ETag: %v", err)
			}
			// Just written: Apache's tag is weak now.
			if err := v.Put(ctx, "/a", body("three"), davbackend.Condition{ETag: res.ETag}); err != nil {
				t.Errorf("right ETag: %v", err)
			}
			if err := v.Put(ctx, "/a", body("four"), davbackend.Condition{ETag: res.ETag}); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("ETag of before: %v", err)
			}
			if err := v.Delete(ctx, "/a", davbackend.Condition{ETag: `"wrong"`}); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("delete, wrong ETag: %v", err)
			}
			put(t, v, "/t", "temp")
			if err := v.Move(ctx, "/t", "/a", true, davbackend.Condition{}, davbackend.Condition{ETag: `"wrong"`}); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("move, wrong ETag of the target: %v", err)
			}
			if got := get(t, v, "/a"); got != "three" {
				t.Errorf("contents: %q", got)
			}
		}
		if err := v.Put(ctx, "/a", body("five"), davbackend.Condition{Absent: true}); !errors.Is(err, dav.ErrExists) {
			t.Errorf("absent, but it is there: %v", err)
		}
		if err := v.Put(ctx, "/new", body("six"), davbackend.Condition{Absent: true}); err != nil {
			t.Errorf("absent: %v", err)
		}
	})
}

func TestServersLocks(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx := t.Context()
		put(t, v, "/a b.odt", "one")
		l, created, err := v.Lock(ctx, "/a b.odt", davbackend.LockRequest{Owner: "Jane & <co>", Timeout: 10 * time.Minute})
		if err != nil || created || l.Token == "" {
			t.Fatalf("lock: %+v, %v, %v", l, created, err)
		}
		if l.Timeout != 0 && l.Timeout < time.Minute {
			t.Errorf("granted %v", l.Timeout)
		}
		_, _, err = v.Lock(ctx, "/a b.odt", davbackend.LockRequest{Owner: "Joe", Timeout: time.Minute})
		var locked *davbackend.LockedError
		if !errors.As(err, &locked) {
			t.Errorf("second lock: %v", err)
		} else if shows := s.Name == "strict" || s.Name == "embedded" || strings.HasPrefix(s.Name, "apache"); shows && locked.Holder != "Jane & <co>" {
			t.Errorf("holder: %q", locked.Holder)
		}
		if err := v.Put(ctx, "/a b.odt", body("two"), davbackend.Condition{}); !errors.Is(err, dav.ErrLocked) {
			t.Errorf("put without the token: %v", err)
		}
		if err := v.Put(ctx, "/a b.odt", body("two"), davbackend.Condition{Token: "urn:uuid:00000000-0000-0000-0000-000000000000"}); !errors.Is(err, dav.ErrLocked) && !errors.Is(err, dav.ErrChanged) {
			t.Errorf("put with another token: %v", err)
		}
		if err := v.Put(ctx, "/a b.odt", body("three"), davbackend.Condition{Token: l.Token}); err != nil {
			t.Errorf("put with the token: %v", err)
		}
		if granted, err := v.RefreshLock(ctx, "/a b.odt", l.Token, 10*time.Minute); err != nil || granted != 0 && granted < time.Minute {
			t.Errorf("refresh: %v, %v", granted, err)
		}
		res, err := v.Stat(ctx, "/a b.odt")
		if err != nil {
			t.Fatal(err)
		}
		if res.ETag != "" {
			if err := v.Put(ctx, "/a b.odt", body("four"), davbackend.Condition{Token: l.Token, ETag: `"wrong"`}); !errors.Is(err, dav.ErrChanged) {
				t.Errorf("token and wrong ETag: %v", err)
			}
			if err := v.Put(ctx, "/a b.odt", body("four"), davbackend.Condition{Token: l.Token, ETag: res.ETag}); err != nil {
				t.Errorf("token and right ETag: %v", err)
			}
		}
		if s.Profile.MoveKeepsTargetLock {
			put(t, v, "/temp", "five")
			if err := v.Move(ctx, "/temp", "/a b.odt", true, davbackend.Condition{}, davbackend.Condition{Token: l.Token}); err != nil {
				t.Errorf("move onto the locked file: %v", err)
			}
			if err := v.Put(ctx, "/a b.odt", body("six"), davbackend.Condition{}); !errors.Is(err, dav.ErrLocked) {
				t.Errorf("lock is lost by the move: %v", err)
			}
		}
		if err := v.Unlock(ctx, "/a b.odt", l.Token); err != nil {
			t.Errorf("unlock: %v", err)
		}
		if err := v.Put(ctx, "/a b.odt", body("seven"), davbackend.Condition{}); err != nil {
			t.Errorf("put after unlock: %v", err)
		}
		_, err = v.RefreshLock(ctx, "/a b.odt", l.Token, time.Minute)
		if gone := errors.Is(err, dav.ErrChanged) || errors.Is(err, dav.ErrLocked); gone == (s.Name == "lighttpd") {
			t.Errorf("refresh of a lock that is gone: %v", err)
		}
		put(t, v, "/a b.odt", "no lock came to be by that")
	})
}

func TestServersNames(t *testing.T) {
	odd := []string{"a b", "100%", "50%25", "#1", "what?", "a+b", "a;b", "a&b", "it's", "[x]", "~$doc.docx", ".~lock.a.odt#",
		"é", "e\u0301x", "日本語.odt", "😀", "(1), (2)", "a=b@c!$*", "trailing.", "x:y", "a\"b<c>|"}
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		ctx, none := t.Context(), davbackend.Condition{}
		if err := v.Mkcol(ctx, "/böse [&] #%41"); err != nil {
			t.Fatal(err)
		}
		folder := dav.Path("/böse [&] #%41")
		var want []string
		for _, name := range odd {
			p, err := folder.Join(name)
			if err != nil {
				t.Fatal(err)
			}
			put(t, v, p, name)
			res, err := v.Stat(ctx, p)
			if err != nil || res.Path != p || res.Size != int64(len(name)) {
				t.Errorf("%q: %+v, %v", name, res, err)
			}
			if got := get(t, v, p); got != name {
				t.Errorf("%q: contents %q", name, got)
			}
			moved, err := folder.Join("x" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Move(ctx, p, moved, false, none, none); err != nil {
				t.Errorf("%q: move: %v", name, err)
			}
			l, _, err := v.Lock(ctx, moved, davbackend.LockRequest{Owner: "me", Timeout: time.Minute})
			if err != nil {
				t.Errorf("%q: lock: %v", name, err)
				continue
			}
			if err := v.Put(ctx, moved, body("2"), davbackend.Condition{Token: l.Token}); err != nil {
				t.Errorf("%q: put with a token: %v", name, err)
			}
			if s.Profile.MoveKeepsTargetLock {
				put(t, v, p, "3")
				if err := v.Move(ctx, p, moved, true, none, davbackend.Condition{Token: l.Token}); err != nil {
					t.Errorf("%q: move onto a locked file: %v", name, err)
				}
			}
			if err := v.Unlock(ctx, moved, l.Token); err != nil {
				t.Errorf("%q: unlock: %v", name, err)
			}
			want = append(want, "x"+name)
		}
		slices.Sort(want)
		if got := names(t, v, folder); !slices.Equal(got, want) {
			t.Errorf("list:\n got %q\nwant %q", got, want)
		}
	})
}

func TestServersProperties(t *testing.T) {
	name := dav.PropName{Space: "urn:x-davwopi", Local: "stamp"}
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		put(t, v, "/a", "x")
		got, err := v.SetProps(t.Context(), "/a", map[dav.PropName]string{name: "1 < 2 & é"}, davbackend.Condition{})
		if err != nil {
			t.Fatal(err)
		}
		stored := s.Name == "strict" || s.Name == "embedded" || s.Name == "lighttpd" || strings.HasPrefix(s.Name, "apache")
		if (got[name] == "1 < 2 & é") != stored {
			t.Errorf("read back: %v", got)
		}
	})
}

// A PUT that breaks off must not replace the file where the profile says in place.
func TestServersBrokenPut(t *testing.T) {
	each(t, func(t *testing.T, s *upstream.Server, v *davbackend.View) {
		put(t, v, "/a", "whole")
		broken := davbackend.Body{Size: 3 << 20, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, 2<<20), failing{errors.New("disk")})), nil
		}}
		if err := v.Put(t.Context(), "/a", broken, davbackend.Condition{}); err == nil {
			t.Error("no error")
		}
		if s.Profile.InPlace {
			if got := get(t, v, "/a"); got != "whole" {
				t.Errorf("%d bytes of the broken PUT are there", len(got))
			}
		}
	})
}
