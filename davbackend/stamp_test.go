package davbackend_test

import (
	"errors"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

var stampName = dav.PropName{Space: "urn:davwopi:test", Local: "id"}

// stamping is a view of s that asks for stamps.
func stamping(t *testing.T, s *upstream.Server) *davbackend.View {
	t.Helper()
	v := s.View(t)
	v.Client().Stamp = stampName
	p := v.Client().Profile()
	p.Stamps = true
	v.Client().Learn(p)
	return v
}

// TestStamp: on each server that keeps properties a stamp is written, shown by Stat and
// List and by nothing else, changes no ETag, and goes along with MOVE; what COPY makes
// of it is measured.
func TestStamp(t *testing.T) {
	servers := map[string]func(testing.TB) *upstream.Server{"apache": upstream.Apache, "lighttpd": upstream.Lighttpd, "strict": upstream.Strict}
	for _, name := range []string{"apache", "lighttpd", "sabre", "wsgidav"} {
		servers["as "+name] = func(t testing.TB) *upstream.Server {
			s := upstream.Strict(t)
			s.Quirks.Set(upstream.As(name))
			return s
		}
	}
	copied := map[string]bool{"apache": true, "lighttpd": true, "strict": true, "as apache": true, "as lighttpd": true, "as wsgidav": true}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			v := stamping(t, s)
			s.Write(t, "d/a b.txt", "hello")
			before, err := v.Stat(t.Context(), "/d/a b.txt")
			if err != nil || before.Stamp != "" || !before.StampKnown || before.Props != nil {
				t.Fatalf("before: %+v, %v", before, err)
			}
			if err := v.WriteStamp(t.Context(), "/d/a b.txt", "me.1", davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			want := func(p dav.Path, want string) {
				t.Helper()
				res, err := v.Stat(t.Context(), p)
				if err != nil || res.Stamp != want || !res.StampKnown || res.Props != nil {
					t.Errorf("%s: %+v, %v", p, res, err)
				}
				listed := dav.Resource{}
				if err := v.List(t.Context(), p.Parent(), func(r dav.Resource) error {
					if r.Path == p {
						listed = r
					}
					return nil
				}); err != nil || listed.Stamp != want || !listed.StampKnown {
					t.Errorf("%s, listed: %+v, %v", p, listed, err)
				}
			}
			want("/d/a b.txt", "me.1")
			if after, err := v.Stat(t.Context(), "/d/a b.txt"); err != nil || !after.ETag.Same(before.ETag) || !after.Modified.Equal(before.Modified) {
				t.Errorf("the stamp has changed the file: %+v, before %+v, %v", after, before, err)
			}
			if err := v.Copy(t.Context(), "/d/a b.txt", "/d/copy.txt", false, davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			if copied[name] {
				want("/d/copy.txt", "me.1")
			} else {
				want("/d/copy.txt", "")
			}
			if err := v.Move(t.Context(), "/d/a b.txt", "/d/b.txt", false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			want("/d/b.txt", "me.1")
			if err := v.Move(t.Context(), "/d", "/e", false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			want("/e/b.txt", "me.1")
		})
	}
}

// TestStampWhereNoneIsKept: nobody asks, and nobody writes.
func TestStampWhereNoneIsKept(t *testing.T) {
	s := upstream.Strict(t)
	v := s.View(t)
	v.Client().Stamp = stampName
	s.Write(t, "a.txt", "hello")
	if res, err := v.Stat(t.Context(), "/a.txt"); err != nil || res.StampKnown {
		t.Errorf("%+v, %v", res, err)
	}
	if err := v.WriteStamp(t.Context(), "/a.txt", "me.1", davbackend.Condition{}); !errors.Is(err, dav.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if n := s.Count("PROPPATCH"); n != 0 {
		t.Errorf("%d PROPPATCH", n)
	}
	s.Quirks.Set(func(q *upstream.Quirks) { q.RefusesProps = true })
	if err := stamping(t, s).WriteStamp(t.Context(), "/a.txt", "me.1", davbackend.Condition{}); !errors.Is(err, dav.ErrUnsupported) {
		t.Errorf("refused: %v", err)
	}
}
