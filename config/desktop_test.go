package config

import (
	"strings"
	"testing"
)

// TestDesktopURL: Office sends its password over https only, and the embedded server has a way of its own.
func TestDesktopURL(t *testing.T) {
	for env, want := range map[string]string{
		"DAVWOPI_UPSTREAM_URL=https://nas.example/dav/ DAVWOPI_UPSTREAM_DESKTOP_URL=https://nas.example/dav/": "",
		"DAVWOPI_UPSTREAM_URL=https://nas.example/dav/ DAVWOPI_UPSTREAM_DESKTOP_URL=http://nas.example/dav/":  "upstream.desktop_url: wants a plain https address",
		"DAVWOPI_UPSTREAM_DESKTOP_URL=https://nas.example/dav/":                                               "upstream.desktop_url: is for an upstream url",
	} {
		_, err := Load("", strings.Fields(env), nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", env, err)
		}
	}
}
