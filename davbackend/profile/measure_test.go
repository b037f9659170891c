package profile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

var update = flag.Bool("update", false, "write what was measured into testdata")

// comparable are facts without what differs from run to run.
func comparable(f Facts) string {
	f.At, f.Server, f.Requests = time.Time{}, "", 0
	b, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

// TestServersAreWhatTheTableSays measures every real server and compares with
// testdata/NAME.json, cell by cell.
func TestServersAreWhatTheTableSays(t *testing.T) {
	for _, start := range []func(testing.TB) *upstream.Server{
		upstream.Embedded, upstream.Strict, upstream.Apache, upstream.Nginx, upstream.Lighttpd, upstream.Rclone,
	} {
		serverIs(t, start)
	}
}

func serverIs(t *testing.T, start func(testing.TB) *upstream.Server) {
	name := runtime.FuncForPC(reflect.ValueOf(start).Pointer()).Name()
	t.Run(name[strings.LastIndexByte(name, '.')+1:], func(t *testing.T) {
		s := start(t)
		v := s.View(t)
		f, err := Measure(t.Context(), v, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d requests", f.Server, f.Requests)
		file := filepath.Join("testdata", s.Name+".json")
		if s.Name == "embedded" {
			file = "embedded.json"
		}
		got := comparable(f)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, []byte(got)) {
			t.Errorf("measured:\n%s\n%s:\n%s", got, file, want)
		}
		nothingLeft(t, v)
	})
}

// nothingLeft: the root is as it was.
func nothingLeft(t *testing.T, v *davbackend.View) {
	t.Helper()
	err := v.List(t.Context(), dav.Root, func(res dav.Resource) error {
		t.Errorf("%s is left behind", res.Path)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
