package containers_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/test/disk"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

// patient lets saves wait, which they do on a real disk only.
func patient(t *testing.T) func(*endpoint.Endpoint) {
	dir := disk.Folder(t)
	return func(e *endpoint.Endpoint) {
		var err error
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
