package conform_test

import (
	"context"
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

// configurations are the ways to run the bridge that together show every case: some
// groups exclude each other.
var configurations = []struct {
	name, yaml string
	hidden     []string // groups that this one does not show
}{
	{"file_url", "{file_url: true}", []string{"PutRelativeFileUnsupported", "RenameFileIfCreateChildFileIsNotSupported"}},
	{"no_write_relative", "{write_relative: false}", []string{
		"PutRelativeFile", "RenameFileIfCreateChildFileIsNotSupported", "FileUrlUsage", "FileUrlViewOnly",
	}},
	{"no_containers", "{containers: false}", []string{
		"PutRelativeFileUnsupported", "RenameFileIfCreateChildFileIsSupported", "FileUrlUsage", "FileUrlViewOnly",
		"Ecosystem", "Container", "RenameContainer", "EnumerateAncestorsAndChildren", "CreateChildFileAndDeleteFile",
		"GetSharingUrlForContainerWithTypeReadOnly", "GetSharingUrlForContainerWithTypeReadWrite", "GetSharingUrlForContainerWithUnknownType",
	}},
}

// allCases is how many cases the suite has besides those of CSPP Plus.
const allCases = 132

// TestConform plays Microsoft's cases, signed, against the built daemon on the
// embedded upstream and on real servers, in three configurations.
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
		t.Run(c.name, func(t *testing.T) {
			passed, missing := map[string]bool{}, map[string]bool{}
			for _, run := range configurations {
				t.Run(run.name, func(t *testing.T) {
					for _, o := range playAll(t, c.start, run.yaml) {
						name := o.Group + " / " + o.Name
						hidden := slices.Contains(run.hidden, o.Group)
						switch {
						case o.Verdict == conform.Pass:
							passed[name] = true
							delete(missing, name)
						case o.Verdict == conform.Fail, !hidden:
							t.Errorf("%s: %s %q", name, o.Verdict, o.Reasons)
						}
						if !passed[name] {
							missing[name] = true
						}
					}
				})
			}
			for name := range missing {
				t.Errorf("%s was passed in no configuration", name)
			}
			if n := len(passed) + len(missing); n != allCases && !t.Failed() {
				t.Errorf("%d cases were played, %d are there", n, allCases)
			}
			t.Logf("%d of %d cases passed", len(passed), allCases)
		})
	}
}

// playAll plays every case that is not one of CSPP Plus.
func playAll(t *testing.T, start func(testing.TB) *upstream.Server, yaml string) []conform.Outcome {
	editor := office.NewEditor(t, wopi.Microsoft, true, "wopitest", "wopitestx")
	yaml = "editors: [\"" + editor.URL + "\"]\nwopi: " + yaml + "\n"
	folder := ""
	if start != nil {
		s := start(t)
		folder = s.Dir
		yaml += "upstream: {url: \"" + s.URL + "\", user: \"" + s.User + "\", password: \"" + s.Password + "\"}\nsign_in: {kind: link}\n"
	}
	d := daemon.Start(t, yaml)
	if folder == "" {
		folder = d.Dir
	}
	folder = filepath.Join(folder, "tests")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "test.wopitest")
	if err := os.WriteFile(file, []byte("contents"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{folder, file} { // other than the umask says
		if err := os.Chmod(made, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	opened := d.Open("-editor", editor.URL, "/tests/test.wopitest")
	result, err := conform.Run(context.Background(), conform.Options{
		WOPISrc: opened.WOPISrc, Token: opened.AccessToken, TTL: opened.TTL, Category: "All",
		Current: editor.Current, Old: editor.Old,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	return slices.DeleteFunc(result.Outcomes, func(o conform.Outcome) bool { return o.Category == "WopiCoauth" })
}
