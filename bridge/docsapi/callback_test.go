package docsapi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/test/docserver"
	"davwopi/test/rooms"
)

const doc = "/Brief.docx"

func TestAnEditing(t *testing.T) {
	for name, change := range map[string]func(*docserver.Server){
		"as it is installed":    nil,
		"token in header alone": func(s *docserver.Server) { s.NotInBody = true },
		"token in body alone":   func(s *docserver.Server) { s.NotInHeader = true },
		"plain values count":    func(s *docserver.Server) { s.PlainCounts = true },
		"another header":        func(s *docserver.Server) { s.Header = "AuthorizationJwt" },
		"before 8.2":            func(s *docserver.Server) { s.Old = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, change)
			file := r.write(doc, "one")
			e := r.open(doc, rooms.Anna)
			r.good(e.Joined, nil)
			if e.Content != "one" || e.Name != "Anna" {
				t.Fatalf("opened %q as %s", e.Content, e.Name)
			}
			if r.locked(file) != e.Key {
				t.Fatalf("the lock is %q, the key %q", r.locked(file), e.Key)
			}
			e.Type("two")
			r.good(e.Save())
			if got := r.read(doc); got != "two" {
				t.Fatalf("after a forced save: %q", got)
			}
			if r.locked(file) != e.Key {
				t.Fatal("a forced save has ended the editing")
			}
			if again := r.page(doc, rooms.Ben, true); again.Key != e.Key {
				t.Fatalf("while somebody edits the key is %q, and %q for another", e.Key, again.Key)
			}
			e.Type("three")
			r.good(e.Close())
			if got := r.read(doc); got != "three" {
				t.Fatalf("after the last save: %q", got)
			}
			if r.locked(file) != "" {
				t.Error("the lock stays")
			}
			if next := r.page(doc, rooms.Ben, true); next.Key == e.Key || !strings.HasPrefix(next.Key, string(file.ID)+"-") {
				t.Errorf("after the last save the key is %q again", next.Key)
			}
			if n := r.names(); len(n) != 1 {
				t.Errorf("files: %v", n)
			}
		})
	}
}

func TestClosedWithoutAChangeTheKeyStays(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.good(e.Joined, nil)
	r.good(e.Close())
	if r.locked(file) != "" {
		t.Error("the lock stays")
	}
	if p := r.page(doc, rooms.Ben, true); p.Key != e.Key {
		t.Errorf("the key was %q and is %q", e.Key, p.Key)
	}
	// The connection was only lost: 1 again, and the editing goes on.
	back := r.open(doc, rooms.Anna)
	r.good(back.Joined, nil)
	back.Type("two")
	r.good(back.Close())
	if got := r.read(doc); got != "two" {
		t.Errorf("%q", got)
	}
	if n := r.names(); len(n) != 1 {
		t.Errorf("files: %v", n)
	}
}

