package web_test

import (
	"context"
	"net/http"
	"testing"

	"davwopi/idmap"
	"davwopi/oauth"
)

// TestWaitingNote: the host page may ask, without the upstream, what a save waits for.
func TestWaitingNote(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	b := h.person("anna")
	id := b.get("/").id(t, "a.txt")
	address := "/view/" + id + "/waiting"
	contains(t, b.get("/edit/"+id).body, `"waiting":"`+address+`"`)
	if got := mustJSON[map[string]string](t, b.get(address).body); got["for"] != "" {
		t.Errorf("nothing waits: %v", got)
	}
	anna := oauth.Principal{Issuer: "link", Subject: "guest:anna"}.UserID()
	h.Pages.Waits = func(_ context.Context, file idmap.FileID, user string) (string, error) {
		if string(file) == id && user == anna {
			return "main", nil
		}
		return "", nil
	}
	h.up.Forget()
	if got := mustJSON[map[string]string](t, b.get(address).body); got["for"] != "Home NAS" {
		t.Errorf("a save waits: %v", got)
	}
	if n := len(h.up.Requests()); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	if got := mustJSON[map[string]string](t, h.person("ben").get(address).body); got["for"] != "" {
		t.Errorf("told to somebody else: %v", got)
	}
	if r := h.browser().get(address); r.status == http.StatusOK && r.body == `{"for":""}` {
		t.Error("told without a sign-in")
	}
}
