package web_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

func isBoss(p oauth.Principal) bool { return p.Subject == "guest:boss" }

// held is whose lock a file has, "" nobody's.
func (h *house) held(id string) string {
	h.t.Helper()
	st, err := h.Locks.State(h.t.Context(), idmap.FileID(id))
	h.must(err)
	return st.Holder.Name
}

func TestOpenNow(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	})
	h.up.Write(t, "team/a <b>.txt", "hello")
	h.up.Write(t, "b.txt", "hello")
	anna, ben, boss := h.person("anna"), h.person("ben"), h.person("boss")
	contains(t, anna.get("/open").body, "No document that you can see is open.")
	top := anna.get("/")
	id := anna.get("/folder/"+top.id(t, "team")).id(t, "a &lt;b&gt;.txt")
	w := h.writes(id, "anna", wopi.TextEditor)
	h.lock(top.id(t, "b.txt"), "ben", "davwopi:text")
	page := anna.get("/open")
	contains(t, page.body, "a &lt;b&gt;.txt", `href="/edit/`+id+`"`, `href="/open/`+id+`/release"`, "<bdi>anna</bdi>", "<bdi>ben</bdi>",
		"Text editor", "not saved yet", "lock until", "<bdi>team</bdi>", `<noscript><meta http-equiv="refresh" content="15"></noscript>`, `aria-current="page">Open now`)
	if strings.Contains(page.body, "<b>.txt") || strings.Count(page.body, "/release") != 1 {
		t.Errorf("markup in a name, or more than the own lock can be released:\n%s", page.body)
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'nonce-") {
		t.Errorf("policy %q", policy)
	}
	h.must(w.save("once"))
	contains(t, anna.get("/open").body, "last saved <time")
	if n := strings.Count(ben.get("/open").body, "/release"); n != 0 { // h.lock's person has another UserID
		t.Errorf("ben may release %d", n)
	}
	if n := strings.Count(boss.get("/open").body, "/release"); n != 2 {
		t.Errorf("the administrator may release %d", n)
	}
	if got := h.browser().get("/open"); got.header.Get("Location") != "/signin?next=%2Fopen" {
		t.Errorf("nobody is sent to %q", got.header.Get("Location"))
	}
}

func TestReleaseOnThePage(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	})
	h.up.Write(t, "a.txt", "hello")
	anna, ben, boss := h.person("anna"), h.person("ben"), h.person("boss")
	id := anna.get("/").id(t, "a.txt")
	address := "/open/" + id + "/release"
	for _, who := range []*browser{anna, boss} {
		h.writes(id, "anna", wopi.TextEditor)
		contains(t, who.get(address).body, "Release “a.txt”?", `method="post" action="`+address+`"`, "anna has it open")
		if got := ben.get(address); got.status != http.StatusNotFound {
			t.Errorf("somebody else is asked: %d", got.status)
		}
		if got := ben.post(address, nil); got.status != http.StatusNotFound || h.held(id) != "anna" {
			t.Errorf("somebody else has released it: %d, held by %q", got.status, h.held(id))
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+address, nil)
		h.must(err)
		request.Header.Set("Sec-Fetch-Site", "cross-site")
		if got := who.do(request); got.status != http.StatusForbidden || h.held(id) != "anna" {
			t.Errorf("another site has released it: %d", got.status)
		}
		if got := who.post(address, nil); got.status != http.StatusSeeOther || got.header.Get("Location") != "/open?said=released" {
			t.Errorf("released: %d to %q", got.status, got.header.Get("Location"))
		}
		if h.held(id) != "" {
			t.Errorf("it is held by %q", h.held(id))
		}
		contains(t, who.get("/open?said=released").body, "It is released.")
		if strings.Contains(who.get("/open?said=<b>").body, "<b>") {
			t.Error("words from the address are on the page")
		}
	}
	if got := anna.post("/open/"+strings.Repeat("q", 26)+"/release", nil); got.status != http.StatusNotFound {
		t.Errorf("a file that is none: %d", got.status)
	}
}