func TestTwoEditTogether(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	anna := r.open(doc, rooms.Anna)
	ben := r.open(doc, rooms.Ben)
	r.good(anna.Joined, nil)
	r.good(ben.Joined, nil)
	if anna.Key != ben.Key || ben.Content != "one" {
		t.Fatalf("keys %q, %q; %q", anna.Key, ben.Key, ben.Content)
	}
	anna.Type("anna was here")
	r.good(anna.Close())
	if r.locked(file) != ben.Key || r.read(doc) != "one" {
		t.Fatal("the first one's leaving has ended the editing")
	}
	ben.Type("anna and ben were here")
	r.good(ben.Close())
	if r.read(doc) != "anna and ben were here" || r.locked(file) != "" {
		t.Errorf("%q, lock %q", r.read(doc), r.locked(file))
	}
	var statuses []int
	for _, c := range r.DS.Callbacks() {
		statuses = append(statuses, c.Status)
	}
	if want := []int{1, 1, 1, 2}; !equal(statuses, want) {
		t.Errorf("statuses %v", statuses)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestRenamedWhileOpen(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	dir := r.Servers["main"].Dir
	r.Must(os.Rename(filepath.Join(dir, "Brief.docx"), filepath.Join(dir, "Anders.docx")))
	r.At("/Anders.docx") // somebody lists the folder
	if p := r.page("/Anders.docx", rooms.Ben, true); p.Key != e.Key || p.Config.Document.Title != "Anders.docx" {
		t.Errorf("key %q became %q, title %q", e.Key, p.Key, p.Config.Document.Title)
	}
	e.Type("two")
	r.good(e.Close())
	if got := r.read("/Anders.docx"); got != "two" || len(r.names()) != 1 {
		t.Errorf("%q, %v", got, r.names())
	}
}

func TestStatusesThatAreOnlyNoted(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	for _, status := range []int{0, 5, 7, 99} {
		r.good(r.DS.Send(e.Callback(), e.Signed(map[string]any{"status": status})))
	}
	if r.read(doc) != "one" || r.locked(file) != e.Key {
		t.Error("one of them did something")
	}
}

func TestACorruptedSaveIsKeptBeside(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	said := map[string]any{"status": 3, "users": []string{e.ID}, "url": r.DS.Result([]byte("what was left"), "docx"), "filetype": "docx"}
	for range 2 { // it is told twice
		r.good(r.DS.Send(e.Callback(), e.Signed(said)))
	}
	if got := r.read(doc); got != "one" {
		t.Errorf("the file was overwritten with %q", got)
	}
	if got := r.read("/" + r.copyOf("Brief.docx", "(recovered Anna")); got != "what was left" {
		t.Errorf("%q", got)
	}
	if r.locked(file) != "" {
		t.Error("the lock stays")
	}
	if p := r.page(doc, rooms.Ben, true); p.Key == e.Key {
		t.Error("the key is used again")
	}
	// Without a result there is nothing to keep.
	again := r.open(doc, rooms.Ben)
	r.good(r.DS.Send(again.Callback(), again.Signed(map[string]any{"status": 3})))
	if len(r.names()) != 2 {
		t.Errorf("%v", r.names())
	}
}

func TestRepeatsAndCallbacksThatWereOvertaken(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	save := func(status int, content, at string) map[string]any {
		said := map[string]any{"status": status, "url": r.DS.Result([]byte(content), "docx"), "filetype": "docx", "users": []string{e.ID}}
		if at != "" {
			said["lastsave"] = at
		}
		return said
	}
	forced := save(6, "forced", "2026-11-28T12:00:01.000Z")
	late := save(6, "older", "2026-11-28T12:00:02.500Z")
	final := save(2, "final", "2026-11-28T12:00:03.000Z")
	send := func(said map[string]any) {
		t.Helper()
		r.good(r.DS.Send(e.Callback(), e.Signed(said)))
	}
	send(forced)
	revision := r.At(doc).Revision.Number
	send(forced)
	if n := r.At(doc).Revision.Number; n != revision || r.read(doc) != "forced" {
		t.Fatalf("a repeat made revision %d of %d", n, revision)
	}
	send(final)
	revision = r.At(doc).Revision.Number
	for range 3 {
		send(final)
		send(late)
		send(forced)
	}
	if got := r.read(doc); got != "final" || r.At(doc).Revision.Number != revision {
		t.Errorf("%q, revision %d of %d", got, r.At(doc).Revision.Number, revision)
	}
	if n := r.names(); len(n) != 1 || r.locked(file) != "" {
		t.Errorf("files %v, lock %q", n, r.locked(file))
	}
	// One that is newer, and comes when all is long over, is kept, and leaves no lock.
	r.Later(2 * time.Minute)
	r.write(doc, "theirs")
	send(save(6, "newer", "2026-11-28T12:00:04.000Z"))
	if got := r.read("/" + r.copyOf("Brief.docx", "(conflict Anna")); got != "newer" || r.read(doc) != "theirs" || r.locked(file) != "" {
		t.Errorf("%q, lock %q", got, r.locked(file))
	}
}

// TestClockOfADocumentServerIsSetBack: the times by which results of one key are told apart
// say nothing then. What was typed since is not thrown away, nor written over what is newer
// by them, and told only once.
func TestClockOfADocumentServerIsSetBack(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	said := func(status int, content, at string) map[string]any {
		return map[string]any{
			"status": status, "url": r.DS.Result([]byte(content), "docx"), "filetype": "docx", "users": []string{e.ID}, "lastsave": at,
		}
	}
	r.good(r.DS.Send(e.Callback(), e.Signed(said(6, "forced", "2026-11-28T12:30:00.000Z"))))
	r.good(r.DS.Send(e.Callback(), e.Signed(said(6, "forced again", "2026-11-28T12:05:00.000Z"))))
	final := said(2, "typed since", "2026-11-28T12:10:00.000Z")
	for range 2 {
		r.good(r.DS.Send(e.Callback(), e.Signed(final)))
	}
	if got := r.read(doc); got != "forced" {
		t.Errorf("the file is %q", got)
	}
	if got := r.read("/" + r.copyOf("Brief.docx", "(recovered Anna")); got != "typed since" {
		t.Errorf("beside it is %q", got)
	}
	if r.locked(file) != "" {
		t.Error("the lock stays")
	}
	// The same bytes as those that are stored already are no other document.
	r.good(r.DS.Send(e.Callback(), e.Signed(said(2, "forced", "2026-11-28T12:10:00.000Z"))))
	if n := r.names(); len(n) != 2 {
		t.Errorf("%v", n)
	}
}

func TestAResultInAnotherFormat(t *testing.T) {
	t.Run("is converted back", func(t *testing.T) {
		r := newRig(t, func(s *docserver.Server) { s.ResultType = "docx"; s.Slow = 1 })
		r.write("/Liste.csv", "one")
		e := r.open("/Liste.csv", rooms.Anna)
		e.Type("two")
		// The double downloads what it converts with a token for the address, so its own
		// results are open to it.
		r.good(e.Close())
		if got := r.read("/Liste.csv"); got != "docx as csv: two" || len(r.names()) != 1 {
			t.Errorf("%q, %v", got, r.names())
		}
	})
	t.Run("is kept beside if that fails", func(t *testing.T) {
		r := newRig(t, func(s *docserver.Server) { s.ResultType = "docx"; s.ConvertError = -3 })
		r.write("/Liste.csv", "one")
		e := r.open("/Liste.csv", rooms.Anna)
		e.Type("two")
		r.good(e.Close())
		name := r.copyOf("Liste.csv", "(recovered Anna")
		if got := r.read("/" + name); got != "two" || !strings.HasSuffix(name, ".docx") || r.read("/Liste.csv") != "one" {
			t.Errorf("%s: %q", name, got)
		}
	})
}

func TestTheConfiguration(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	p := r.page(doc, rooms.Anna, true)
	c := p.Config
	if !p.Edit || c.DocumentType != "word" || c.Type != "desktop" || c.Document.FileType != "docx" || c.Document.Title != "Brief.docx" {
		t.Errorf("%+v", c)
	}
	if c.Editor.Mode != "edit" || c.Editor.Lang != "de" || c.Editor.Region != "de-AT" || c.Editor.User.Name != "Anna" || c.Editor.User.ID != rooms.Anna.UserID() {
		t.Errorf("%+v", c.Editor)
	}
	if !c.Editor.Customization.ForceSave || c.Editor.Customization.GoBack.URL != r.Base+"/folder/x" {
		t.Errorf("%+v", c.Editor.Customization)
	}
	if p.API != r.DS.URL+"/web-apps/apps/api/documents/api.js?shardkey="+p.Key || p.Origin != r.DS.URL {
		t.Errorf("script %s, origin %s", p.API, p.Origin)
	}
	if !strings.HasPrefix(p.Key, string(file.ID)+"-"+file.Revision.Version) || len(p.Key) > 128 {
		t.Errorf("key %s", p.Key)
	}
	view := r.page(doc, rooms.Ben, false)
	if view.Edit || view.Config.Editor.Mode != "view" || view.Config.Document.Permissions.Edit || view.Key != p.Key {
		t.Errorf("to read: %+v", view)
	}
	e, err := r.DS.Open(configText(t, view))
	if err != nil || !e.View || e.Content != "one" {
		t.Errorf("%+v, %v", e, err)
	}
	if r.locked(file) != "" || len(r.DS.Callbacks()) != 0 {
		t.Error("who only reads has locked the file")
	}
	// The editor's frame refuses what was changed on the way.
	changed := view
	changed.Config.Document.Permissions.Edit = true
	if _, err := r.DS.Open(configText(t, changed)); err == nil {
		t.Error("permissions beside the token count")
	}
}
