package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// directives are those of systemd 249 and newer that the unit may use.
var directives = map[string]string{
	"Unit": "Description Documentation Wants After",
	"Service": "Type User Group DynamicUser StateDirectory StateDirectoryMode ConfigurationDirectory Environment ExecStart Restart RestartSec TimeoutStopSec LimitNOFILE " +
		"NoNewPrivileges ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectClock ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables " +
		"ProtectControlGroups ProtectProc ProcSubset RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality MemoryDenyWriteExecute " +
		"RemoveIPC CapabilityBoundingSet AmbientCapabilities SystemCallArchitectures SystemCallFilter UMask",
	"Install": "WantedBy",
}

// TestSystemdUnit reads the unit, starts the program as it says as far as that goes, and
// asks systemd-analyze where it is installed.
func TestSystemdUnit(t *testing.T) {
	path := folder + "/systemd/davwopi.service"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section, start := "", ""
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			if directives[section] == "" {
				t.Errorf("line %d: section %q", i+1, section)
			}
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || !slices.Contains(strings.Fields(directives[section]), key) {
				t.Errorf("line %d: %q is no directive of [%s]", i+1, line, section)
			}
			if key == "ExecStart" {
				start = value
			}
		}
	}
	if testing.Short() {
		t.Skip("builds the daemon: not with -short")
	}
	words := strings.Fields(start)
	if len(words) != 4 || words[0] != "/usr/local/bin/davwopi" || words[1] != "serve" || words[2] != "-config" {
		t.Fatalf("ExecStart=%s", start)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "davwopi.yaml"), []byte("listen: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := daemon.Program(t)
	if out, err := exec.Command(program, "config", words[2], filepath.Join(dir, "davwopi.yaml"), "check").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("systemd-analyze is not installed: the directives were compared with a list only")
		return
	}
	unit := filepath.Join(dir, "davwopi.service")
	here := strings.Replace(string(text), "ExecStart="+words[0], "ExecStart="+program, 1)
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if said := strings.TrimSpace(string(out)); err != nil || strings.Contains(said, "davwopi.service:") {
		t.Errorf("%v: %s", err, said)
	}
}
