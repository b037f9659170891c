package web_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// withShares lets people share, and guests in.
func withShares(h *house) {
	h.t.Helper()
	shares, err := access.NewShares(context.Background(), h.db, h.Upstreams.Sealer)
	if err != nil {
		h.t.Fatal(err)
	}
	shares.Anonymous = true
	h.Shares, h.Tokens.Shares = shares, shares
}

// share makes a link with the form's fields and returns its path.
func (b *browser) share(id string, fields ...string) string {
	b.t.Helper()
	form := url.Values{"for": {"people"}, "rights": {"view"}, "days": {"0"}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	before := b.links(id)
	if got := b.post("/share/"+id, form); got.status != http.StatusSeeOther || got.header.Get("Location") != "/share/"+id {
		b.t.Fatalf("%v: %d to %q\n%.2000s", form, got.status, got.header.Get("Location"), got.body)
	}
	for _, address := range b.links(id) {
		if !strings.Contains(strings.Join(before, " "), address) {
			u, err := url.Parse(address)
			if err != nil {
				b.t.Fatal(err)
			}
			return u.Path
		}
	}
	b.t.Fatal("the page shows no new link")
	return ""
}

var linkAddress = regexp.MustCompile(`readonly value="([^"]+/s/wbs_[A-Za-z0-9_-]{43})"`)

func (b *browser) links(id string) (out []string) {
	b.t.Helper()
	for _, m := range linkAddress.FindAllStringSubmatch(b.get("/share/"+id).body, -1) {
		out = append(out, m[1])
	}
	return out
}

var revokeForm = regexp.MustCompile(`action="(/links/[a-z2-7]{26}/revoke)"`)

// follow goes where answers lead, and returns the last one and its path.
func (b *browser) follow(path string) (answer, string) {
	b.t.Helper()
	for range 5 {
		a := b.get(path)
		if a.status != http.StatusSeeOther {
			return a, path
		}
		path = a.header.Get("Location")
	}
	b.t.Fatalf("it goes round in circles at %s", path)
	return answer{}, ""
}

// comeIn opens an anonymous link as a guest and returns the path below which its pages
// are.
func (b *browser) comeIn(link, name, password string) string {
	b.t.Helper()
	got := b.post(link, url.Values{"name": {name}, "password": {password}})
	if got.status != http.StatusSeeOther || !regexp.MustCompile(`^/shared/[a-z2-7]{26}/$`).MatchString(got.header.Get("Location")) {
		b.t.Fatalf("come in: %d to %q\n%.2000s", got.status, got.header.Get("Location"), got.body)
	}
	return strings.TrimSuffix(got.header.Get("Location"), "/")
}

func TestALinkForPeopleWhoSignIn(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "team/plan.txt", "hello")
	h.up.Write(t, "other.txt", "not shared")
	anna, ben := h.person("anna"), h.person("ben")
	root := anna.get("/")
	team := root.id(t, "team")
	plan := anna.get("/folder/"+team).id(t, "plan.txt")
	for right, want := range map[string]access.Rights{"view": access.View, "edit": access.Edit} {
		link := anna.share(plan, "rights", right)
		page, at := ben.follow(link)
		token := page.token(t)
		g := h.grant(token, plan)
		if g.Rights != want || g.Scope != idmap.FileID(plan) || g.Share == "" || g.Guest() || g.Principal.Name != "ben" {
			t.Errorf("%s: %s: %+v", right, at, g)
		}
		if !strings.HasPrefix(at, "/shared/"+g.Share+"/") {
			t.Errorf("%s: leads to %s", right, at)
		}
		// Asking for more than the link gives does not help.
		if g := h.grant(ben.get("/shared/"+g.Share+"/edit/"+plan).token(t), plan); g.Rights != want {
			t.Errorf("%s: the edit page gives %v", right, g.Rights)
		}
		contains(t, page.body, "/shared/"+g.Share+"/"+map[access.Rights]string{access.View: "view", access.Edit: "edit"}[want]+"/"+plan+"/token")
	}
	stranger := h.browser()
	got := stranger.get(anna.share(plan))
	if to := got.header.Get("Location"); got.status != http.StatusSeeOther || !strings.HasPrefix(to, "/signin?next=%2Fs%2Fwbs_") {
		t.Errorf("a stranger: %d to %q", got.status, to)
	}
}

