package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// grantFile is the ID as the database knows it.
func (h *house) grantFile(id string) idmap.FileID { return idmap.FileID(id) }

const bearer = "Bearer " + apiKey

func TestOpenByAPIKey(t *testing.T) {
	h := newHouse(t, func(h *house) { h.withEditor(wopi.OnlyOffice, "docx") })
	h.up.Write(t, "team/plan.docx", "hello")
	b := h.browser()
	got := b.postJSON("/api/v1/open", `{"path":"/team/plan.docx","user":"anna","mode":"edit"}`, "Authorization", bearer)
	if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	out := mustJSON[web.Opened](t, got.body)
	id := out.WOPISrc[strings.LastIndexByte(out.WOPISrc, '/')+1:]
	g := h.grant(out.AccessToken, id)
	if g.Principal.Issuer != "key:portal" || g.Principal.Name != "anna" || g.Rights != access.Edit || g.Session != "" || g.Expires.UnixMilli() != out.AccessTokenTTL {
		t.Errorf("grant %+v", g)
	}
	top, err := h.IDs.KnownAt(t.Context(), g.Space, "/team")
	if err != nil || g.Scope != top.ID {
		t.Errorf("scope %q, want the key's subtree %q (%v)", g.Scope, top.ID, err)
	}
	if !strings.HasPrefix(out.ActionURL, h.Editors.List[0].URL) || !strings.Contains(out.ActionURL, url.QueryEscape(out.WOPISrc)) {
		t.Errorf("action %q", out.ActionURL)
	}

	path := strings.TrimPrefix(out.HostURL, h.server.URL)
	page := b.get(path)
	if page.status != http.StatusOK {
		t.Fatalf("ticket: %d\n%s", page.status, page.body)
	}
	if g2 := h.grant(page.token(t), id); g2.Rights != access.Edit || g2.Session != "" || g2.Scope != g.Scope || g2.Principal.Key() != g.Principal.Key() {
		t.Errorf("grant of the ticket %+v", g2)
	}
	if strings.Contains(page.body, "/signout") || page.header.Get("Set-Cookie") != "" {
		t.Error("a ticket began a session")
	}
	if again := b.get(path); again.status != http.StatusGone {
		t.Errorf("the ticket worked twice: %d", again.status)
	}
}

func TestOpenRefusesInWords(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.txt", "hello")
	h.up.Write(t, "other/b.txt", "hello")
	b := h.browser()
	for _, c := range []struct {
		name, body, auth string
		status           int
		code             string
	}{
		{"no key", `{}`, "", 401, "bad_key"},
		{"another key", `{}`, "Bearer " + strings.Repeat("x", 36), 401, "bad_key"},
		{"the key as Basic", `{}`, "Basic " + apiKey, 401, "bad_key"},
		{"not JSON", `path=x`, bearer, 400, "bad_request"},
		{"unknown field", `{"path":"/team/a.txt","user":"anna","admin":true}`, bearer, 400, "bad_request"},
		{"too large", `{"path":"` + strings.Repeat("x", 70<<10) + `"}`, bearer, 400, "bad_request"},
		{"no path", `{"user":"anna"}`, bearer, 400, "bad_request"},
		{"dots in the path", `{"path":"/team/../other/b.txt","user":"anna"}`, bearer, 400, "bad_request"},
		{"no user", `{"path":"/team/a.txt"}`, bearer, 400, "bad_request"},
		{"bad mode", `{"path":"/team/a.txt","user":"anna","mode":"own"}`, bearer, 400, "bad_request"},
		{"a folder", `{"path":"/team","user":"anna"}`, bearer, 400, "bad_request"},
		{"another person", `{"path":"/team/a.txt","user":"ben"}`, bearer, 403, "not_allowed"},
		{"outside of the subtree", `{"path":"/other/b.txt","user":"anna"}`, bearer, 403, "not_allowed"},
		{"no such file", `{"path":"/team/none.txt","user":"anna"}`, bearer, 404, "not_found"},
		{"no such upstream", `{"path":"/team/a.txt","user":"anna","upstream":"x"}`, bearer, 404, "no_upstream"},
		{"no such editor", `{"path":"/team/a.txt","user":"anna","editor":"Word"}`, bearer, 409, "no_editor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.postJSON("/api/v1/open", c.body, "Authorization", c.auth)
			why := mustJSON[map[string]string](t, got.body)
			if got.status != c.status || why["error"] != c.code || why["message"] == "" {
				t.Errorf("%d %v, want %d %s", got.status, why, c.status, c.code)
			}
			if strings.Contains(got.body, apiKey) {
				t.Error("the answer repeats the key")
			}
			for _, room := range []string{"web:", "access:", "dav:", "oauth:", "idmap:"} {
				if strings.Contains(why["message"], room) {
					t.Errorf("a message for programmers of davwopi: %s", why["message"])
				}
			}
		})
	}
	h.up.Quirks.Fail(upstream.Fault{Status: 503})
	if got := b.postJSON("/api/v1/open", `{"path":"/team/a.txt","user":"anna"}`, "Authorization", bearer); got.status != 503 {
		t.Errorf("upstream down: %d %s", got.status, got.body)
	}
}

