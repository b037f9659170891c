package conform_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/conform"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// shown are the groups that a bridge without containers must pass, each in the run
// whose capabilities it wants.
var shown = map[bool][]string{
	true: {
		"CheckFileInfoSchema", "BaseWopiViewing", "Locks", "GetLock", "ExtendedLockLength", "EditFlows", "FileVersion",
		"PutUserInfo", "PutRelativeFile", "RenameFileIfCreateChildFileIsNotSupported", "ProofKeys",
	},
	false: {
		"CheckFileInfoSchema", "BaseWopiViewing", "Locks", "GetLock", "ExtendedLockLength", "EditFlows", "FileVersion",
		"PutUserInfo", "PutRelativeFileUnsupported", "ProofKeys",
	},
}

// TestConform plays Microsoft's cases, signed, against the built daemon on the
// embedded upstream and on a real Apache, with wopi.write_relative on and off.
func TestConform(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	for _, c := range []struct {
		name  string
		start func(testing.TB) *upstream.Server // nil: the embedded one
	}{
		{"embedded", nil},
		{"apache", upstream.Apache},
		{"nginx", upstream.Nginx},
		{"lighttpd", upstream.Lighttpd},
		{"rclone", upstream.Rclone},
	} {
		for _, relative := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/write_relative_%v", c.name, relative), func(t *testing.T) {
				editor := office.NewEditor(t, wopi.Microsoft, true, "wopitest", "wopitestx")
				yaml := fmt.Sprintf("editors: [%q]\nwopi: {write_relative: %v, containers: false}\n", editor.URL, relative)
				folder := ""
				if c.start != nil {
					s := c.start(t)
					folder = s.Dir
					yaml += fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\n", s.URL, s.User, s.Password)
				}
				d := daemon.Start(t, yaml)
				if folder == "" {
					folder = d.Dir
				}
				playAll(t, d, editor, folder, shown[relative])
			})
		}
	}
}

func playAll(t *testing.T, d *daemon.Daemon, editor *office.Editor, folder string, must []string) {
	file := filepath.Join(folder, "test.wopitest")
	if err := os.WriteFile(file, []byte("contents"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	opened := d.Open("-editor", editor.URL, "/test.wopitest")
	result, err := conform.Run(context.Background(), conform.Options{
		WOPISrc: opened.WOPISrc, Token: opened.AccessToken, TTL: opened.TTL, Category: "OfficeOnline",
		Current: editor.Current, Old: editor.Old,
	})
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]int{}
	for _, o := range result.Outcomes {
		if o.Verdict == conform.Pass {
			passed[o.Group]++
		} else if o.Verdict == conform.Fail || slices.Contains(must, o.Group) {
			t.Errorf("%s %s: %s %q", o.Group, o.Name, o.Verdict, o.Reasons)
		}
	}
	for _, group := range must {
		if passed[group] == 0 {
			t.Errorf("no case of %s was played", group)
		}
	}
	t.Log(result)
}