func TestALinkNeverGivesMoreThanItsPeopleHave(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.Rules = access.Rules{
			{Who: []string{"*"}, Rights: access.View},
			{Who: []string{"guest:anna"}, Rights: access.Edit},
			{Who: []string{"guest:carl"}, Rights: 0},
		}
	})
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "rights", "edit")
	page, _ := h.person("ben").follow(link)
	if g := h.grant(page.token(t), plan); g.Rights != access.View {
		t.Errorf("ben may only read, and got %v", g.Rights)
	}
	if got, at := h.person("carl").follow(link); got.status != http.StatusNotFound || strings.Contains(got.body, "plan.txt") {
		t.Errorf("carl may nothing: %d at %s", got.status, at)
	}
	ben := h.person("ben")
	got := ben.post("/share/"+plan, url.Values{"for": {"people"}, "rights": {"edit"}, "days": {"0"}})
	if got.status != http.StatusUnprocessableEntity || len(ben.links(plan)) != 0 {
		t.Errorf("ben shares more than he has: %d", got.status)
	}
	if strings.Contains(ben.get("/share/"+plan).body, `value="edit"`) {
		t.Error("the page offers it")
	}
	if g, _ := h.person("guest").follow(link); g.status != http.StatusOK {
		t.Errorf("somebody who may read: %d", g.status)
	}
}

// TestALinkNeverGivesMoreThanTheServerDoes: to people with an account, to guests, and to
// whoever makes it.
func TestALinkNeverGivesMoreThanTheServerDoes(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	guest, ben := h.browser(), h.person("ben")
	at := guest.comeIn(anna.share(plan, "for", "anybody", "rights", "edit"), "", "")
	link := anna.share(plan, "rights", "edit")
	h.up.Quirks.Set(func(q *upstream.Quirks) { q.Privileges = func(string, dav.Path) []string { return []string{"read"} } })
	h.Upstreams.List[0].Client.Learn(davbackend.Profile{Privileges: true})
	for who, b := range map[string]*browser{"a guest": guest, "ben": ben} {
		path := at + "/"
		if b == ben {
			path = link
		}
		page, where := b.follow(path)
		if g := h.grant(page.token(t), plan); g.Rights != access.View || !strings.Contains(where, "/view/") {
			t.Errorf("%s may read, and got %v at %s", who, g.Rights, where)
		}
	}
	if got := anna.post("/share/"+plan, url.Values{"for": {"anybody"}, "rights": {"edit"}, "days": {"0"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("anna shares more than she has: %d", got.status)
	}
}

func TestAFolderLinkEndsAtTheFolder(t *testing.T) {
	for _, kind := range []string{"people", "anybody"} {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(t, withShares)
			for _, name := range []string{"a/team/plan.txt", "a/team/sub/deep.txt", "a/secret.txt", "top.txt"} {
				h.up.Write(t, name, "hello")
			}
			anna := h.person("anna")
			root := anna.get("/")
			a := anna.get("/folder/" + root.id(t, "a"))
			team := a.id(t, "team")
			inside := anna.get("/folder/" + team)
			link := anna.share(team, "for", kind, "rights", "edit")
			ben, at := h.person("ben"), ""
			if kind == "anybody" {
				ben = h.browser()
				at = ben.comeIn(link, "Ben", "")
			} else {
				_, path := ben.follow(link)
				at = strings.TrimSuffix(path, "/")
			}
			list := ben.get(at + "/")
			contains(t, list.body, "<h1>team</h1>", "plan.txt", `href="`+at+`/edit/`+inside.id(t, "plan.txt"))
			deep := ben.get(at + "/folder/" + inside.id(t, "sub"))
			contains(t, deep.body, "deep.txt", `<a href="`+at+`/folder/`+team+`">team</a>`)
			for _, page := range []answer{list, deep} {
				if strings.Contains(page.body, root.id(t, "a")) || strings.Contains(page.body, "secret") || strings.Contains(page.body, "Home NAS") || strings.Contains(page.body, "/share/") {
					t.Errorf("something from above is shown:\n%s", page.body)
				}
			}
			for what, id := range map[string]string{"the folder above": root.id(t, "a"), "a sibling": a.id(t, "secret.txt"), "the top": root.id(t, "top.txt")} {
				for _, page := range []string{"folder/", "edit/", "view/", "download/", "document/"} {
					got := ben.get(at + "/" + page + id)
					if got.status != http.StatusNotFound || strings.Contains(got.body, "secret") || strings.Contains(got.body, "top.txt") {
						t.Errorf("%s by %s: %d", what, page, got.status)
					}
				}
				if got := ben.postJSON(at+"/edit/"+id+"/token", `{"editor":"davwopi:text","user":"x"}`); got.status == http.StatusOK {
					t.Errorf("%s: a token", what)
				}
				if got := ben.get(at + "/view/" + id + "/state"); got.status != http.StatusNotFound {
					t.Errorf("%s: its holder: %d", what, got.status)
				}
			}
			plan := inside.id(t, "plan.txt")
			if g := h.grant(ben.get(at+"/edit/"+plan).token(t), plan); g.Scope != idmap.FileID(team) || g.Rights != access.Edit || g.Share == "" {
				t.Errorf("%+v", g)
			}
			if got := ben.get(at + "/download/" + plan); got.body != "hello" {
				t.Errorf("download: %d", got.status)
			}
		})
	}
}

