package davbackend_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// TestByNativeID: a file that was moved by others is found by the cloud's own ID, by
// whoever may see it, and only below the configured folder.
func TestByNativeID(t *testing.T) {
	for _, kind := range []struct {
		name  string
		start func(testing.TB, string) *upstream.Cloud
		first int // requests of the first look-up: the way is learned
	}{{"Nextcloud", upstream.Nextcloud, 1}, {"ownCloud", upstream.OwnCloud, 2}, {"OpenCloud", upstream.OpenCloud, 1}} {
		t.Run(kind.name, func(t *testing.T) {
			cloud := kind.start(t, "/cloud")
			cloud.Write(t, "Docs (1)/a & b.txt", "one")
			cloud.Write(t, "else/x", "x")
			ben := cloud.AddAccount(t, "ben", "ben", "ben's")
			c := finder(t, cloud.Base)
			v := c.As(cloud.Credential())
			id := stat(t, v, "/Docs (1)/a & b.txt").NativeID
			if err := v.Move(t.Context(), "/Docs (1)", "/else/deep", false, davbackend.Condition{}, davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			cloud.Forget()
			for n, most := range []int{kind.first, 1} {
				p, err := v.ByNativeID(t.Context(), id)
				if err != nil || p != "/else/deep/a & b.txt" {
					t.Fatalf("%s is at %q, %v", id, p, err)
				}
				if got := len(cloud.Requests()); got != most {
					t.Errorf("look-up %d cost %d requests, not %d", n, got, most)
				}
				cloud.Forget()
			}
			byIDOutside(t, cloud, ben, id)
			if err := v.Delete(t.Context(), "/else/deep", davbackend.Condition{}); err != nil {
				t.Fatal(err)
			}
			for _, gone := range []string{id, "99999", "99999" + strings.TrimLeft(id, "0123456789"), "x/../y", strings.Repeat("9", 5000), ""} {
				if p, err := v.ByNativeID(t.Context(), gone); !errors.Is(err, dav.ErrNotFound) && !(gone == "x/../y" && errors.Is(err, dav.ErrUnsupported)) {
					t.Errorf("%.20q: %q, %v", gone, p, err)
				}
			}
		})
	}
}

func byIDOutside(t *testing.T, cloud *upstream.Cloud, ben *upstream.Account, id string) {
	t.Helper()
	if p, err := finder(t, cloud.Base).As(ben.Credential()).ByNativeID(t.Context(), id); !errors.Is(err, dav.ErrNotFound) {
		t.Errorf("for somebody else it is at %q, %v", p, err)
	}
	if p, err := finder(t, cloud.URL+"else/deep").As(cloud.Credential()).ByNativeID(t.Context(), id); err != nil || p != "/a & b.txt" {
		t.Errorf("below a folder it is at %q, %v", p, err)
	}
	if p, err := finder(t, cloud.URL+"other").As(cloud.Credential()).ByNativeID(t.Context(), id); !errors.Is(err, dav.ErrNotFound) {
		t.Errorf("below another folder it is at %q, %v", p, err)
	}
}

func stat(t *testing.T, v *davbackend.View, p dav.Path) dav.Resource {
	t.Helper()
	res, err := v.Stat(t.Context(), p)
	if err != nil {
		t.Fatalf("stat %s: %v", p, err)
	}
	return res
}

// TestByNativeIDErrors: an outage teaches nothing.
func TestByNativeIDErrors(t *testing.T) {
	cloud := upstream.OwnCloud(t, "")
	cloud.Write(t, "a", "one")
	v := finder(t, cloud.Base).As(cloud.Credential())
	id := stat(t, v, "/a").NativeID
	cloud.Quirks.Fail(upstream.Fault{Method: "SEARCH", Status: http.StatusServiceUnavailable, Times: 1})
	if _, err := v.ByNativeID(t.Context(), id); !errors.Is(err, dav.ErrUnavailable) {
		t.Error(err)
	}
	cloud.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Status: http.StatusUnauthorized, Times: 2})
	if _, err := v.ByNativeID(t.Context(), id); !errors.Is(err, dav.ErrUnauthorized) {
		t.Error(err)
	}
	cloud.Quirks.Reset()
	if p, err := v.ByNativeID(t.Context(), id); err != nil || p != "/a" {
		t.Error(p, err)
	}
}

// TestPermissions: oc:permissions without W is a file that may only be read; nothing at
// all is nothing known.
func TestPermissions(t *testing.T) {
	cloud := upstream.Nextcloud(t, "")
	for _, name := range []string{"own", "shared", "bare"} {
		cloud.Write(t, name, "x")
	}
	cloud.Allow("shared", "SG")
	v := finder(t, cloud.Base).As(cloud.Credential())
	for p, want := range map[dav.Path]bool{"/own": true, "/shared": false, "/": true} {
		if res := stat(t, v, p); res.MayWrite() != want || !res.MayKnown {
			t.Errorf("%s: %q", p, res.Permissions)
		}
	}
	if err := v.Put(t.Context(), "/shared", body("new"), davbackend.Condition{}); !errors.Is(err, dav.ErrDenied) {
		t.Error(err)
	}
	for _, r := range []dav.Resource{{}, {Collection: true, MayKnown: true}, {MayKnown: true, Permissions: "RGDNVW"}} {
		if !r.MayWrite() {
			t.Errorf("%+v may not be written", r)
		}
	}
	if (dav.Resource{MayKnown: true}).MayWrite() {
		t.Error("a file with no permission may be written")
	}
}
