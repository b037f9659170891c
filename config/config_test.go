package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "davwopi.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBareMachine(t *testing.T) {
	c, err := Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8880" || c.State.Dir != "davwopi-data" || c.Dir != "documents" {
		t.Errorf("addresses: %q %q %q", c.Listen, c.State, c.Dir)
	}
	if !c.Embedded() || c.SignIn.Kind != "link" || c.Upstreams[0].Name != "main" || *c.Locks.AnnounceLocks {
		t.Errorf("not the embedded server with links: %+v", c)
	}
	c.Listening("127.0.0.1:4711")
	if c.PublicURL.String() != "http://127.0.0.1:4711" || c.WOPIURL.String() != c.PublicURL.String() {
		t.Errorf("public %s, wopi %s", c.PublicURL, c.WOPIURL)
	}
}

func TestHomeServer(t *testing.T) {
	c, err := Load(write(t, `
public_url: https://docs.home.example
upstream:
  url: https://nas.home.example/dav/
  auth: user
  roots: per_user
editors: [https://office.home.example, {url: "https://only.home.example", name: Only}]
prefer: {docx: "https://only.home.example"}
saves: {max_file_size: 500M, patience: 5s}
trusted_proxies: [127.0.0.1, 10.0.0.0/8]
`), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.SignIn.Kind != "upstream" || c.SignIn.Upstream != "main" || !*c.Locks.AnnounceLocks {
		t.Errorf("what follows from an upstream is missing: %+v", c.SignIn)
	}
	if len(c.Editors) != 2 || c.Editors[0].URL.String() != "https://office.home.example" || c.Editors[1].Name != "Only" {
		t.Errorf("editors: %+v", c.Editors)
	}
	if c.Saves.MaxFileSize != 500<<20 || c.Saves.Patience != 5*time.Second {
		t.Errorf("saves: %+v", c.Saves)
	}
	if fmt.Sprint(c.TrustedProxies) != "[127.0.0.1/32 10.0.0.0/8]" {
		t.Errorf("proxies: %v", c.TrustedProxies)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	file := write(t, `
lissten: 127.0.0.1:1
listen: 0.0.0.0:80
upstream:
  url: ftp://nas
  auth: oauth
  password: geheim
  colour: red
  connections: many
saves: {patience: never}
walk: {requests_per_second: 1001, every: 0s}
editors: {a: b}
api_keys:
  - name: x
access:
  - {who: [a], rights: all}
wopi: {containers: maybe}
`)
	_, err := Load(file, []string{"DAVWOPI_UPSTREM_URL=x", "DAVWOPI_LOG_LEVEL=loud"}, nil)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	text := err.Error()
	for _, want := range []string{
		"lissten: unknown key (line 2)", "listen: 0.0.0.0:80 is not a loopback", `upstream.url: "ftp://nas"`,
		`upstream.auth: "oauth" is not one of service, user`, "upstream.colour: unknown key", `upstream.connections: "many" is not a number`, "saves.patience:",
		"walk.requests_per_second: 1001: wants 1 to 1000", `walk.every: "0s" is not a duration`,
		"editors: wants a list", "api_keys[0]: wants exactly one", "api_keys[0].principals: is required",
		"access[0].rights:", "wopi.containers:", "DAVWOPI_UPSTREM_URL: no key", `log.level: "loud" is not one of`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not reported: %s\nin:\n%s", want, text)
		}
	}
	if strings.Contains(text, "geheim") {
		t.Error("a password was printed")
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "listen: 127.0.0.1:1\ndir: a\nstate: s")
	c, err := Load(file, []string{"DAVWOPI_LISTEN=127.0.0.1:2", "DAVWOPI_DIR=b", "HOME=/"}, Overrides{"listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Dir != "b" || c.State.Dir != "s" {
		t.Errorf("flag, environment, file: %s %s %s", c.Listen, c.Dir, c.State)
	}
}

// TestEveryScalarHasItsVariable sets each key through the environment and looks
// whether the value arrived.
func TestEveryScalarHasItsVariable(t *testing.T) {
	for path, kind := range scalarKeys() {
		value := map[reflect.Type]string{typeURL: "https://x.example", typeSize: "7M", typeDuration: "7s", typeSecret: "seven"}[kind]
		if value == "" {
			value = "true"
			if kind.Kind() == reflect.String || kind == typeState {
				value = "seven"
			}
			if kind.Kind() == reflect.Int {
				value = "7"
			}
			if kind.Kind() == reflect.Slice {
				value = "10.0.0.7"
				if kind.Elem() == typeEditor || kind.Elem() == typeURL {
					value = "https://x.example"
				}
			}
		}
		c, r := Default(), &reader{}
		before := fmt.Sprintf("%+v", *c)
		r.environment(c, []string{Variable(path) + "=" + value})
		if values := tagOf(path); values != "" {
			r = &reader{}
			r.environment(c, []string{Variable(path) + "=" + strings.Split(values, ",")[1]})
		}
		if len(r.faults) > 0 {
			t.Errorf("%s: %v", path, r.faults)
		}
		unchanged := fmt.Sprintf("%+v", *c) == before
		if kind == typeSecret {
			v := reflect.ValueOf(c).Elem()
			for _, key := range strings.Split(path, ".") {
				v, _, _ = fieldOf(v, key)
			}
			unchanged = v.Interface().(Secret).Reveal() != "seven"
		}
		if unchanged && path != "wopi.write_relative" && path != "wopi.containers" && path != "locks.respect_lock_files" && path != "walk.enabled" && path != "walk.watch" && path != "saves.undo" {
			t.Errorf("%s=%s changed nothing", Variable(path), value)
		}
	}
}

func tagOf(path string) string {
	v, tag := reflect.ValueOf(Default()).Elem(), ""
	for _, key := range strings.Split(path, ".") {
		v, tag, _ = fieldOf(v, key)
	}
	return tag
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := Load("", []string{"DAVWOPI_UPSTREAM_PASSWORD=geheim", "DAVWOPI_UPSTREAM_USER=u", "DAVWOPI_UPSTREAM_URL=https://nas.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(verb, c.Upstreams[0].Password), "geheim") {
			t.Errorf("%s prints the password", verb)
		}
	}
}

// TestState: a directory as ever, or a directory and a database.
func TestState(t *testing.T) {
	for text, want := range map[string]string{
		"state: a":                              "a  files",
		"state: {dir: a}":                       "a  files",
		"state:":                                "davwopi-data  files",
		"state: {url: postgres://u:geheim@h/d}": "davwopi-data postgres://u:geheim@h/d database",
		"state: {dir: a, url: 'postgres:///d?host=/run/postgresql'}\nreplicas: true": "a postgres:///d?host=/run/postgresql database",
		"state: {url: postgresql://h/d}\nsaves: {store: files}":                      "davwopi-data postgresql://h/d files",
		"state: {url: postgresql://h/d}\nsaves: {dir: /mnt/saves}":                   "davwopi-data postgresql://h/d files",
		"state: a\nsaves: {store: database}":                                         "saves.store: database needs state.url",
		"state: {url: mysql://u:geheim@h/d}":                                         "state.url: wants an address that begins with postgres://",
		"state: {url: postgres://u:geheim@h/d, url_file: f}":                         "state.url: cannot be used together",
		"replicas: true": "replicas: needs state.url: SQLite",
		"state: {url: postgres://h/d}\nsaves: {store: database, dir: /mnt/saves}": "saves.dir: is for store: files",
		"saves: {dir: /mnt/saves}": "saves.dir: is for several bridges",
		"state: {dir: ''}":         "state.dir: is required",
		"state: [a]":               "state: wants keys and values",
		"state: {path: a}":         "state.path: unknown key (line 1); allowed here: dir, url, url_file",
	} {
		c, err := Load(write(t, text), nil, nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = c.State.Dir + " " + c.State.URL.Reveal() + " " + c.Saves.Store
		}
		if got != want && (err == nil || !strings.Contains(got, want) || strings.Contains(got, "geheim")) {
			t.Errorf("%s\nis %s\nwant %s", text, got, want)
		}
		if err == nil && strings.Contains(fmt.Sprintf("%v %+v %#v", c, c, c.State), "geheim") {
			t.Errorf("%s: a password is printed", text)
		}
	}
	c, err := Load(write(t, "state: {url: postgres://h/d}"), []string{"DAVWOPI_STATE=b"}, Overrides{"state": "c"})
	if err != nil || c.State.Dir != "c" || c.State.URL.Reveal() == "" {
		t.Errorf("-state DIR beside state.url: %+v %v", c, err)
	}
}

func TestURLs(t *testing.T) {
	for text, good := range map[string]bool{
		"https://a.example": true, "http://a.example:81/b": true, "a.example": false, "https://": false,
		"https://u:geheim@a.example": false, "https://a.example?x=1": false, "file:///etc": false,
	} {
		_, err := parseURL(text)
		if (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the password is in the message", text)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\nupstream: {url: 'https://a'}")
	f.Add("editors: [a, {url: b}]\nprefer: {a: b}")
	f.Add("upstreams: [{name: a, url: 'https://a'}, {name: b}]\nsign_in: {kind: link}")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, nil, nil)
		var faults Faults
		if err != nil && !errors.As(err, &faults) || err == nil && len(c.Upstreams) == 0 {
			t.Errorf("%v %v", c, err)
		}
	})
}