func TestComingInAsAGuest(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody", "rights", "edit")
	guest := h.browser()
	page := guest.get(link)
	contains(t, page.body, "plan.txt", "<bdi>anna</bdi>", "read and change", `name="name"`)
	if page.header.Get("X-Robots-Tag") != "noindex" || len(page.header.Values("Set-Cookie")) > 0 {
		t.Errorf("%v", page.header)
	}
	if strings.Contains(page.body, `name="password"`) || strings.Contains(page.body, link) {
		t.Error("a field for a password that there is not, or the link itself")
	}
	contains(t, anna.get("/share/"+plan).body, "Nobody has opened it yet", "Anybody with the link", "may change it")
	at := guest.comeIn(link, "Ben", "")
	edit, where := guest.follow(at + "/")
	if where != at+"/edit/"+plan {
		t.Errorf("leads to %s", where)
	}
	g := h.grant(edit.token(t), plan)
	if !g.Guest() || g.Principal.Name != "Guest Ben" || g.Rights != access.Edit || g.Behind.Name != "anna" || g.Session == "" {
		t.Errorf("%+v", g)
	}
	contains(t, anna.get("/share/"+plan).body, "Opened by <bdi>Guest Ben</bdi>")
	renewed := guest.postJSON(at+"/edit/"+plan+"/token", `{"editor":"davwopi:text","user":"`+g.Principal.UserID()+`"}`)
	if renewed.status != http.StatusOK {
		t.Fatalf("%d %s", renewed.status, renewed.body)
	}
	again := h.grant(mustJSON[struct {
		Token string `json:"access_token"`
	}](t, renewed.body).Token, plan)
	if again.Principal.Key() != g.Principal.Key() || again.Session != g.Session || again.Share != g.Share || again.Scope != g.Scope {
		t.Errorf("%+v", again)
	}
	if got := guest.postJSON(at+"/edit/"+plan+"/token", `{"editor":"davwopi:text","user":"somebody"}`); got.status != http.StatusForbidden {
		t.Errorf("a token for somebody else: %d", got.status)
	}
	// Once more by the link, and from another browser.
	guest.comeIn(link, "", "")
	if g := h.grant(guest.get(where).token(t), plan); g.Principal.Key() != again.Principal.Key() {
		t.Error("the same browser is somebody else")
	}
	other := h.browser()
	if got := other.get(where); got.status != http.StatusForbidden || strings.Contains(got.body, "plan.txt") {
		t.Errorf("without coming in: %d", got.status)
	}
	other.comeIn(link, "Ben", "")
	if g := h.grant(other.get(where).token(t), plan); g.Principal.Key() == again.Principal.Key() {
		t.Error("two browsers are one guest")
	}
	for _, path := range []string{"/", "/folder/" + plan, "/edit/" + plan, "/share/" + plan, "/links", "/doctor"} {
		if got := guest.get(path); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/signin") {
			t.Errorf("a guest at %s: %d", path, got.status)
		}
	}
	contains(t, guest.get(at+"/document/"+plan).body, "Guest Ben", `action="`+at+`/leave"`, "Leave")
	left := guest.post(at+"/leave", nil)
	contains(t, left.body, "You have left")
	if got := guest.get(where); got.status != http.StatusForbidden {
		t.Errorf("after leaving: %d", got.status)
	}
	if _, err := h.Tokens.Open(t.Context(), edit.token(t), idmap.FileID(plan)); err == nil {
		t.Error("the token of a guest who left still opens")
	}
}

// TestAnybodyIsNotSomebody: whoever is signed in and opens an anonymous link is a guest
// there, and can open it as themselves.
func TestAnybodyIsNotSomebody(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna, ben := h.person("anna"), h.person("ben")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody")
	contains(t, ben.get(link).body, `<a href="/view/`+plan+`"><bdi>Open it as ben</bdi></a>`)
	page, _ := ben.follow(ben.comeIn(link, "B", "") + "/")
	if g := h.grant(page.token(t), plan); !g.Guest() || g.Rights != access.View {
		t.Errorf("%+v", g)
	}
	if got := ben.get("/"); got.status != http.StatusOK {
		t.Errorf("ben is not signed in any more: %d", got.status)
	}
}

