package options

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"davwopi/config"
)

// needs are the keys that are accepted only where others are set, which are given here as
// variables.
var needs = map[string][]string{
	"listen":                 {"INSECURE_HTTP=true"},
	"tls.cert_file":          {"TLS_KEY_FILE=k"},
	"tls.key_file":           {"TLS_CERT_FILE=c"},
	"tls.acme.enabled":       {"PUBLIC_URL=https://docs.home.example"},
	"replicas":               {"STATE_URL=postgres://db.home.example/davwopi"},
	"upstream.auth":          {"UPSTREAM_URL=" + nas, "UPSTREAM_ROOTS=shared"},
	"upstream.user":          {"UPSTREAM_URL=" + nas},
	"upstream.password":      {"UPSTREAM_URL=" + nas, "UPSTREAM_USER=davwopi"},
	"upstream.password_file": {"UPSTREAM_URL=" + nas, "UPSTREAM_USER=davwopi"},
	"upstream.local_path":    {"UPSTREAM_URL=" + nas},
	"upstream.desktop_url":   {"UPSTREAM_URL=" + nas},
	"prefer":                 {"EDITORS=https://office.home.example"},
	"sign_in.kind":           {"UPSTREAM_URL=" + nas, "SIGN_IN_OIDC_ISSUER=https://id.home.example", "SIGN_IN_OIDC_CLIENT_ID=davwopi"},
	"sign_in.upstream":       {"UPSTREAM_URL=" + nas, "UPSTREAM_NAME=nas"},
	"sign_in.oidc.issuer":    {"SIGN_IN_OIDC_CLIENT_ID=davwopi"},
	"oauth.mode":             {"SIGN_IN_OIDC_ISSUER=https://id.home.example", "SIGN_IN_OIDC_CLIENT_ID=davwopi", "OAUTH_BEARER_AUDIENCES=x"},
	"locks.announce_locks":   {"UPSTREAM_URL=" + nas},
	"saves.store":            {"STATE_URL=postgres://db.home.example/davwopi"},
	"saves.dir":              {"STATE_URL=postgres://db.home.example/davwopi"},
	"log.audit_names":        {"LOG_AUDIT=-"},
}

const nas = "https://nas.home.example/dav/"

// TestExamplesAreAccepted: every key has an example, which is another value than its default and
// which the program takes.
func TestExamplesAreAccepted(t *testing.T) {
	n := 0
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			inner, path := f.Type, prefix+f.Tag.Get("yaml")
			if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
				inner, path = inner.Elem(), path+"[]"
			}
			if inner.Kind() == reflect.Struct && inner.NumField() > 0 && inner.Field(0).Tag.Get("yaml") != "" {
				if path != "upstreams[]" {
					walk(path+".", inner)
				}
				continue
			}
			n++
			path = strings.TrimSuffix(path, "[]")
			accepted(t, path, f.Tag.Get("beside"), f.Tag.Get("example"))
		}
	}
	walk("", reflect.TypeFor[config.Config]())
	if n < 120 {
		t.Errorf("only %d keys", n)
	}
}

func accepted(t *testing.T, path, beside, value string) {
	t.Helper()
	if value == "" {
		t.Errorf("%s has no example", path)
		return
	}
	file := filepath.Join(t.TempDir(), "davwopi.yaml")
	text := Example(path, beside, value)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, variable := range needs[path] {
		environ = append(environ, "DAVWOPI_"+variable)
	}
	with, err := config.Load(file, environ, nil)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	without, err := config.Load("", environ, nil)
	if err == nil && reflect.DeepEqual(with, without) && path != "sign_in.upstream" { // of one upstream it is the first
		t.Errorf("%s changes nothing", text)
	}
}
