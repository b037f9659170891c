package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/disk"
	"davwopi/test/upstream"
)

// onDisk lets the house's saves wait, which they do on a real disk only.
func (h *house) onDisk() {
	h.t.Helper()
	h.journal(disk.Folder(h.t))
}

func (h *house) down() { h.up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable}) }

// guest is the principal of [house.person].
func guest(name string) oauth.Principal {
	return oauth.Principal{Issuer: oauth.IssuerLink, Subject: "guest:" + name, Name: name}
}

// A writer has a file open in an editor.
type writer struct {
	h      *house
	who    oauth.Principal
	target locks.Target
	actor  locks.Actor
	id     wopi.LockID
}

// writes opens a file as the person's editor does.
func (h *house) writes(id, name string, office wopi.Office) *writer {
	h.t.Helper()
	ctx, who := h.t.Context(), guest(name)
	space, err := h.IDs.Space(ctx, "main", "")
	h.must(err)
	view, err := h.Upstreams.View(ctx, "main", who)
	h.must(err)
	entry, seen, err := h.IDs.Find(ctx, space, idmap.FileID(id), view)
	h.must(err)
	w := &writer{h: h, who: who, id: wopi.LockID("lock of " + name), actor: locks.Actor{
		Member: "m-" + name, Editor: "https://office.example", Office: office, UserID: who.UserID(), Name: name,
	}}
	w.target = locks.Target{File: entry, Seen: seen, Upstream: "main", View: view,
		Pin: func(ctx context.Context) ([]byte, error) { return h.Upstreams.Pin(ctx, "main", who) }}
	h.must(h.Locks.Read(ctx, entry.ID, w.actor, entry.Revision.Number))
	h.must(h.Locks.Lock(ctx, w.target, w.actor, w.id))
	return w
}

func (w *writer) save(text string) error {
	_, err := w.h.Saves.Put(w.h.t.Context(), w.target, w.actor, saves.Put{
		Lock: &w.id, Body: strings.NewReader(text), Length: int64(len(text)), Writer: w.who.Name,
	})
	return err
}

func (w *writer) close() {
	w.h.t.Helper()
	w.h.must(w.h.Locks.Unlock(w.h.t.Context(), w.target, w.actor, w.id))
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// deliver lets the journal work until the upstream holds want.
func (h *house) deliver(name, want string) {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Saves.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if got, _ := h.up.Read(h.t, name); got == want {
			if all, err := h.Saves.List(h.t.Context()); err == nil && !strings.Contains(states(all), "waiting") {
				return
			}
		}
		if time.Now().After(end) {
			got, _ := h.up.Read(h.t, name)
			h.t.Fatalf("%s holds %q, want %q", name, got, want)
		}
	}
}

func states(all []saves.Entry) string {
	var words []string
	for _, e := range all {
		words = append(words, e.State)
	}
	return strings.Join(words, " ")
}

// TestListingsShowWhatWaits: size, time and bytes come from the journal until they have
// arrived, in the order that people asked for.
func TestListingsShowWhatWaits(t *testing.T) {
	h := newHouse(t, func(h *house) { h.onDisk() })
	for name, text := range map[string]string{"a.txt": "old", "b.txt": "of middle length", "c.txt": ""} {
		h.up.Write(t, name, text)
	}
	anna := h.person("anna")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.Collabora)
	h.down()
	h.must(w.save("a save that waits, and is the longest of all"))
	h.up.Quirks.Reset()
	page := anna.get("/?sort=size").body
	contains(t, page, `<td class="size">44 B</td>`, "waiting for Home NAS")
	if a, b := strings.Index(page, "a.txt"), strings.Index(page, "b.txt"); a < b {
		t.Error("it is sorted by what the upstream has")
	}
	if got := anna.get("/download/" + id); got.body != "a save that waits, and is the longest of all" || got.header.Get("Content-Length") != "44" {
		t.Errorf("the download is %q, of %s bytes", got.body, got.header.Get("Content-Length"))
	}
	if ben := h.person("ben"); !strings.Contains(ben.get("/").body, "44 B") {
		t.Error("somebody else who sees the file is shown what is on the upstream")
	}
	h.deliver("a.txt", "a save that waits, and is the longest of all")
	page = anna.get("/").body
	contains(t, page, `<td class="size">44 B</td>`)
	if strings.Contains(page, "waiting for") {
		t.Error("it still waits, the list says")
	}
}

