package profile

import (
	"net/url"
	"testing"

	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestClouds: what they are known by, and how they are saved to.
func TestClouds(t *testing.T) {
	for name, c := range map[string]struct {
		start   func(testing.TB, string) *upstream.Cloud
		kind    string
		chunked bool
		inPlace bool
		form    davbackend.LockForm
	}{
		"nextcloud": {upstream.Nextcloud, "nextcloud", true, false, davbackend.FormUntagged},
		"owncloud":  {upstream.OwnCloud, "", false, false, davbackend.FormUntagged},
		"opencloud": {upstream.OpenCloud, "opencloud", false, true, davbackend.FormLockToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := c.start(t, "")
			base, err := url.Parse(cloud.Base)
			if err != nil {
				t.Fatal(err)
			}
			client := &davbackend.Client{Base: base, Discover: true}
			t.Cleanup(client.CloseIdle)
			v := client.As(cloud.Credential())
			f, err := Measure(t.Context(), v, nil)
			if err != nil {
				t.Fatal(err)
			}
			p := f.Profile()
			if f.Kind != c.kind || p.Chunked != c.chunked || p.InPlace != c.inPlace || p.Form != c.form {
				t.Errorf("kind %q, profile %+v, measured %s", f.Kind, p, comparable(f))
			}
			if f.NativeID == "none" {
				t.Error("no native ID")
			}
			nothingLeft(t, v)
		})
	}
}
