package web_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/web"
	"davwopi/bridge/wopi"
	"davwopi/test/upstream"
)

func TestTheServersPage(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
		withShares(h)
		h.withEditor(wopi.Collabora, "odt").Down(true)
	})
	h.up.Write(t, "a.txt", "hello")
	anna, boss := h.person("anna"), h.person("boss")
	id := anna.get("/").id(t, "a.txt")
	anna.share(id, "for", "people", "rights", "view")
	anna.get("/edit/" + id)
	page := boss.get("/server").body
	contains(t, page, "Home NAS", "everybody comes with one account", "no fault known", "Text editor", "part of this program", "1 link<",
		"Everything that was saved has arrived", "<h3><bdi>anna</bdi></h3>", "this is you, here", `aria-label="End the session of anna"`, `aria-current="page">Server<`)
	for _, path := range []string{"/server", "/doctor", endOf.FindStringSubmatch(page)[1]} {
		if got := anna.get(path); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no page here") {
			t.Errorf("%s for somebody else: %d", path, got.status)
		}
	}
	h.up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	boss.get("/")
	contains(t, boss.get("/server").body, "no answer since <time")
}

var endOf = regexp.MustCompile(`href="(/server/sessions/[a-z2-7]{26}/end)" aria-label="End the session of anna"`)

func TestEndingASession(t *testing.T) {
	h := newHouse(t, func(h *house) {
		h.Admin, h.Checkup = isBoss, func(context.Context) (web.Checkup, error) { return web.Checkup{}, nil }
	})
	h.up.Write(t, "a.txt", "hello")
	anna, boss := h.person("anna"), h.person("boss")
	id := anna.get("/").id(t, "a.txt")
	token := anna.get("/edit/" + id).token(t)
	end := endOf.FindStringSubmatch(boss.get("/server").body)[1]
	contains(t, boss.get(end).body, "End the session of anna?", "no longer be saved")
	if got := anna.get("/"); got.status != http.StatusOK {
		t.Fatalf("being asked has ended it: %d", got.status)
	}
	if got := anna.post(end, nil); got.status != http.StatusNotFound {
		t.Errorf("somebody else has ended it: %d", got.status)
	}
	if got := boss.post(end, nil); got.header.Get("Location") != "/server?said=session_over" {
		t.Errorf("%d to %s", got.status, got.header.Get("Location"))
	}
	contains(t, boss.get("/server?said=session_over").body, "That session is over.")
	if got := anna.get("/"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/signin") {
		t.Errorf("anna goes on: %d", got.status)
	}
	if _, err := h.Tokens.Open(t.Context(), token, ""); err == nil {
		t.Error("her document's token is still good")
	}
	if got := boss.get(end); got.header.Get("Location") != "/server?said=session_over" {
		t.Errorf("once more: %d to %s", got.status, got.header.Get("Location"))
	}
}