// TestInAnOutageWhatWaitsCanBeHad by who made it and by who has seen the file lately; by
// nobody else.
func TestInAnOutageWhatWaitsCanBeHad(t *testing.T) {
	h := newHouse(t, func(h *house) { h.onDisk() })
	h.up.Write(t, "a.txt", "old")
	h.up.Write(t, "b.txt", "old")
	anna, ben, carla := h.person("anna"), h.person("ben"), h.person("carla")
	id := anna.get("/").id(t, "a.txt")
	folder := "/"
	ben.get("/") // who sees it so
	w := h.writes(id, "anna", wopi.Collabora)
	h.down()
	h.must(w.save("saved in the outage"))
	for who, b := range map[string]*browser{"anna": anna, "ben": ben} {
		page := b.get(folder)
		if page.status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", who, page.status)
		}
		contains(t, page.body, "a.txt", `href="/download/`+id+`"`, "19 B")
		if strings.Contains(page.body, "b.txt") {
			t.Errorf("%s is shown a file of which nothing waits", who)
		}
		if got := b.get("/download/" + id); got.status != http.StatusOK || got.body != "saved in the outage" || got.header.Get("Content-Disposition") == "" {
			t.Errorf("%s downloads %d %q", who, got.status, got.body)
		}
	}
	if page := carla.get(folder); strings.Contains(page.body, "a.txt") {
		t.Error("somebody who never saw the file is shown its name")
	}
	if got := carla.get("/download/" + id); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "a.txt") {
		t.Errorf("somebody who never saw the file downloads %d %q", got.status, got.body)
	}
}

// TestCoEditorsSeeWhatWaits: a member of the editing who has not looked for an hour.
func TestCoEditorsSeeWhatWaits(t *testing.T) {
	h := newHouse(t, func(h *house) { h.onDisk() })
	h.up.Write(t, "a.txt", "old")
	anna, ben := h.person("anna"), h.person("ben")
	list := anna.get("/")
	id := list.id(t, "a.txt")
	w := h.writes(id, "anna", wopi.Collabora)
	_, grant, err := h.Tokens.Mint(t.Context(), grantOf(h, id, guest("ben")))
	h.must(err)
	co := w.actor
	co.Member, co.UserID, co.Name = grant.Member(), guest("ben").UserID(), "ben"
	h.must(h.Locks.Refresh(t.Context(), w.target, co, w.id))
	h.must(h.Locks.Joined(t.Context(), w.target.File.ID, co))
	h.down()
	h.must(w.save("saved in the outage"))
	if got := ben.get("/download/" + id); got.body != "saved in the outage" {
		t.Errorf("a co-editor downloads %d %q", got.status, got.body)
	}
}

// TestNothingWaitsForOneWhoIsRefused: a refusal is no outage.
func TestNothingWaitsForOneWhoIsRefused(t *testing.T) {
	h := newHouse(t, func(h *house) { h.onDisk() })
	h.up.Write(t, "a.txt", "old")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.txt")
	ben.get("/")
	w := h.writes(id, "anna", wopi.Collabora)
	h.down()
	h.must(w.save("saved in the outage"))
	h.up.Quirks.Reset()
	h.up.Quirks.Fail(upstream.Fault{Status: http.StatusForbidden})
	if got := ben.get("/download/" + id); got.status == http.StatusOK || strings.Contains(got.body, "saved in") {
		t.Errorf("downloads %d %q", got.status, got.body)
	}
	if page := ben.get("/"); strings.Contains(page.body, "a.txt") {
		t.Error("its name is shown")
	}
}

func grantOf(h *house, id string, who oauth.Principal) access.Grant {
	h.t.Helper()
	space, err := h.IDs.Space(h.t.Context(), "main", "")
	h.must(err)
	return access.Grant{File: idmap.FileID(id), Space: space, Upstream: "main", Principal: who, Session: "s", Rights: access.Edit, Editor: "https://office.example"}
}

// needsSignIn lets the journal work until it has found its credential refused.
func (h *house) needsSignIn() {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Saves.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if need, err := h.Saves.NeedSignIn(h.t.Context()); err == nil && len(need) > 0 {
			return
		}
		if time.Now().After(end) {
			h.t.Fatal("nothing needs a sign-in")
		}
	}
}