func TestTheCookieOfAGuest(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newHouse(t, func(h *house) {
			withShares(h)
			h.Secure = secure
		})
		h.up.Write(t, "plan.txt", "hello")
		_, made, err := h.Shares.Make(t.Context(), access.NewShare{
			Resource: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Upstream: "main", Rights: access.View, Maker: oauth.Principal{Issuer: "link", Subject: "a"}, Anonymous: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		secret, err := h.Shares.Secret(t.Context(), made.ID, made.Maker.Key())
		if err != nil {
			t.Fatal(err)
		}
		got := h.browser().post("/s/"+secret, nil)
		c, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		name := "davwopi-guest-" + made.ID
		if secure {
			name = "__Host-" + name
		}
		if c.Name != name || c.Path != "/" || !c.HttpOnly || c.Secure != secure || c.SameSite != http.SameSiteLaxMode || len(c.Value) != oauth.OpaqueLen || c.Domain != "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestAPasswordOpensALink(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "salaries.txt", "hello")
	anna := h.person("anna")
	id := anna.get("/").id(t, "salaries.txt")
	link := anna.share(id, "for", "anybody", "password", "correct horse")
	contains(t, anna.get("/share/"+id).body, "Anybody with the link and its password")
	guest := h.browser()
	page := guest.get(link)
	contains(t, page.body, "protected by a password", `type="password"`)
	wrong := guest.post(link, url.Values{"name": {`"><script>x`}, "password": {"correct hors"}})
	contains(t, wrong.body, "not the password of this link", `value="&#34;&gt;&lt;script&gt;x"`)
	if wrong.status != http.StatusForbidden || len(wrong.header.Values("Set-Cookie")) > 0 {
		t.Errorf("%d %v", wrong.status, wrong.header)
	}
	for what, body := range map[string]string{"asked": page.body, "refused": wrong.body} {
		if strings.Contains(body, "salaries") || strings.Contains(body, "anna") {
			t.Errorf("%s: the page tells what is behind it:\n%s", what, body)
		}
	}
	at := guest.comeIn(link, "Ben", "correct horse")
	if got, _ := guest.follow(at + "/"); got.status != http.StatusOK {
		t.Errorf("%d", got.status)
	}
	if got := h.browser().get(at + "/view/" + id); got.status != http.StatusForbidden {
		t.Errorf("past the password: %d", got.status)
	}
}

// TestTooManyTries: the page says for how long, and keeps what was typed.
func TestTooManyTries(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	link := anna.share(anna.get("/").id(t, "plan.txt"), "for", "anybody")
	for i := range 40 {
		got := h.browser().post(link, url.Values{"name": {"Ben"}})
		if got.status == http.StatusTooManyRequests && i > 5 {
			if got.header.Get("Retry-After") == "" || len(got.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%v", got.header)
			}
			contains(t, got.body, "too many tries", `value="Ben"`)
			return
		}
		if got.status != http.StatusSeeOther {
			t.Fatalf("%d: %d", i, got.status)
		}
	}
	t.Error("40 guests came in at once from one place")
}

// TestEndingALinkEndsItsGuests: at once, on pages, in scripts, for editors; and what they
// have open is free.
func TestEndingALinkEndsItsGuests(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	h.up.Write(t, "both.txt", "hello")
	anna, guest := h.person("anna"), h.browser()
	root := anna.get("/")
	plan := root.id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody", "rights", "edit")
	at := guest.comeIn(link, "Ben", "")
	page, where := guest.follow(at + "/")
	g := h.grant(page.token(t), plan)
	actor := locks.Actor{Member: g.Member(), Editor: g.Editor, Office: wopi.TextEditor, UserID: g.Principal.UserID(), Name: g.Principal.Name}
	h.locked(plan, actor)
	contains(t, anna.get("/").body, "<bdi>Guest Ben</bdi>")

	// Of another link, and of somebody beside a guest, nothing is released.
	both := root.id(t, "both.txt")
	bothPage, _ := guest.follow(guest.comeIn(anna.share(both, "for", "anybody", "rights", "edit"), "Ben", "") + "/")
	bothGrant := h.grant(bothPage.token(t), both)
	actor.Member = bothGrant.Member()
	h.locked(both, actor)
	own := h.grant(anna.get("/edit/"+both).token(t), both)
	if err := h.Locks.Joined(t.Context(), idmap.FileID(both), locks.Actor{Member: own.Member(), Editor: own.Editor, Office: wopi.TextEditor, UserID: own.Principal.UserID(), Name: "anna"}); err != nil {
		t.Fatal(err)
	}

	m := revokeForm.FindStringSubmatch(anna.get("/share/" + plan).body)
	if m == nil {
		t.Fatal("no button")
	}
	if got := anna.post(m[1], url.Values{"back": {"/share/" + plan}}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/share/"+plan {
		t.Fatalf("%d to %q", got.status, got.header.Get("Location"))
	}
	for _, path := range []string{link, at, at + "/", where, at + "/view/" + plan, at + "/download/" + plan, at + "/document/" + plan} {
		if got := guest.get(path); got.status != http.StatusGone || strings.Contains(got.body, "plan.txt") {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := guest.post(link, url.Values{"name": {"Ben"}}); got.status != http.StatusGone {
		t.Errorf("coming in again: %d", got.status)
	}
	if got := guest.postJSON(at+"/edit/"+plan+"/token", `{"editor":"davwopi:text","user":"`+g.Principal.UserID()+`"}`); got.status != http.StatusGone || !strings.Contains(got.body, "link_over") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if _, err := h.Tokens.Open(t.Context(), page.token(t), idmap.FileID(plan)); err == nil {
		t.Error("the token still opens")
	}
	state, err := h.Locks.State(t.Context(), idmap.FileID(plan))
	if err != nil || state.Lock.ID != "" || state.Editing != nil {
		t.Errorf("still locked: %+v, %v", state, err)
	}
	if n := len(anna.links(plan)); n != 0 {
		t.Errorf("%d links are left", n)
	}
	both2, err := h.Tokens.AllThrough(t.Context(), bothGrant.Share, []string{bothGrant.Member(), own.Member()})
	if err != nil || both2 {
		t.Errorf("somebody with an account does not count: %v, %v", both2, err)
	}
	if err := h.Revoke(t.Context(), bothGrant.Share, ""); err != nil {
		t.Fatal(err)
	}
	if state, err := h.Locks.State(t.Context(), idmap.FileID(both)); err != nil || state.Lock.ID == "" {
		t.Errorf("what anna works on too was released: %+v, %v", state, err)
	}
}

func TestALinkWhoseTimeIsOver(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	ahead := time.Duration(0)
	h.db.SetClock(func() time.Time { return time.Now().Add(ahead) })
	anna, guest := h.person("anna"), h.browser()
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody", "days", "1")
	page, where := guest.follow(guest.comeIn(link, "", "") + "/")
	if g := h.grant(page.token(t), plan); time.Until(g.Expires) > 24*time.Hour {
		t.Errorf("until %v", g.Expires)
	}
	ahead = 24*time.Hour + time.Second
	for _, path := range []string{link, where} {
		if got := guest.get(path); got.status != http.StatusGone {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

func TestLinksFollowTheirFile(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna, guest := h.person("anna"), h.browser()
	plan := anna.get("/").id(t, "plan.txt")
	at := guest.comeIn(anna.share(plan, "for", "anybody"), "", "")
	if err := os.Rename(filepath.Join(h.up.Dir, "plan.txt"), filepath.Join(h.up.Dir, "renamed.txt")); err != nil {
		t.Fatal(err)
	}
	if got, path := guest.follow(at + "/"); got.status != http.StatusOK || !strings.Contains(got.body, "renamed.txt") || !strings.HasSuffix(path, plan) {
		t.Errorf("renamed: %d at %s", got.status, path)
	}
	if err := os.Remove(filepath.Join(h.up.Dir, "renamed.txt")); err != nil {
		t.Fatal(err)
	}
	if got, _ := guest.follow(at + "/"); got.status != http.StatusNotFound {
		t.Errorf("deleted: %d", got.status)
	}
	contains(t, anna.get("/links").body, "renamed.txt")
}

func TestWhereLinksWithoutAnAccountAreNot(t *testing.T) {
	rules := access.Rules{
		{Who: []string{"*"}, Rights: 0},
		{Who: []string{"guest:anna"}, Rights: access.Edit},
		{Who: []string{"group:guests"}, Path: "/open", Rights: access.Edit},
		{Who: []string{"group:guests"}, Path: "/look", Rights: access.View},
	}
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.Rules = rules
	})
	for _, name := range []string{"closed/a.txt", "open/b.txt", "look/c.txt"} {
		h.up.Write(t, name, "hello")
	}
	anna := h.person("anna")
	root := anna.get("/")
	ids := map[string]string{}
	for folder, name := range map[string]string{"closed": "a.txt", "open": "b.txt", "look": "c.txt"} {
		ids[folder] = anna.get("/folder/"+root.id(t, folder)).id(t, name)
	}
	try := func(id, rights string) int {
		return anna.post("/share/"+id, url.Values{"for": {"anybody"}, "rights": {rights}, "days": {"0"}}).status
	}
	home := regexp.MustCompile(`href="/share/([a-z2-7]{26})">(?:<svg[^>]*><use[^>]*/></svg>)?Share<`).FindStringSubmatch(root.body)
	if home == nil {
		t.Fatal(root.body)
	}
	for _, row := range []struct {
		what, id, rights string
		want             int
	}{
		{"where guests may nothing", ids["closed"], "view", http.StatusUnprocessableEntity},
		{"where guests may read", ids["look"], "view", http.StatusSeeOther},
		{"where guests may not write", ids["look"], "edit", http.StatusUnprocessableEntity},
		{"where guests may write", ids["open"], "edit", http.StatusSeeOther},
		{"everything", home[1], "view", http.StatusUnprocessableEntity},
	} {
		if got := try(row.id, row.rights); got != row.want {
			t.Errorf("%s: %d", row.what, got)
		}
	}
	contains(t, anna.get("/share/"+ids["closed"]).body, "whoever runs this server does not allow it here")
	contains(t, anna.get("/share/"+home[1]).body, "only be shared with people who sign in")

	// What the rules say later holds for links that are there.
	link := anna.share(ids["open"], "for", "anybody", "rights", "edit")
	guest := h.browser()
	at := guest.comeIn(link, "", "")
	if got, _ := guest.follow(at + "/"); got.status != http.StatusOK {
		t.Fatalf("%d", got.status)
	}
	rules[1].Rights = 0 // anna may nothing any more
	for _, path := range []string{at + "/", link, at + "/download/" + ids["open"]} {
		if got := guest.get(path); got.status != http.StatusNotFound || strings.Contains(got.body, "b.txt") {
			t.Errorf("%s of somebody who has lost their rights: %d", path, got.status)
		}
	}
	rules[1].Rights, rules[2].Rights = access.Edit, access.View
	if page, _ := guest.follow(at + "/"); h.grant(page.token(t), ids["open"]).Rights != access.View {
		t.Error("guests may only read here now")
	}
	h.Shares.Anonymous = false
	if got := guest.get(at + "/"); got.status != http.StatusGone {
		t.Errorf("switched off: %d", got.status)
	}
	if got := try(ids["open"], "view"); got != http.StatusUnprocessableEntity {
		t.Errorf("switched off: %d", got)
	}
	if body := anna.get("/share/" + ids["open"]).body; strings.Contains(body, "without an account") {
		t.Error("the page still speaks of it")
	}
	h.Checkup = func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	h.Admin = func(oauth.Principal) bool { return true }
	contains(t, anna.get("/share/"+ids["open"]).body, "Links that open without an account are switched off here.", "sharing.anonymous")
}

func TestWithOwnPasswordsNobodyIsLetInWithout(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.userMode()
	})
	h.up.Write(t, "plan.txt", "hello")
	anna := h.browser()
	cred := h.up.Credential()
	sign := func(b *browser, next string) answer {
		return b.post("/signin", url.Values{"user": {cred.User}, "password": {cred.Secret}, "next": {next}})
	}
	if got := sign(anna, ""); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	plan := anna.get("/").id(t, "plan.txt")
	if got := anna.post("/share/"+plan, url.Values{"for": {"anybody"}, "rights": {"view"}, "days": {"0"}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("%d", got.status)
	}
	// A link for people leads through sign-in to the file.
	link := anna.share(plan)
	ben := h.browser()
	to := ben.get(link).header.Get("Location")
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("next") != link {
		t.Fatalf("to %q, %v", to, err)
	}
	contains(t, ben.get(to).body, "Somebody has shared something with you", `name="next" value="`+link+`"`)
	in := sign(ben, link)
	if in.header.Get("Location") != link {
		t.Fatalf("%d to %q", in.status, in.header.Get("Location"))
	}
	page, _ := ben.follow(link)
	if g := h.grant(page.token(t), plan); g.Rights != access.View || g.Share == "" {
		t.Errorf("%+v", g)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.userMode()
	})
	cred := h.up.Credential()
	for _, next := range []string{
		"//evil.test/s/x", "https://evil.test/s/wbs_x", `/\evil.test/s/`, "/s/\t//evil.test", "/shared@evil.test/", "javascript:alert(1)//s/", "/s/../../evil", "s/x", "/signout", "/x/../s/a",
	} {
		got := h.browser().post("/signin", url.Values{"user": {cred.User}, "password": {cred.Secret}, "next": {next}})
		to := got.header.Get("Location")
		u, err := url.Parse(to)
		if err != nil || got.status != http.StatusSeeOther || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
			t.Errorf("%q leads to %q (%d)", next, to, got.status)
		}
	}
	for _, back := range []string{"//evil.test/links", "https://evil.test/links", "/linksx", "/share"} {
		if to := h.browser().get("/signin?next=" + url.QueryEscape(back)); strings.Contains(to.body, "evil.test") {
			t.Errorf("%q is on the page", back)
		}
	}
}

func TestOnlyTheirMakerAndAdministratorsEndLinks(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.Admin = func(p oauth.Principal) bool { return p.Subject == "guest:root" }
		h.Checkup = func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	})
	h.up.Write(t, "plan.txt", "hello")
	anna, ben, root := h.person("anna"), h.person("ben"), h.person("root")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan)
	page := anna.get("/links").body
	contains(t, page, "Your links", "plan.txt", link)
	revoke := revokeForm.FindStringSubmatch(page)[1]
	for _, path := range []string{"/links", "/share/" + plan} {
		if body := ben.get(path).body; strings.Contains(body, "revoke") || strings.Contains(body, link) {
			t.Errorf("ben sees anna's link at %s", path)
		}
	}
	if got := ben.post(revoke, nil); got.status != http.StatusNotFound {
		t.Errorf("ben ends it: %d", got.status)
	}
	if got := h.browser().post(revoke, nil); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/signin") {
		t.Errorf("nobody ends it: %d", got.status)
	}
	all := root.get("/links").body
	contains(t, all, "Everybody’s links", "by <bdi>anna</bdi>", revoke)
	if strings.Contains(all, link) {
		t.Error("an administrator is shown the secret of somebody else's link")
	}
	if got := root.post(revoke, url.Values{"back": {"https://evil.test/links"}}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Errorf("%d to %q", got.status, got.header.Get("Location"))
	}
	if n := len(anna.links(plan)); n != 0 {
		t.Errorf("%d links", n)
	}
	contains(t, anna.get("/links").body, "There are none.")
}

