package docsapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/test/docserver"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestNobodyEditsInTwoEditors(t *testing.T) {
	t.Run("WOPI first", func(t *testing.T) {
		r := newRig(t, nil)
		file := r.write(doc, "one")
		early := r.page(doc, rooms.Anna, true)
		wopi := r.Open(file, access.Grant{Principal: rooms.Ben, Editor: r.WOPI})
		if a := r.Post(wopi, "LOCK", "", "X-WOPI-Lock", "bens"); a.Status != http.StatusOK {
			t.Fatalf("%+v", a)
		}
		if p := r.page(doc, rooms.Anna, true); p.Edit || p.Config.Document.Permissions.Edit || p.Config.Editor.Mode != "view" || p.Holder != "Ben" {
			t.Errorf("who comes now: %+v", p)
		}
		// Whoever had the page before joins in vain, and is turned into a viewer.
		e, err := r.DS.Open(configText(t, early))
		r.bad(e.Joined, err)
		until(t, "drop", func() bool { return slices.Contains(r.DS.Dropped(), rooms.Anna.UserID()) })
		if r.locked(file) != "bens" {
			t.Errorf("the lock is %q", r.locked(file))
		}
		// What was typed before that is nobody's to throw away.
		e.Type("annas work")
		r.good(e.Close())
		if r.read(doc) != "one" || r.read("/"+r.copyOf("Brief.docx", "(conflict Anna")) != "annas work" {
			t.Errorf("%q, %v", r.read(doc), r.names())
		}
		if r.locked(file) != "bens" {
			t.Errorf("the lock is %q", r.locked(file))
		}
	})
	t.Run("the Docs API first", func(t *testing.T) {
		r := newRig(t, nil)
		file := r.write(doc, "one")
		e := r.open(doc, rooms.Anna)
		r.good(e.Joined, nil)
		wopi := r.Open(file, access.Grant{Principal: rooms.Ben, Editor: r.WOPI})
		for _, id := range []string{"bens", e.Key} { // not even with the very lock ID
			a := r.Post(wopi, "LOCK", "", "X-WOPI-Lock", id)
			if a.Status != http.StatusConflict || a.Header.Get("X-WOPI-Lock") != "" || a.Header.Get("X-WOPI-LockFailureReason") == "" {
				t.Errorf("LOCK %q: %+v", id, a)
			}
		}
		if a := r.Post(strings.Replace(wopi, "?", "/contents?", 1), "PUT", "stolen", "X-WOPI-Lock", e.Key); a.Status != http.StatusConflict {
			t.Errorf("PUT: %+v", a)
		}
		e.Type("two")
		r.good(e.Close())
		if r.read(doc) != "two" {
			t.Errorf("%q", r.read(doc))
		}
		if a := r.Post(wopi, "LOCK", "", "X-WOPI-Lock", "bens"); a.Status != http.StatusOK {
			t.Errorf("afterwards: %+v", a)
		}
	})
	t.Run("a program on the upstream first", func(t *testing.T) {
		r := newRig(t, nil)
		file := r.write(doc, "one")
		_, _, err := r.Servers["main"].View(t).Lock(t.Context(), doc, lockRequest)
		r.Must(err)
		e, err := r.DS.Open(configText(t, r.page(doc, rooms.Anna, true)))
		r.bad(e.Joined, err)
		if r.locked(file) != "" {
			t.Errorf("the lock is %q", r.locked(file))
		}
		if p := r.page(doc, rooms.Anna, true); p.Edit || p.Holder == "" {
			t.Errorf("who comes now: %+v", p)
		}
	})
}

func TestChangedOutside(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.write(doc, "theirs, meanwhile")
	e.Type("mine")
	r.good(e.Save())
	name := r.copyOf("Brief.docx", "(conflict Anna")
	if r.read(doc) != "theirs, meanwhile" || r.read("/"+name) != "mine" {
		t.Fatalf("%q, %q", r.read(doc), r.read("/"+name))
	}
	// The editing goes on in the copy until it ends.
	if p := r.page(doc, rooms.Ben, true); p.Key != e.Key {
		t.Errorf("the key was %q and is %q", e.Key, p.Key)
	}
	e.Type("mine, later")
	r.good(e.Save())
	e.Type("mine, at last")
	r.good(e.Close())
	if r.read(doc) != "theirs, meanwhile" || r.read("/"+name) != "mine, at last" || len(r.names()) != 2 {
		t.Errorf("%q, %q, %v", r.read(doc), r.read("/"+name), r.names())
	}
	if r.locked(file) != "" {
		t.Error("the lock stays")
	}
	// Whoever opens it now has the outside version, under a new key.
	next := r.open(doc, rooms.Ben)
	if next.Key == e.Key || next.Content != "theirs, meanwhile" {
		t.Errorf("key %q, %q", next.Key, next.Content)
	}
	next.Type("both")
	r.good(next.Close())
	if r.read(doc) != "both" || len(r.names()) != 2 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
}

