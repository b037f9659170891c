package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inFolder runs davwopi in a new folder with those folders in it.
func inFolder(t *testing.T, folders ...string) func(args ...string) (int, string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, folder := range folders {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (int, string) {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a daemon that does start stops again
		status := run(ctx, args, surroundings{stdout: &out, stderr: &out})
		return status, out.String()
	}
}

func TestWhatIsSecretIsNotServed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"the state directory in the folder", "state: docs/state lies in", []string{"-dir", "docs", "-state", "docs/state"}},
		{"the state directory is the folder", "state: docs lies in", []string{"-dir", "docs", "-state", "docs"}},
		{"the folder is this directory", "state: davwopi-data lies in", []string{"-dir", "."}},
		{"by another spelling", "state: ", []string{"-dir", "docs", "-state", "docs/../docs/x/y"}},
		{"by a symbolic link", "state: link/state lies in", []string{"-dir", "docs", "-state", "link/state"}},
		{"the folder by a symbolic link", "state: docs/state lies in", []string{"-dir", "link", "-state", "docs/state"}},
		{"the folder in the save journal", "dir: st/saves lies in", []string{"-dir", "st/saves", "-state", "st"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			davwopi := inFolder(t, "docs")
			if err := os.Symlink("docs", "link"); err != nil {
				t.Fatal(err)
			}
			status, said := davwopi(append([]string{"serve", "-listen", "127.0.0.1:0"}, c.args...)...)
			if status != exitUsage || !strings.Contains(said, c.want) {
				t.Errorf("exit %d: %s", status, said)
			}
			if found, _ := filepath.Glob("*/*"); len(found) != 0 {
				t.Errorf("something was made: %v", found)
			}
		})
	}
}

func TestKeysInTheFolderAreRefused(t *testing.T) {
	davwopi := inFolder(t, "docs")
	text := "secret_key_file: docs/secret.key\ntls: {cert_file: docs/cert.pem, key_file: docs/key.pem}\napi_keys: [{name: a, key_file: docs/api, principals: [x]}]\n"
	if err := os.WriteFile("c.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, said := davwopi("serve", "-config", "c.yaml", "-dir", "docs")
	for _, key := range []string{"secret_key_file: ", "tls.key_file: ", "api_keys.key_file: "} {
		if status != exitUsage || !strings.Contains(said, key) {
			t.Errorf("%sexit %d: %s", key, status, said)
		}
	}
	if status, said := davwopi("config", "check", "-config", "c.yaml", "-dir", "docs"); status != exitUsage {
		t.Errorf("config check: exit %d: %s", status, said)
	}
}

func TestFoldersSideBySideAreServed(t *testing.T) {
	for _, args := range [][]string{
		{"-dir", "docs", "-state", "docs-state"},
		{"-dir", "st/documents", "-state", "st"},
		{"-dir", "new/docs", "-state", "new/state"},
	} {
		davwopi := inFolder(t, "docs")
		if status, said := davwopi(append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...); status == exitUsage {
			t.Errorf("%v: exit %d: %s", args, status, said)
		}
	}
}
