package containers_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

// patient lets saves wait, which they do on a real disk only.
func patient(t *testing.T) func(*endpoint.Endpoint) {
	dir, err := os.MkdirTemp("/var/tmp", "davwopi-containers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if kind := uint32(st.Type); kind == 0x01021994 || kind == 0x794c7630 || st.Bavail*uint64(st.Bsize) < 256<<20 || st.Bavail < st.Blocks/20 {
		t.Skip("/var/tmp is a tmpfs or an overlay, or nearly full: no save would wait")
	}
	return func(e *endpoint.Endpoint) {
		e.Saves, err = saves.New(t.Context(), saves.Saves{
			Dir: filepath.Join(dir, "saves"), DB: e.Locks.DB, IDs: e.IDs, Locks: e.Locks, WhenDown: saves.Queue, Patience: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEnumerateChildrenShowsWhatWaits: size, time and version are those that the saver was
// told, and that CheckFileInfo says.
func TestEnumerateChildrenShowsWhatWaits(t *testing.T) {
	h := rooms.New(t, nil, patient(t))
	main := h.Servers["main"]
	main.Write(t, "a/one.docx", "old")
	main.Write(t, "a/two.docx", "old")
	folder, file := h.Open(h.At("/a"), access.Grant{}), h.Open(h.At("/a/one.docx"), access.Grant{})
	if got := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	main.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	saved := h.Post(strings.Replace(file, "?", "/contents?", 1), wopi.OverridePut, "saved in the outage", wopi.HeaderLock, "L")
	var put wopi.PutFileInfo
	saved.Into(t, &put)
	main.Quirks.Reset()
	var got children
	h.Get(folder, "children").Into(t, &got)
	if len(got.ChildFiles) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, c := range got.ChildFiles {
		switch {
		case c.Name == "two.docx":
			if c.Size != 3 {
				t.Errorf("the other: %+v", c)
			}
		case c.Size != int64(len("saved in the outage")) || c.Version != saved.Header.Get(wopi.HeaderItemVersion) || c.LastModifiedTime != put.LastModifiedTime:
			t.Errorf("listed as %+v, saved as %s %s", c, saved.Header.Get(wopi.HeaderItemVersion), put.LastModifiedTime)
		}
	}
}