// TestOtherSitesMakeNoLinks: nor end any, nor make guests.
func TestOtherSitesMakeNoLinks(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody")
	revoke := revokeForm.FindStringSubmatch(anna.get("/links").body)[1]
	for _, path := range []string{"/share/" + plan, revoke, link} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader("for=anybody&rights=edit&days=0"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Origin", "https://evil.test")
		if got := anna.do(req); got.status != http.StatusForbidden || len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s from another site: %d", path, got.status)
		}
	}
	if n := len(anna.links(plan)); n != 1 {
		t.Errorf("%d links", n)
	}
}

func TestGuessedLinks(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody")
	for _, path := range []string{
		link[:len(link)-1], link + "A", strings.ToUpper(link[:20]) + link[20:], "/s/" + oauth.NewOpaque(access.SharePrefix), "/s/x", "/s/" + strings.Repeat("a", 4000),
		"/s/" + plan, "/shared/" + oauth.NewID() + "/", "/shared/" + plan + "/view/" + plan,
	} {
		for _, b := range []*browser{h.browser(), anna} {
			if got := b.get(path); got.status != http.StatusNotFound || strings.Contains(got.body, "plan.txt") {
				t.Errorf("%.60s: %d", path, got.status)
			}
		}
	}
}

func TestHostileNamesOfGuestsAreText(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	link := anna.share(plan, "for", "anybody", "rights", "edit")
	for _, name := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `{{.Token}}`, "\u202ednammoc", "a\r\nSet-Cookie: x=y", `'-alert(1)-'`, `</script><script>alert(2)`} {
		guest := h.browser()
		at := guest.comeIn(link, name, "")
		edit := guest.get(at + "/edit/" + plan)
		g := h.grant(edit.token(t), plan)
		if strings.ContainsAny(g.Principal.Name, "\r\n\u202e") || !strings.HasPrefix(g.Principal.Name, "Guest ") {
			t.Errorf("%q became %q", name, g.Principal.Name)
		}
		h.locked(plan, locks.Actor{Member: g.Member(), Editor: g.Editor, Office: wopi.TextEditor, UserID: g.Principal.UserID(), Name: g.Principal.Name})
		pages := map[string]string{
			"guest's": guest.get(at + "/document/" + plan).body, "host": edit.body, "share": anna.get("/share/" + plan).body,
			"list": anna.get("/").body, "anna's host": anna.get("/edit/" + plan).body, "links": anna.get("/links").body,
		}
		for what, body := range pages {
			if regexp.MustCompile(`<script>alert|<img src=x|onerror=alert\(1\)>`).MatchString(body) {
				t.Errorf("%q became markup on the %s page:\n%s", name, what, body)
			}
		}
		if !strings.Contains(html.UnescapeString(pages["list"]), g.Principal.Name) {
			t.Errorf("the list does not name %q", g.Principal.Name)
		}
		if err := h.Locks.Release(t.Context(), idmap.FileID(plan)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatGuestsAreNotTold(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.Exposed = false
	})
	h.up.Write(t, "letter.docx", "hello")
	anna := h.person("anna")
	id := anna.get("/").id(t, "letter.docx")
	contains(t, anna.get("/edit/"+id).body, "davwopi.yaml")
	guest := h.browser()
	at := guest.comeIn(anna.share(id, "for", "anybody"), "", "")
	page, where := guest.follow(at + "/")
	if where != at+"/document/"+id {
		t.Errorf("a file that nothing opens leads to %s", where)
	}
	contains(t, page.body, "letter.docx", at+"/download/"+id)
	if body := guest.get(at + "/view/" + id).body; strings.Contains(body, "davwopi.yaml") || strings.Contains(body, "aliasgroup") {
		t.Error("a guest is told how to configure the server")
	}
	origin := h.Upstreams.List[0].Client.Origin()
	h.up.Quirks.Fail(upstream.Fault{Status: http.StatusBadGateway})
	got := guest.get(at + "/document/" + id)
	if got.status != http.StatusServiceUnavailable || strings.Contains(got.body, origin) || strings.Contains(got.body, "For whoever runs") {
		t.Errorf("in an outage: %d\n%s", got.status, got.body)
	}
}

