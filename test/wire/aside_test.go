package wire

import (
	"net/http"
	"os"
	"testing"
	"time"

	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/test/disk"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// TestConflictsInAnOutage: editors that do not try again save what rests on contents
// that somebody has changed, while the upstream is away. They are told 200; the bytes
// become a copy beside the file when it is back, and what somebody else wrote stays.
func TestConflictsInAnOutage(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		for _, c := range []struct {
			what     string
			kind     wopi.Office
			diverted bool
		}{
			{"stale, Collabora", wopi.Collabora, false},
			{"stale, ONLYOFFICE", wopi.OnlyOffice, false},
			{"diverted, ONLYOFFICE", wopi.OnlyOffice, true},
		} {
			t.Run(profile.Name+", "+c.what, func(t *testing.T) {
				t.Parallel()
				state := disk.Folder(t)
				h := newHouse(t, all, profile, func(h *house) {
					h.whenDown, h.patience, h.state = saves.Auto, 300*time.Millisecond, state
				})
				s, e := h.began("a.docx", c.kind)
				h.server.Write(t, "a.docx", "by somebody else")
				if c.diverted {
					h.expect(200)(s.Save(t.Context(), []byte("saved before the outage"), false))
				} else {
					h.info(h.open(e, c.kind, ben)) // who sees the change
				}
				h.savesAside(s, e)
			})
		}
	}
}

// savesAside lets s save twice in an outage.
func (h *house) savesAside(s *office.Session, e idmap.Entry) {
	t, ctx := h.t, h.t.Context()
	t.Helper()
	before := h.info(s.Client)
	h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	told := map[string]bool{before.Version: true, before.LastModifiedTime: true}
	for _, contents := range []string{"saved in the outage", "saved once more"} {
		a := h.expect(200)(s.Save(ctx, []byte(contents), false))
		var put wopi.PutFileInfo
		h.must(a.JSON(&put))
		if told[a.ItemVersion()] || told[put.LastModifiedTime] || a.ItemVersion() == "" || put.LastModifiedTime == "" {
			t.Errorf("told %q, %q again", a.ItemVersion(), put.LastModifiedTime)
		}
		told[a.ItemVersion()], told[put.LastModifiedTime] = true, true
	}
	h.server.Quirks.Reset()
	h.deliver(func() { h.arrived(e.Name, "by somebody else") })
	found := h.folder()
	if found[e.Name] != "by somebody else" || len(found) != 2 {
		t.Errorf("the folder holds %v", found)
	}
	delete(found, e.Name)
	for name, contents := range found {
		if contents != "saved once more" {
			t.Errorf("%s holds %q", name, contents)
		}
	}
	if got := h.info(s.Client); got.Version != before.Version || got.Size != int64(len("by somebody else")) {
		t.Errorf("readers of the file see %q with %d bytes, before %q", got.Version, got.Size, before.Version)
	}
}

// folder is what the upstream's folder holds, lock files aside.
func (h *house) folder() map[string]string {
	h.t.Helper()
	all, err := os.ReadDir(h.server.Dir)
	h.must(err)
	found := map[string]string{}
	for _, entry := range all {
		if text, ok := h.server.Read(h.t, entry.Name()); ok && entry.Name()[0] != '.' {
			found[entry.Name()] = text
		}
	}
	return found
}
