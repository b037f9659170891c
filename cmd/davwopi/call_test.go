package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheUsualConfiguration: davwopi.yaml of the folder is read where no other is named.
func TestTheUsualConfiguration(t *testing.T) {
	t.Chdir(t.TempDir())
	other := filepath.Join(t.TempDir(), "other.yaml")
	for name, text := range map[string]string{usualFile: "log: {level: loud}\n", other: "log: {level: warn}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		flags, environ []string
		status         int
		said           string
	}{
		{nil, nil, exitUsage, "log.level"},
		{[]string{"-config", other}, nil, exitOK, other},
		{nil, []string{"DAVWOPI_CONFIG=" + other}, exitOK, other},
		{[]string{"-config", ""}, nil, exitOK, "no file"},
		{nil, []string{"DAVWOPI_CONFIG="}, exitOK, "no file"},
	} {
		var out, errs strings.Builder
		status := run(t.Context(), append([]string{"config", "check"}, c.flags...), surroundings{stdout: &out, stderr: &errs, environ: c.environ})
		if status != c.status || !strings.Contains(out.String()+errs.String(), c.said) {
			t.Errorf("%q %q: %d %s%s", c.flags, c.environ, status, &out, &errs)
		}
	}
}
