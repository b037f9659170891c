package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongCommands is what a person is told who types something wrong, or starts davwopi
// where it cannot start: what it was, and what helps, in a line or two.
func TestWrongCommands(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"unknown":        {[]string{"surf"}, exitUsage, `there is no command "surf"; davwopi help lists them`},
		"too many":       {[]string{"serve", "documents"}, exitUsage, `davwopi: "documents" is one argument too many` + "\nusage: davwopi serve\n"},
		"too few":        {[]string{"locks"}, exitUsage, "davwopi: something is missing behind locks\nusage: davwopi locks list | release ID\nmore:  davwopi help locks\n"},
		"wrong word":     {[]string{"locks", "steal"}, exitUsage, "davwopi: list or release ID\n"},
		"two people":     {[]string{"invite", "-owner", "-name", "Jo"}, exitUsage, "davwopi: -owner is yourself, -name somebody else\n"},
		"wrong flag":     {[]string{"serve", "-lisen", ":1"}, exitUsage, "davwopi: flag provided but not defined: -lisen\nusage: davwopi serve\n"},
		"port taken":     {[]string{"serve", "-listen", taken.Addr().String()}, exitFailed, "another program does already, perhaps a davwopi that still runs"},
		"no address":     {[]string{"serve", "-listen", "192.0.2.1:0"}, exitFailed, "this machine has no such address"}, // of nobody: RFC 5737
		"state a file":   {[]string{"serve", "-listen", "127.0.0.1:0", "-state", "file"}, exitFailed, "state (file): "},
		"folder nowhere": {[]string{"serve", "-listen", "127.0.0.1:0", "-dir", filepath.Join("mnt", "nas", "docs")}, exitFailed, "is the name right, and the disk mounted?"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, said bytes.Buffer
			status := run(t.Context(), test.args, surroundings{environ: []string{"DAVWOPI_INSECURE_HTTP=true"}, stdout: &out, stderr: &said})
			if status != test.status || !strings.Contains(said.String(), test.want) {
				t.Errorf("status %d, want %d; said:\n%s\nwant %q", status, test.status, &said, test.want)
			}
			if lines := strings.Count(said.String(), "\n"); lines > 4 {
				t.Errorf("%d lines, in which nobody finds the one:\n%s", lines, &said)
			}
		})
	}
}

// TestHelp asks for help in every way in which people do.
func TestHelp(t *testing.T) {
	for args, want := range map[string]string{
		"":              "davwopi help COMMAND tells all",
		"help":          "  davwopi serve\n        serve the folder",
		"--help":        "  davwopi saves list | show ID",
		"help saves":    "davwopi saves list | show ID | restore ID | undo PATH|ID | drop ID [-user NAME]\n        list and read",
		"saves -h":      "-user NAME",
		"help ids show": "-repair",
		"--version":     "davwopi ",
	} {
		var out, said bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), surroundings{stdout: &out, stderr: &said}); status != exitOK || said.Len() > 0 || !strings.Contains(out.String(), want) {
			t.Errorf("davwopi %s: status %d, said %q, told:\n%s", args, status, &said, &out)
		}
	}
}
