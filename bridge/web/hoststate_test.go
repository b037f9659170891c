package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
)

type hostVersion struct {
	Who, Name, File, Open string
	When, Size            int64
	Kept                  bool
}

type hostState struct {
	Name, Save, For, Holder, With string
	Saved, Since                  int64
	Conflict                      *struct {
		Key          string
		Goes         bool
		Theirs, Mine hostVersion
	}
}

func (b *browser) state(id string) hostState {
	b.t.Helper()
	got := b.get("/view/" + id + "/state")
	if got.status != http.StatusOK {
		b.t.Fatalf("%d %s", got.status, got.body)
	}
	var s hostState
	if err := json.Unmarshal([]byte(got.body), &s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func lately(ms int64) bool { return time.Since(time.UnixMilli(ms)).Abs() < time.Minute }

// TestHostState: the host page may ask, without the upstream, how the saves of its
// document stand.
func TestHostState(t *testing.T) {
	h := newHouse(t, nil)
	h.onDisk()
	h.up.Write(t, "a.docx", "hello")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.docx")
	if got := anna.state(id); got.Name != "a.docx" || got.Save != "" || got.Saved != 0 || got.Holder != "" || got.Conflict != nil {
		t.Errorf("at first: %+v", got)
	}
	w := h.writes(id, "anna", wopi.Collabora)
	h.must(w.save("one"))
	if got := anna.state(id); got.Save != "" || !lately(got.Saved) || got.Holder != "" {
		t.Errorf("saved: %+v", got)
	}
	if got := ben.state(id); got.Holder != "anna" || got.With != "https://office.example" || !lately(got.Since) {
		t.Errorf("told to somebody else: %+v", got)
	}
	h.down()
	h.must(w.save("two"))
	h.up.Forget()
	for who, b := range map[string]*browser{"anna": anna, "ben": ben} {
		if got := b.state(id); got.Save != "waits" || got.For != "Home NAS" {
			t.Errorf("%s, while it waits: %+v", who, got)
		}
	}
	if n := len(h.up.Requests()); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	if got := h.person("carl").get("/view/" + id + "/state"); got.status != http.StatusServiceUnavailable {
		t.Errorf("told to somebody who has not seen the file: %d %s", got.status, got.body)
	}
	for _, address := range []string{"/view/" + id + "/state", "/edit/" + id + "/beside?name=a.docx", "/edit/" + id + "/pictures"} {
		if got := h.browser().get(address); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "signed_out") {
			t.Errorf("%s without a sign-in: %d %s", address, got.status, got.body)
		}
	}
}

// TestHostStateOfAConflict names both versions.
func TestHostStateOfAConflict(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.docx", "hello")
	anna, ben := h.person("anna"), h.person("ben")
	id := anna.get("/").id(t, "a.docx")
	w := h.writes(id, "anna", wopi.Microsoft)
	h.up.Write(t, "a.docx", "by another program")
	if err := w.save("mine"); err == nil {
		t.Fatal("no conflict")
	}
	c := anna.state(id).Conflict
	if c == nil {
		t.Fatal("not told")
	}
	if c.Theirs.Who != "outside" || c.Theirs.Name != "Home NAS" || c.Theirs.Size != int64(len("by another program")) || !lately(c.Theirs.When) || c.Theirs.Open != "/view/"+id {
		t.Errorf("theirs: %+v", c.Theirs)
	}
	if c.Mine.Who != "you" || !strings.Contains(c.Mine.File, "conflict anna") || c.Mine.Size != 4 || !lately(c.Mine.When) || c.Mine.Kept || c.Goes {
		t.Errorf("mine: %+v", c.Mine)
	}
	if got := anna.get(c.Mine.Open); got.status != http.StatusOK || !strings.Contains(got.body, "conflict anna") {
		t.Errorf("mine cannot be looked at: %d", got.status)
	}
	if got := ben.state(id).Conflict; got == nil || got.Mine.Open != "" || got.Mine.Who != "here" {
		t.Errorf("told to Ben: %+v", got)
	}
	w.close()
	if got := anna.state(id); got.Conflict != nil {
		t.Errorf("after it is closed: %+v", got.Conflict)
	}

	// ONLYOFFICE's saves go on into the copy, which is told to everybody who may see it.
	h.up.Write(t, "b.docx", "hello")
	id = anna.get("/").id(t, "b.docx")
	w = h.writes(id, "anna", wopi.OnlyOffice)
	h.up.Write(t, "b.docx", "theirs")
	if err := w.save("mine"); err == nil {
		t.Fatal("no conflict")
	}
	for who, b := range map[string]*browser{"anna": anna, "ben": ben} {
		if c := b.state(id).Conflict; c == nil || !c.Goes || c.Mine.Open == "" || c.Mine.Size != 4 {
			t.Errorf("%s: %+v", who, c)
		}
	}
}

// TestBeside leads to the page of a copy that an editor has made.
func TestBeside(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "team/a.docx", "hello")
	h.up.Write(t, "team/a (2).docx", "hello")
	h.up.Write(t, "secret.docx", "hello")
	b := h.person("anna")
	team := b.get("/folder/" + b.get("/").id(t, "team"))
	id, copied := team.id(t, "a.docx"), team.id(t, "a (2).docx")
	if got := b.get("/edit/" + id + "/beside?name=" + url.QueryEscape("a (2).docx")); !strings.Contains(got.body, `"/edit/`+copied+`"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, want := range map[string]int{"none.docx": 404, "../secret.docx": 400, "": 400, "..": 400, "a/b": 400} {
		if got := b.get("/edit/" + id + "/beside?name=" + url.QueryEscape(name)); got.status != want {
			t.Errorf("%q: %d, want %d", name, got.status, want)
		}
	}
}