func TestAnOutsideChangeBetweenTwoSessionsIsNoConflict(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	r.good(e.Close())
	r.write(doc, "theirs")
	// A reader brings the document server the contents, somebody else edits them.
	view, err := r.DS.Open(configText(t, r.page(doc, rooms.Ben, false)))
	r.Must(err)
	again := r.open(doc, rooms.Anna)
	if again.Key != view.Key || again.Content != "theirs" {
		t.Fatalf("%q %q, %q", view.Key, again.Key, again.Content)
	}
	again.Type("four")
	r.good(again.Close())
	if r.read(doc) != "four" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
}

func TestTheFileIsGone(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	r.Must(removeFile(r, "Brief.docx"))
	r.good(e.Close())
	if got := r.read("/" + r.copyOf("Brief.docx", "(recovered Anna")); got != "two" {
		t.Errorf("%q", got)
	}
}

func TestALockThatRanOutWhileTheDocumentWasOpen(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	// The keeper refreshes it in time,
	r.Later(20 * time.Minute)
	r.Must(r.Docs.KeepLive(t.Context()))
	r.Later(20 * time.Minute)
	if r.locked(file) != e.Key {
		t.Fatal("the lock was not kept")
	}
	// and if it could not, the save is no stranger's.
	r.Later(2 * locks.Life)
	if r.locked(file) != "" {
		t.Fatal("the measure is broken: the lock is still held")
	}
	e.Type("two")
	r.good(e.Close())
	if r.read(doc) != "two" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
}

func TestASessionThatTheDocumentServerHasLost(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.DS.Lose(e.Key)
	if p := r.page(doc, rooms.Ben, true); p.Key != e.Key {
		t.Error("a session of which something was just heard is not believed")
	}
	r.Later(15 * time.Minute)
	r.Must(r.Docs.KeepLive(t.Context()))
	if r.locked(file) != "" {
		t.Error("the lock of a session that nobody has is kept")
	}
	next := r.open(doc, rooms.Ben)
	if next.Key == e.Key {
		t.Error("its key is used again")
	}
	next.Type("two")
	r.good(next.Close())
	if r.read(doc) != "two" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
	// Opening asks by itself.
	third := r.open(doc, rooms.Anna)
	r.DS.Lose(third.Key)
	r.Later(10 * time.Minute)
	if p := r.page(doc, rooms.Ben, true); p.Key == third.Key {
		t.Error("somebody is led into a session that is lost")
	}
}

func TestADocumentServerThatIsDownKeepsItsSessions(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.DS.Down(true)
	r.Later(15 * time.Minute)
	r.Must(r.Docs.KeepLive(t.Context()))
	if r.locked(file) != e.Key || r.page(doc, rooms.Ben, true).Key != e.Key {
		t.Error("it was given up")
	}
}

func TestTheUpstreamIsDown(t *testing.T) {
	r := newRig(t, func(s *docserver.Server) { s.CallbackTries = -1 })
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	r.Servers["main"].Quirks.Fail(upstream.Fault{Status: http.StatusBadGateway})
	told, err := e.Close()
	r.bad(told, err)
	if told.HTTP != http.StatusServiceUnavailable {
		t.Errorf("a save that may be tried again is answered %d", told.HTTP)
	}
	if kept, ok := r.DS.Forgotten(e.Key); !ok || kept != "two" {
		t.Fatalf("%q, %v", kept, ok)
	}
	r.Servers["main"].Quirks.Reset()
	r.Docs.FetchForgotten(t.Context())
	if r.read(doc) != "two" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
	if _, ok := r.DS.Forgotten(e.Key); ok {
		t.Error("it is still forgotten")
	}
}

func TestWhatIsTypedIsSavedNowAndThen(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	e.Type("two")
	r.Must(r.Docs.KeepLive(t.Context()))
	if r.read(doc) != "one" {
		t.Fatal("it was saved at once")
	}
	r.Later(11 * time.Minute)
	r.Must(r.Docs.KeepLive(t.Context()))
	until(t, "the save", func() bool { return r.read(doc) == "two" })
	if r.locked(file) != e.Key {
		t.Error("the editing has ended")
	}
	asked := len(r.DS.Asked())
	r.Later(time.Minute)
	r.Must(r.Docs.KeepLive(t.Context()))
	if n := len(r.DS.Asked()); n != asked {
		t.Errorf("a minute later the document server was asked %d times more", n-asked)
	}
	e.Type("three")
	r.good(e.Close())
	if r.read(doc) != "three" || len(r.names()) != 1 {
		t.Errorf("%q, %v", r.read(doc), r.names())
	}
}
