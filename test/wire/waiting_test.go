package wire

import (
	"context"
	"net/http"
	"testing"
	"time"

	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/oauth"
	"davwopi/test/disk"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

var carla = oauth.Principal{Issuer: "test", Subject: "carla", Name: "Carla"}

func (h *house) info(c *office.Client) wopi.CheckFileInfo {
	h.t.Helper()
	var info wopi.CheckFileInfo
	a, err := c.CheckFileInfo(h.t.Context())
	h.must(err)
	if a.Status != http.StatusOK {
		h.t.Fatalf("CheckFileInfo: %s", a)
	}
	h.must(a.JSON(&info))
	return info
}

// expect demands a status, and gives the answer.
func (h *house) expect(want int) func(office.Answer, error) office.Answer {
	return func(a office.Answer, err error) office.Answer {
		h.t.Helper()
		h.must(err)
		if a.Status != want {
			h.t.Errorf("got %s, want status %d", a, want)
		}
		return a
	}
}

// TestEditingWhileTheUpstreamIsAway: what readers, savers and lockers are told from a
// save in an outage until it has arrived.
func TestEditingWhileTheUpstreamIsAway(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		for _, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice} {
			t.Run(profile.Name+", "+kind.String(), func(t *testing.T) {
				t.Parallel()
				state := disk.Folder(t)
				h := newHouse(t, all, profile, func(h *house) {
					h.whenDown, h.patience, h.state = saves.Auto, 300*time.Millisecond, state
				})
				h.playOutage(kind)
			})
		}
	}
}

func (h *house) playOutage(kind wopi.Office) {
	t, ctx := h.t, h.t.Context()
	s, e := h.began("a.docx", kind)
	other := wopi.OnlyOffice
	if kind == other {
		other = wopi.Collabora
	}
	second := h.open(e, kind, anna)
	saw := h.open(e, kind, ben) // ben has seen the file within the hour
	h.info(saw)
	stranger := h.open(e, other, ben)
	h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})

	saved := h.expect(200)(s.Save(ctx, []byte("saved in the outage"), false))
	var put wopi.PutFileInfo
	h.must(saved.JSON(&put))
	look := func(c *office.Client) {
		t.Helper()
		got := h.info(c)
		if got.Version != saved.ItemVersion() || got.LastModifiedTime != put.LastModifiedTime || got.Size != int64(len("saved in the outage")) {
			t.Errorf("CheckFileInfo: %q %q %d; PutFile: %q %q", got.Version, got.LastModifiedTime, got.Size, saved.ItemVersion(), put.LastModifiedTime)
		}
		a := h.expect(200)(c.GetFile(ctx, -1))
		if string(a.Body) != "saved in the outage" || a.ItemVersion() != saved.ItemVersion() {
			t.Errorf("GetFile: %q %q", a.Body, a.ItemVersion())
		}
	}
	look(s.Client)
	look(saw)
	h.expect(500)(h.open(e, kind, carla).CheckFileInfo(ctx))

	h.expect(200)(s.Close(ctx))
	none := h.expect(200)(s.Client.GetLock(ctx))
	if id, there := none.Lock(); !there || id != "" {
		t.Errorf("GetLock: %q", id)
	}
	for what, a := range map[string]office.Answer{
		"Lock":   h.expect(409)(stranger.Lock(ctx, "stranger")),
		"Rename": h.expect(409)(second.RenameFile(ctx, "", "b", nil)),
		"Delete": h.expect(409)(second.DeleteFile(ctx)),
	} {
		if id, there := a.Lock(); !there || id != "" || a.Header.Get(wopi.HeaderLockFailureReason) == "" {
			t.Errorf("%s: X-WOPI-Lock %q (there: %v), reason %q", what, id, there, a.Header.Get(wopi.HeaderLockFailureReason))
		}
	}
	again, err := second.Open(ctx) // by the same editor, on what waits
	h.must(err)
	if again.ReadOnly || string(again.Contents) != "saved in the outage" {
		t.Fatalf("read-only: %v, contents %q", again.ReadOnly, again.Contents)
	}
	saved = h.expect(200)(again.Save(ctx, []byte("saved on top of it"), true))
	h.must(saved.JSON(&put))
	h.expect(200)(again.Close(ctx))

	h.server.Quirks.Reset()
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.saves.Run(run) }()
	defer func() { stop(); <-ended }()
	h.arrived(e.Name, "saved on top of it")
	if got := h.info(s.Client); got.Version != saved.ItemVersion() || got.LastModifiedTime != put.LastModifiedTime {
		t.Errorf("after it arrived: %q %q; PutFile said %q %q", got.Version, got.LastModifiedTime, saved.ItemVersion(), put.LastModifiedTime)
	}
	h.must(h.locks.Tend(ctx))
	h.expect(200)(stranger.Lock(ctx, "stranger"))
}

// arrived waits until the journal has delivered by itself.
func (h *house) arrived(name, want string) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		if got, _ := h.server.Read(h.t, name); got == want {
			if all, err := h.saves.List(h.t.Context()); err == nil && !anyWaits(all) {
				return
			}
		}
		if time.Now().After(end) {
			got, _ := h.server.Read(h.t, name)
			h.t.Fatalf("the upstream holds %q, want %q", got, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func anyWaits(all []saves.Entry) bool {
	for _, e := range all {
		if e.State == "waiting" || e.State == "aside" {
			return true
		}
	}
	return false
}

// TestReaderMeetsTheBeginningOfAWait: the server goes away while a reader asks for the
// contents, a save of the document begins to wait, and the server is back. What lies there
// is not given under the strings of what waits: who saves on it would write over that.
func TestReaderMeetsTheBeginningOfAWait(t *testing.T) {
	all := newOffices(t)
	for _, profile := range both {
		t.Run(profile.Name, func(t *testing.T) {
			ctx := t.Context()
			state := disk.Folder(t)
			h := newHouse(t, all, profile, func(h *house) {
				h.whenDown, h.patience, h.state = saves.Auto, 300*time.Millisecond, state
			})
			s, e := h.began("a.docx", wopi.OnlyOffice)
			reader := h.open(e, wopi.OnlyOffice, ben)
			h.info(reader)
			var saved office.Answer
			h.server.Quirks.Fail(upstream.Fault{Method: http.MethodGet, Times: 1, Status: http.StatusServiceUnavailable, Before: func() {
				h.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
				saved = h.expect(200)(s.Save(ctx, []byte("saved in the outage"), false))
				h.server.Quirks.Reset()
			}})
			a := h.expect(200)(reader.GetFile(ctx, -1))
			if string(a.Body) != "saved in the outage" || a.ItemVersion() != saved.ItemVersion() {
				t.Errorf("GetFile: %q %q, the save that waits is %q", a.Body, a.ItemVersion(), saved.ItemVersion())
			}
		})
	}
}