// TestOpenNowShowsOnlyWhatOneCanSee: by the rules, and by the person's own look.
func TestOpenNowShowsOnlyWhatOneCanSee(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.Edit}, {Who: []string{"ben"}, Path: "/ruled.txt", Rights: 0}}
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	})
	anna, ben, boss := h.person("anna"), h.person("ben"), h.person("boss")
	for _, name := range []string{"ruled.txt", "refused.txt", "open.txt"} {
		h.up.Write(t, name, "hello")
		h.writes(anna.get("/").id(t, name), "anna", wopi.TextEditor)
	}
	h.up.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Name: "refused.txt", Status: http.StatusForbidden})
	page := ben.get("/open").body
	contains(t, page, "open.txt")
	for _, name := range []string{"ruled.txt", "refused.txt"} {
		if strings.Contains(page, name) {
			t.Errorf("%s is shown", name)
		}
	}
	if page := boss.get("/open").body; strings.Contains(page, "refused.txt") {
		t.Error("an administrator sees what the server does not show them")
	}
}

// TestOpenNowIsBounded: many documents are open, and the page asks for itself often.
func TestOpenNowIsBounded(t *testing.T) {
	h := newHouse(t, nil)
	for i := range 150 {
		h.up.Write(t, fmt.Sprintf("f%03d.txt", i), "hello")
	}
	anna := h.person("anna")
	list := anna.get("/")
	for i := range 150 {
		h.writes(list.id(t, fmt.Sprintf("f%03d.txt", i)), "anna", wopi.TextEditor)
	}
	ben := h.person("ben")
	h.up.Forget()
	page := ben.get("/open").body
	if n := strings.Count(page, "<h2>"); n != 60 || !strings.Contains(page, "There may be more") {
		t.Errorf("%d documents are shown", n)
	}
	if n := len(h.up.Requests()); n != 60 {
		t.Errorf("the upstream was asked %d times", n)
	}
	h.up.Forget()
	ben.get("/open")
	if n := len(h.up.Requests()); n != 0 {
		t.Errorf("a moment later the upstream was asked %d times", n)
	}
}

// TestOpenNowInAnOutage: what one has seen lately is shown, and what is not known is said.
func TestOpenNowInAnOutage(t *testing.T) {
	h := newHouse(t, func(h *house) { h.onDisk() })
	h.up.Write(t, "a.txt", "old")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.TextEditor)
	h.down()
	h.must(w.save("in the outage"))
	contains(t, anna.get("/open").body, "a.txt", "saved here, waiting for Home NAS")
	page := ben.get("/open").body
	contains(t, page, "Home NAS does not answer", "No document that you can see is open.")
	if strings.Contains(page, "a.txt") {
		t.Error("somebody who never saw it is shown it")
	}
	w.close()
	page = anna.get("/open").body // held by the journal now
	contains(t, page, "a.txt", "waiting for Home NAS")
	if strings.Contains(page, "lock until") || strings.Contains(page, "/release") {
		t.Error("a lock of somebody is shown")
	}
	h.up.Quirks.Reset()
	h.deliver("a.txt", "in the outage")
}

// TestOpenNowTellsOfConflicts: the editing was told of a change by others.
func TestOpenNowTellsOfConflicts(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "old")
	anna := h.person("anna")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.Collabora)
	h.up.Write(t, "a.txt", "by somebody else")
	if err := w.save("mine"); err == nil {
		t.Fatal("it was written over")
	}
	contains(t, anna.get("/open").body, "changed by others meanwhile: both versions are kept")
	page := anna.get("/saves").body
	contains(t, page, "Changed by others meanwhile", "a (conflict anna")
	m := regexp.MustCompile(`href="(/view/[a-z2-7]{26})">Your version`).FindStringSubmatch(page)
	if m == nil || anna.get(m[1]).status != http.StatusOK {
		t.Errorf("the own version is not to be had: %v", m)
	}
	if strings.Contains(h.person("ben").get("/saves").body, "conflict anna") {
		t.Error("somebody else is shown it")
	}
}

// TestPeopleOfAnEditing: all who take part are named.
func TestPeopleOfAnEditing(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "old")
	anna := h.person("anna")
	id := anna.get("/").id(t, "a.txt")
	w := h.writes(id, "anna", wopi.Collabora)
	for i := range 12 {
		_, grant, err := h.Tokens.Mint(t.Context(), grantOf(h, id, guest(fmt.Sprintf("guest %c", 'a'+i))))
		h.must(err)
		h.must(h.Locks.Refresh(t.Context(), w.target, locks.Actor{Member: grant.Member(), Editor: w.actor.Editor, Office: wopi.Collabora}, w.id))
	}
	page := anna.get("/open").body
	contains(t, page, "<bdi>anna</bdi>", "<bdi>guest a</bdi>", "and 5 more")
	if n := strings.Count(page, `class="chip"`); n != 8 {
		t.Errorf("%d people are named", n)
	}
}
