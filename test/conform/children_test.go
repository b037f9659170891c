package conform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// A folder of 20,000 files is listed in flat memory (DESIGN 13), whether its files are
// new to the bridge or known.
func TestEnumerateChildrenOf20000(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	const files, most = 20000, 16 << 20
	for _, c := range []struct {
		name  string
		start func(testing.TB) *upstream.Server // nil: the embedded one
	}{
		{"embedded", nil},
		{"nginx", upstream.Nginx},
	} {
		t.Run(c.name, func(t *testing.T) {
			yaml, folder := "", ""
			if c.start != nil {
				s := c.start(t)
				folder = s.Dir
				yaml = fmt.Sprintf("upstream: {url: %q, user: %q, password: %q}\nsign_in: {kind: link}\n", s.URL, s.User, s.Password)
			}
			d := daemon.Start(t, yaml)
			if folder == "" {
				folder = d.Dir
			}
			folder = filepath.Join(folder, "many")
			if err := os.Mkdir(folder, 0o777); err != nil {
				t.Fatal(err)
			}
			for i := range files {
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("Minutes of the meeting %05d.docx", i)), []byte("x"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			least := int64(1 << 40) // on a busy machine the collector may come late, once
			for _, known := range []bool{false, true, true} {
				many := parentOf(t, d.Open("/many/Minutes of the meeting 00000.docx"))
				before, _ := d.RSS()
				forgetPeak(t, d)
				if n := countChildren(t, many); n != files {
					t.Fatalf("%d children", n)
				}
				_, peak := d.RSS()
				t.Logf("known %v: %.1f MiB before, at most %.1f more", known, float64(before)/(1<<20), float64(peak-before)/(1<<20))
				if known {
					least = min(least, peak-before)
				}
				d.Stop()
				d.Restart()
			}
			if least > most {
				t.Errorf("the listing took %d MiB", least>>20)
			}
		})
	}
}

// parentOf is the address of the container that holds an opened file.
func parentOf(t *testing.T, o daemon.Opened) string {
	t.Helper()
	var above wopi.Ancestors
	response := get(t, o.WOPISrc+"/ancestry?access_token="+o.AccessToken)
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&above); err != nil || len(above.AncestorsWithRootFirst) == 0 {
		t.Fatalf("%d: %+v %v", response.StatusCode, above, err)
	}
	return above.AncestorsWithRootFirst[len(above.AncestorsWithRootFirst)-1].Url
}

func get(t *testing.T, address string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func countChildren(t *testing.T, container string) int {
	t.Helper()
	response := get(t, strings.Replace(container, "?", "/children?", 1))
	defer response.Body.Close()
	var all struct{ ChildFiles []wopi.ChildFile }
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil || response.StatusCode != 200 {
		t.Fatalf("%d: %v", response.StatusCode, err)
	}
	seen := map[string]bool{}
	for _, f := range all.ChildFiles {
		if f.Version == "" || f.Size != 1 || !strings.Contains(f.Url, "access_token=") || seen[f.Url] {
			t.Fatalf("%+v", f)
		}
		seen[f.Url] = true
	}
	return len(seen)
}

// forgetPeak makes the peak of [daemon.Daemon.RSS] begin anew.
func forgetPeak(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}
