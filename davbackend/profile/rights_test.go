package profile

import (
	"net/http"
	"testing"

	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestPrivilegesAreComparedWithWhatWorks: a set is believed if it allows what has just
// been done.
func TestPrivilegesAreComparedWithWhatWorks(t *testing.T) {
	both := func(names ...string) func(string, dav.Path) []string {
		return func(string, dav.Path) []string { return names }
	}
	for name, c := range map[string]struct {
		set  func(user string, p dav.Path) []string
		want string
	}{
		"there is none":                  {nil, "none"},
		"all":                            {both("all"), "right"},
		"what was done":                  {both("read", "write-content", "bind"), "right"},
		"only reading":                   {both("read"), "wrong"},
		"files, but nothing new":         {both("read", "write-content"), "wrong"},
		"new files, which are read-only": {both("read", "bind"), "wrong"},
		"empty":                          {both(), "none"},
		"for folders alone": {func(_ string, p dav.Path) []string {
			if p.Base() == "a document.txt" {
				return nil
			}
			return []string{"all"}
		}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(func(q *upstream.Quirks) { q.Privileges = c.set })
			f := measured(t, s)
			if f.Privileges != c.want || f.Profile().Privileges != (c.want == "right") {
				t.Errorf("%q, profile %v; want %q", f.Privileges, f.Profile().Privileges, c.want)
			}
		})
	}
}

// TestAServerOnWhichNothingCanBeWritten: refusing a folder in the root is not enough,
// nor is what OPTIONS says where folders can be made.
func TestAServerOnWhichNothingCanBeWritten(t *testing.T) {
	readOnly := func(q *upstream.Quirks) { q.Refuse = map[string]int{"MKCOL": http.StatusForbidden} }
	for name, c := range map[string]struct {
		set                 func(*upstream.Quirks)
		readOnly, noWriting bool
	}{
		"the root is closed": {readOnly, true, false},
		"and the server says it": {func(q *upstream.Quirks) {
			readOnly(q)
			q.Headers = map[string]string{"Allow": "OPTIONS, GET, HEAD, PROPFIND"}
		}, true, true},
		"in small letters":                 {func(q *upstream.Quirks) { readOnly(q); q.Headers = map[string]string{"Allow": "options,get,propfind"} }, true, true},
		"files can be written":             {func(q *upstream.Quirks) { readOnly(q); q.Headers = map[string]string{"Allow": "GET, PUT"} }, true, false},
		"a server that does not say":       {func(q *upstream.Quirks) { readOnly(q); q.Headers = map[string]string{"Allow": ""} }, true, false},
		"it says so, and folders are made": {func(q *upstream.Quirks) { q.Headers = map[string]string{"Allow": "GET"} }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := upstream.Strict(t)
			s.Quirks.Set(c.set)
			f, err := Measure(t.Context(), s.View(t), nil)
			if err != nil || f.ReadOnly != c.readOnly || f.NoWriting != c.noWriting {
				t.Errorf("read-only %v, nothing can be written %v, %v", f.ReadOnly, f.NoWriting, err)
			}
		})
	}
}