func TestFormsOfLinksAreChecked(t *testing.T) {
	h := newHouse(t, withShares)
	h.up.Write(t, "plan.txt", "hello")
	anna := h.person("anna")
	plan := anna.get("/").id(t, "plan.txt")
	for what, form := range map[string]url.Values{
		"a short password":    {"for": {"anybody"}, "rights": {"view"}, "password": {"xyz12"}},
		"a password for all":  {"for": {"people"}, "rights": {"view"}, "password": {"long enough"}},
		"an end in the past":  {"for": {"people"}, "rights": {"view"}, "days": {"-1"}},
		"an end after us all": {"for": {"people"}, "rights": {"view"}, "days": {"99999"}},
	} {
		got := anna.post("/share/"+plan, form)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: %d", what, got.status)
		}
		if form.Get("password") != "" && strings.Contains(got.body, form.Get("password")) {
			t.Errorf("%s: the password is on the page", what)
		}
	}
	if got := anna.post("/share/"+plan, url.Values{"x": {strings.Repeat("a", 1<<20)}}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a megabyte: %d", got.status)
	}
	if n := len(anna.links(plan)); n != 0 {
		t.Errorf("%d links were made", n)
	}
}

// TestInAnOutageALinkShowsWhatWaitsBelowIt: and nothing else that its visitor has seen.
func TestInAnOutageALinkShowsWhatWaitsBelowIt(t *testing.T) {
	h := newHouse(t, func(h *house) {
		withShares(h)
		h.onDisk()
	})
	h.up.Write(t, "secret.txt", "old")
	h.up.Write(t, "team/plan.txt", "old")
	anna, ben, guest := h.person("anna"), h.person("ben"), h.browser()
	root := anna.get("/")
	team, secret := root.id(t, "team"), root.id(t, "secret.txt")
	plan := anna.get("/folder/"+team).id(t, "plan.txt")
	_, bens := ben.follow(anna.share(team))
	ben.get("/") // who has seen the other one, too
	guests := guest.comeIn(anna.share(team, "for", "anybody"), "", "") + "/"
	guest.get(guests)
	for _, id := range []string{plan, secret} {
		w := h.writes(id, "anna", wopi.Collabora)
		h.down()
		h.must(w.save("saved in the outage"))
		h.up.Quirks.Reset()
	}
	h.down()
	for at, b := range map[string]*browser{bens: ben, guests: guest} {
		page := b.get(at)
		contains(t, page.body, "plan.txt", at+"download/"+plan)
		if strings.Contains(page.body, "secret.txt") {
			t.Errorf("the link shows what was not shared:\n%s", page.body)
		}
		if got := b.get(at + "download/" + plan); got.body != "saved in the outage" {
			t.Errorf("%d %q", got.status, got.body)
		}
		if got := b.get(at + "download/" + secret); got.status != http.StatusNotFound {
			t.Errorf("what was not shared: %d", got.status)
		}
	}
}
