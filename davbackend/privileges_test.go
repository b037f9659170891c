package davbackend_test

import (
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestPrivilegesComeWithTheLook: they cost no request, and only an upstream of which
// they are known to be right is asked for them.
func TestPrivilegesComeWithTheLook(t *testing.T) {
	s := upstream.Strict(t)
	s.Write(t, "a.txt", "x")
	s.Quirks.Set(func(q *upstream.Quirks) {
		q.Privileges = func(string, dav.Path) []string { return []string{"read"} }
	})
	for _, known := range []bool{false, true} {
		c := s.Client(t)
		c.Learn(davbackend.Profile{Privileges: known})
		v := c.As(s.Credential())
		s.Forget()
		res, err := v.Stat(t.Context(), "/a.txt")
		if err != nil || res.Privileges.Said != known || v.MayWrite(res) == known || s.Count("PROPFIND") > 2 { // one learns to sign in
			t.Errorf("known %v: %+v, may write %v, %d requests, %v", known, res.Privileges, v.MayWrite(res), s.Count("PROPFIND"), err)
		}
	}
	c := s.Client(t)
	c.Learn(davbackend.Profile{ReadOnly: true})
	if c.As(s.Credential()).MayWrite(dav.Resource{}) {
		t.Error("on an upstream where nothing can be written")
	}
}