func TestOpenNeedsTheOwnCredentialWhereTheUpstreamWantsIt(t *testing.T) {
	h := newHouse(t, (*house).userMode)
	h.up.Write(t, "team/a.txt", "hello")
	h.up.Quirks.AddUser("anna", "pw")
	ask := func() answer {
		return h.browser().postJSON("/api/v1/open", `{"path":"/team/a.txt","user":"anna"}`, "Authorization", bearer)
	}
	if got := ask(); got.status != http.StatusConflict || !strings.Contains(got.body, "needs_sign_in") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := h.browser().post("/signin", url.Values{"user": {"anna"}, "password": {"pw"}}); got.status != http.StatusSeeOther {
		t.Fatalf("sign-in: %d", got.status)
	}
	got := ask()
	if got.status != http.StatusOK {
		t.Fatalf("after signing in once: %d %s", got.status, got.body)
	}
	out := mustJSON[web.Opened](t, got.body)
	g := h.grant(out.AccessToken, out.WOPISrc[strings.LastIndexByte(out.WOPISrc, '/')+1:])
	if want := (oauth.Principal{Issuer: "upstream:main", Subject: "anna"}); g.Principal.Key() != want.Key() {
		t.Errorf("the person is not the one who signs in: %+v", g.Principal)
	}
}

func TestOpenByTheOperator(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.wopitest", "")
	h.up.Write(t, "b.txt", "x")
	who := oauth.Principal{Issuer: "link", Subject: "owner", Name: "Owner"}
	out, err := h.Open(t.Context(), web.OpenRequest{Path: "/a.wopitest", Principal: who})
	if err != nil || out.ActionURL != "" || out.AccessToken == "" || out.HostURL == "" {
		t.Fatalf("a file that no editor opens: %v, %v", out, err)
	}
	if strings.Contains(out.String(), "wbw_") {
		t.Error("String tells the token")
	}
	id := out.WOPISrc[strings.LastIndexByte(out.WOPISrc, '/')+1:]
	if g := h.grant(out.AccessToken, id); g.Editor != "" || g.Rights != access.Edit {
		t.Errorf("grant %+v", g)
	}
	contains(t, h.browser().get(strings.TrimPrefix(out.HostURL, h.server.URL)).body, "No editor opens")

	out, err = h.Open(t.Context(), web.OpenRequest{Path: "/b.txt", Principal: who, Mode: "view", Editor: "Text editor"})
	if err != nil {
		t.Fatal(err)
	}
	id = out.WOPISrc[strings.LastIndexByte(out.WOPISrc, '/')+1:]
	if g := h.grant(out.AccessToken, id); g.Editor != discovery.TextEditor || g.Rights != access.View {
		t.Errorf("grant %+v", g)
	}
	if g := h.grant(h.browser().get(strings.TrimPrefix(out.HostURL, h.server.URL)).token(t), id); g.Rights != access.View {
		t.Errorf("the ticket gives %v", g.Rights)
	}

	out, err = h.Open(t.Context(), web.OpenRequest{Path: "/b.txt", Principal: who, Editor: web.NoEditor})
	if err != nil || out.ActionURL != "" {
		t.Fatalf("for a program: %v, %v", out, err)
	}
	for _, c := range []struct {
		q    web.OpenRequest
		want error
	}{
		{web.OpenRequest{Path: "b.txt", Principal: who}, web.ErrRequest},
		{web.OpenRequest{Path: "/b.txt"}, web.ErrRequest},
		{web.OpenRequest{Path: "/b.txt", User: "x", Upstream: "none"}, access.ErrUpstream},
	} {
		if _, err := h.Open(t.Context(), c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.q, err, c.want)
		}
	}
}

// TestWhatTokensSeeOfSeveralUpstreams: a person's own reach all of them, a key's only
// the one of its file.
func TestWhatTokensSeeOfSeveralUpstreams(t *testing.T) {
	var second *upstream.Server
	h := newHouse(t, func(h *house) {
		second = h.withSecond()
		var err error
		h.Keys, err = access.NewAPIKeys(h.t.Context(), h.db, []access.APIKey{
			{Name: "portal", SHA256: access.KeyHash(apiKey), Principals: []string{"*"}, Modes: []string{"edit", "view"}},
		})
		if err != nil {
			h.t.Fatal(err)
		}
	})
	h.up.Write(t, "a.txt", "x")
	second.Write(t, "b.txt", "x")
	top, err := h.Upstreams.Top(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	anna := oauth.Principal{Issuer: "link", Subject: "guest:anna", Name: "anna"}
	b := h.person("anna")
	for upstream, path := range map[string]string{"main": "/a.txt", "work": "/b.txt"} {
		out, err := h.Open(t.Context(), web.OpenRequest{Path: path, Upstream: upstream, Principal: anna})
		if err != nil {
			t.Fatal(err)
		}
		id := out.WOPISrc[strings.LastIndexByte(out.WOPISrc, '/')+1:]
		page := b.get("/edit/" + id)
		fresh := mustJSON[map[string]any](t, b.postJSON("/edit/"+id+"/token", `{"editor":"davwopi:text","user":"`+anna.UserID()+`"}`).body)
		ticket := b.get(strings.TrimPrefix(out.HostURL, h.server.URL))
		for _, token := range []string{out.AccessToken, page.token(t), fresh["access_token"].(string), ticket.token(t)} {
			if g := h.grant(token, id); g.Scope != top.ID || g.Upstream != upstream {
				t.Errorf("%s: grant %+v, want the scope %s", path, g, top.ID)
			}
		}
		got := b.postJSON("/api/v1/open", `{"path":"`+path+`","user":"anna","upstream":"`+upstream+`"}`, "Authorization", bearer)
		byKey := mustJSON[web.Opened](t, got.body)
		g := h.grant(byKey.AccessToken, id)
		root, err := h.IDs.Root(t.Context(), g.Space)
		if err != nil || g.Scope != root.ID {
			t.Errorf("%s: a key's grant %+v, want the scope %s (%v)", path, g, root.ID, err)
		}
		ticket = b.get(strings.TrimPrefix(byKey.HostURL, h.server.URL))
		if g := h.grant(ticket.token(t), id); g.Scope != root.ID {
			t.Errorf("%s: the grant of a key's ticket %+v", path, g)
		}
	}
}
