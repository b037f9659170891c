package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// TestTheBarRenamesUnderTheLock: the document that is open in an editor gets another name;
// the lock is on it, the editor saves on, and whoever may not, or another editor, does not.
func TestTheBarRenamesUnderTheLock(t *testing.T) {
	h := newHouse(t, nil)
	const office = "https://office.example"
	h.Editors.List = append(h.Editors.List, discovery.Editor{URL: office, Name: "Office"}, discovery.Editor{URL: "https://other.example"})
	h.up.Write(t, "a.odt", "one")
	h.up.Write(t, "taken.odt", "another")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.odt")
	w := h.writes(id, "anna", wopi.Collabora)
	rename := func(b *browser, user, editor, name string) answer {
		return b.postJSON("/edit/"+id+"/name", fmt.Sprintf(`{"editor":%q,"user":%q,"name":%q}`, editor, guest(user).UserID(), name), "Sec-Fetch-Site", "same-origin")
	}
	if got := rename(anna, "anna", office, " Übersicht (neu) "); got.status != http.StatusOK || !strings.Contains(got.body, `"Übersicht (neu).odt"`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	state, err := h.Locks.State(t.Context(), idmap.FileID(id))
	if err != nil || state.Lock.ID != w.id || state.Shadow.Token == "" || string(state.Shadow.Path) != "/Übersicht (neu).odt" {
		t.Errorf("the lock: %+v, %v", state, err)
	}
	h.must(w.save("two"))
	if text, ok := h.up.Read(t, "Übersicht (neu).odt"); !ok || text != "two" {
		t.Errorf("saved: %q", text)
	}
	if _, ok := h.up.Read(t, "a.odt"); ok {
		t.Error("the old name is there, too")
	}
	if got := rename(ben, "ben", office, "by a co-editor.odt"); got.status != http.StatusOK || !strings.Contains(got.body, `"by a co-editor.odt"`) {
		t.Errorf("somebody in the same editor: %d %s", got.status, got.body)
	}
	h.must(w.save("three"))
	for _, c := range []struct {
		what, user, editor, name string
		status                   int
		says                     string
	}{
		{"the name of another file", "anna", office, "taken", http.StatusConflict, "there already"},
		{"a name that is none", "anna", office, "a/b", http.StatusUnprocessableEntity, "slash"},
		{"no name", "anna", office, "  ", http.StatusUnprocessableEntity, "name"},
		{"through an editor that has not got it", "anna", "https://other.example", "x", http.StatusConflict, "is open"},
		{"as somebody else", "ben", office, "x", http.StatusForbidden, "other_person"},
		{"through an editor that is none", "anna", "https://evil.example", "x", http.StatusBadRequest, "editor"},
	} {
		if got := rename(anna, c.user, c.editor, c.name); got.status != c.status || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %d %s", c.what, got.status, got.body)
		}
	}
	h.Rules = access.Rules{{Who: []string{"*"}, Path: "/", Rights: access.View}}
	if got := rename(anna, "anna", office, "x"); got.status != http.StatusForbidden {
		t.Errorf("somebody who may only read: %d %s", got.status, got.body)
	}
	if got := h.browser().postJSON("/edit/"+id+"/name", "{}", "Sec-Fetch-Site", "same-origin"); got.status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", got.status)
	}
	h.Rules = nil
	w.close()
	if got := rename(anna, "anna", office, "closed"); got.status != http.StatusOK {
		t.Errorf("while nobody has it open: %d %s", got.status, got.body)
	}
}

var stateToken = regexp.MustCompile(`"state":"([^"]+)","ask":"([^"]+)"`)

// tampered is token with another letter in its middle: those at its end may have bits that
// say nothing.
func tampered(token string) string {
	at, other := len(token)/2, "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// TestATicketsPageKnowsHowItsDocumentStands, by a token that is good for that alone.
func TestATicketsPageKnowsHowItsDocumentStands(t *testing.T) {
	h := newHouse(t, nil)
	h.onDisk()
	h.withEditor(wopi.Collabora, "odt")
	h.up.Write(t, "team/a.odt", "one")
	h.up.Write(t, "team/b.odt", "one")
	opened := h.browser().postJSON("/api/v1/open", `{"path":"/team/a.odt","user":"anna"}`, "Authorization", "Bearer "+apiKey)
	out := mustJSON[struct {
		HostURL string `json:"host_url"`
	}](t, opened.body)
	page := h.browser().get(strings.TrimPrefix(out.HostURL, h.server.URL))
	m := stateToken.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("%d: no way to ask:\n%.3000s", page.status, page.body)
	}
	ask := func(path, token string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+path, nil)
		h.must(err)
		req.Header.Set("X-Davwopi-State", token)
		return h.browser().do(req)
	}
	if got := mustJSON[hostState](t, ask(m[1], m[2]).body); got.Name != "a.odt" || got.Save != "" {
		t.Errorf("at first: %+v", got)
	}
	id := strings.Split(m[1], "/")[2]
	w := h.writes(id, "anna", wopi.Collabora)
	h.down()
	h.must(w.save("two"))
	if got := mustJSON[hostState](t, ask(m[1], m[2]).body); got.Save != "waits" || got.For != "Home NAS" {
		t.Errorf("while it waits: %+v", got)
	}
	h.up.Quirks.Reset()
	other := h.person("boss").get("/folder/"+h.person("boss").get("/").id(t, "team")).id(t, "b.odt")
	for what, got := range map[string]answer{
		"another file": ask("/view/"+other+"/state", m[2]), "a forged token": ask(m[1], tampered(m[2])), "no token": h.browser().get(m[1]),
		"an access token": ask(m[1], page.token(t)),
	} {
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	for _, path := range []string{"/", "/view/" + id, "/edit/" + id + "/pictures", "/wopi/files/" + id + "?access_token=" + m[2]} {
		if got := ask(path, m[2]); got.status == http.StatusOK {
			t.Errorf("%s is opened by it", path)
		}
	}
}
