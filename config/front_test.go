package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// loadText loads a configuration of that text from a file of that mode.
func loadText(t *testing.T, text string, mode os.FileMode) (*Config, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "davwopi.yaml")
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	c, err := Load(file, nil, nil)
	if err != nil {
		return nil, err.Error()
	}
	return c, ""
}

func TestSecretsInAFileThatAllMayReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("wants file modes, which Windows has not")
	}
	const secret = "upstream: {url: https://nas.example/dav/, user: a, password: hunter2}\n"
	_, fault := loadText(t, secret, 0o644)
	if !strings.Contains(fault, "upstream.password") || !strings.Contains(fault, "chmod 600") || strings.Contains(fault, "hunter2") {
		t.Errorf("0644: %q", fault)
	}
	for _, mode := range []os.FileMode{0o600, 0o640} {
		if c, fault := loadText(t, secret, mode); c == nil {
			t.Errorf("%o: %s", mode, fault)
		}
	}
	if c, fault := loadText(t, "upstream: {url: https://nas.example/dav/, user: a, password_file: p}\n", 0o644); c == nil {
		t.Errorf("without a secret in it: %s", fault)
	}
}

func TestWhatContainersMountAsSecretsIsNotExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("wants file modes, which Windows has not")
	}
	for file, want := range map[string]bool{"/run/secrets/key": false, "/run/secrets/../key": true, "/etc/key": true, "key": true} {
		if Exposed(file, 0o444) != want {
			t.Errorf("%s: %v", file, !want)
		}
	}
	if Exposed("/etc/key", 0o440) {
		t.Error("a group is not everybody")
	}
}

func TestACME(t *testing.T) {
	c, fault := loadText(t, "listen: 0.0.0.0:443\npublic_url: https://Docs.example\nwopi_url: https://in.example:8443\ntls: {acme: {enabled: true}}\n", 0o600)
	if c == nil {
		t.Fatal(fault)
	}
	if !c.TLS.On() || strings.Join(c.TLS.ACME.Domains, " ") != "docs.example in.example" {
		t.Errorf("%+v", c.TLS.ACME)
	}
	for text, want := range map[string]string{
		"tls: {acme: {enabled: true}}":                                                               "tls.acme.domains: is required",
		"tls: {acme: {enabled: true, domains: [10.0.0.1]}}":                                          "tls.acme.domains[0]",
		"tls: {acme: {enabled: true, domains: ['*.a.example']}}":                                     "tls.acme.domains[0]",
		"tls: {cert_file: a, key_file: b, acme: {enabled: true, domains: [a.b]}}":                    "cannot be used together with cert_file",
		"tls: {acme: {enabled: true, domains: [a.b], directory: http://a.b}}":                        "plain http",
		"tls: {acme: {enabled: true, domains: [a.b], http_listen: x}}":                               "tls.acme.http_listen",
		"replicas: true\nstate: {url: postgres://a/b}\ntls: {acme: {enabled: true, domains: [a.b]}}": "is for one bridge",
	} {
		if _, fault := loadText(t, text, 0o600); !strings.Contains(fault, want) {
			t.Errorf("%s: %q, want %q", text, fault, want)
		}
	}
}

func TestLimitsOfEditors(t *testing.T) {
	c, fault := loadText(t, "wopi: {networks: [10.1.2.3, 192.168.0.0/16], requests_per_token: 8}\nlog: {audit: '-', audit_names: true}\n", 0o600)
	if c == nil {
		t.Fatal(fault)
	}
	if len(c.WOPI.Networks) != 2 || c.WOPI.Networks[1].String() != "192.168.0.0/16" || c.WOPI.RequestsPerToken != 8 || c.Log.Audit != "-" {
		t.Errorf("%+v %+v", c.WOPI, c.Log)
	}
	for text, want := range map[string]string{
		"wopi: {requests_per_token: 3}": "wopi.requests_per_token: 3: wants 4",
		"wopi: {networks: [office]}":    "wopi.networks[0]",
		"log: {audit_names: true}":      "log.audit_names",
	} {
		if _, fault := loadText(t, text, 0o600); !strings.Contains(fault, want) {
			t.Errorf("%s: %q, want %q", text, fault, want)
		}
	}
}

func TestTabsAreNamed(t *testing.T) {
	if _, fault := loadText(t, "listen: 127.0.0.1:1\nupstream:\n\turl: https://nas.example/dav/\n", 0o600); !strings.Contains(fault, "line 3 is indented with a tab, and YAML wants spaces") {
		t.Errorf("%q", fault)
	}
	if _, fault := loadText(t, "editors: [\nlisten\t: x", 0o600); !strings.Contains(fault, "not YAML") || strings.Contains(fault, "tab") {
		t.Errorf("no tab in front: %q", fault)
	}
}
