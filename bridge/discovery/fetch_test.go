package discovery_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

func at(c *clock, urls ...string) *discovery.Editors {
	e := &discovery.Editors{Now: c.now}
	for _, u := range urls {
		e.List = append(e.List, discovery.Editor{URL: u})
	}
	return e
}

func TestDocumentIsFetchedOnceAndKept(t *testing.T) {
	ed, c := office.NewEditor(t, wopi.Collabora, false, "odt"), newClock()
	e := at(c, ed.URL)
	if ed.Asked() != 0 {
		t.Fatal("asked before anybody wanted anything")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c.move(11 * time.Hour)
	if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
		t.Fatal(err)
	}
	if ed.Asked() != 1 {
		t.Errorf("asked %d times", ed.Asked())
	}
	if e.OfficeOf(ed.URL) != wopi.Collabora {
		t.Errorf("office %s", e.OfficeOf(ed.URL))
	}
}

func TestStaleDocumentServesWhileItIsRevalidated(t *testing.T) {
	ed, c := office.NewEditor(t, wopi.Collabora, false, "odt"), newClock()
	e := at(c, ed.URL)
	e.Warm(t.Context())
	c.move(12 * time.Hour)
	ed.Down(true)
	if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second fetch", func() bool { return ed.Asked() == 2 && e.Status()[0].Err != nil })
	if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
		t.Errorf("the last good document is lost: %v", err)
	}
	c.move(time.Minute)
	ed.Down(false)
	e.Can("odt")
	eventually(t, "a third fetch", func() bool { return e.Status()[0].Err == nil })
	if got := e.Status()[0].Fetched; !got.Equal(c.now()) {
		t.Errorf("fetched %s", got)
	}
}

func TestEditorThatIsDownComesBackByItself(t *testing.T) {
	ed, c := office.NewEditor(t, wopi.Collabora, false, "odt"), newClock()
	ed.Down(true)
	e := at(c, ed.URL)
	for range 5 {
		if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); !errors.Is(err, discovery.ErrDown) {
			t.Fatalf("%v; want ErrDown", err)
		}
	}
	if ed.Asked() != 1 {
		t.Errorf("asked %d times at once", ed.Asked())
	}
	if s := e.Status()[0]; s.Err == nil || s.Office != wopi.AnyOffice || !s.Fetched.IsZero() {
		t.Errorf("status %+v", s)
	}
	ed.Down(false)
	c.move(time.Minute)
	if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
		t.Error(err)
	}
}

func TestEditorThatIsDownDoesNotStopTheOthers(t *testing.T) {
	down, up := office.NewEditor(t, wopi.Collabora, false, "odt"), office.NewEditor(t, wopi.OnlyOffice, false, "odt")
	down.Down(true)
	e := at(newClock(), down.URL, up.URL)
	a, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, "")
	if err != nil || a.Editor.URL != up.URL {
		t.Errorf("%+v, %v", a.Editor, err)
	}
	if _, err := e.Action(t.Context(), "xyz", discovery.ModeEdit, 1, ""); !errors.Is(err, discovery.ErrDown) {
		t.Errorf("%v; want ErrDown: the one that is down might", err)
	}
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	e := at(newClock(), server.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Action(ctx, "odt", discovery.ModeEdit, 1, ""); !errors.Is(err, discovery.ErrDown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if view, edit := e.Can("odt"); view || edit {
		t.Error("an editor that has not answered can nothing")
	}
}

func TestWhereTheDocumentLies(t *testing.T) {
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		_, _ = w.Write([]byte(doc(editsOdt)))
	}))
	defer server.Close()
	for _, tt := range []struct{ configured, want string }{
		{"", "/hosting/discovery"},
		{"/", "/hosting/discovery"},
		{"/office", "/office/hosting/discovery"},
		{"/hosting/discovery", "/hosting/discovery"},
		{"/files/kept.xml", "/files/kept.xml"},
	} {
		paths = nil
		at(newClock(), server.URL+tt.configured).Warm(t.Context())
		if !slices.Equal(paths, []string{tt.want}) {
			t.Errorf("%q: asked %v", tt.configured, paths)
		}
	}
}

func TestBadAnswersOfAnEditor(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		says   string
	}{
		{"404, as ONLYOFFICE answers before it is enabled", 404, "", "wopi.enable"},
		{"500", 500, "", "answered 500"},
		{"a page instead of a document", 200, "<html><body>sign in</body></html>", "not <wopi-discovery>"},
		{"nothing", 200, "", "empty"},
		{"text", 200, "hello", "empty"},
		{"cut in the middle", 200, doc(editsOdt)[:150], "unexpected EOF"},
		{"too long", 200, doc("<!--" + strings.Repeat(" ", 4<<20) + "-->"), "4 MiB"},
		{"a DOCTYPE", 200, `<!DOCTYPE x [<!ENTITY a "b">]>` + doc(editsOdt), "DOCTYPE"},
		{"an entity that is not XML's", 200, doc(`<app name="&a;"/>`), "invalid character entity"},
		{"too deep", 200, "<wopi-discovery>" + strings.Repeat("<a>", 1000), "too many elements"},
		{"too many elements", 200, "<wopi-discovery>" + strings.Repeat("<a/>", 20001) + "</wopi-discovery>", "too many elements"},
		{"an endless attribute", 200, doc(`<app name="` + strings.Repeat("a", 9000) + `"/>`), "attribute name has 9000 bytes"},
		{"a proof key that is none", 200, `<wopi-discovery><proof-key modulus="AQID" exponent="AQAB"/></wopi-discovery>`, "bad key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			_, err := at(newClock(), server.URL).Action(t.Context(), "odt", discovery.ModeEdit, 1, "")
			if !errors.Is(err, discovery.ErrDown) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v; want %q", err, tt.says)
			}
		})
	}
}

func TestEditorThatCannotBeReached(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := at(newClock(), server.URL).Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); !errors.Is(err, discovery.ErrDown) {
		t.Errorf("%v; want ErrDown", err)
	}
	if _, err := at(newClock(), "::").Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); !errors.Is(err, discovery.ErrDown) {
		t.Errorf("%v; want ErrDown", err)
	}
}

func TestOfficeOfEachDocument(t *testing.T) {
	for _, o := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		ed := office.NewEditor(t, o, false, "odt", "docx")
		e := at(newClock(), ed.URL)
		if got := e.OfficeOf(ed.URL); got != wopi.AnyOffice {
			t.Errorf("%s before it was asked", got)
		}
		e.Warm(t.Context())
		if got := e.OfficeOf(ed.URL); got != o {
			t.Errorf("%s is taken for %s", o, got)
		}
		if name := e.Status()[0].Editor.Name; !strings.HasSuffix(name, "("+strings.TrimPrefix(ed.URL, "http://")+")") {
			t.Errorf("name %q", name)
		}
	}
	e := &discovery.Editors{}
	if e.OfficeOf(discovery.TextEditor) != wopi.TextEditor || e.OfficeOf("https://nobody.test") != wopi.AnyOffice {
		t.Error("the built-in editor is known without being asked, nobody is nothing")
	}
	viewer := of(doc(`<app name="application/pdf"><action name="view" ext="pdf" urlsrc="https://v.test/app/?"/></app><app name="Capabilities"><action name="getinfo" ext="" urlsrc="https://v.test/hosting/capabilities"/></app>`))
	viewer.Warm(t.Context())
	if got := viewer.OfficeOf(viewer.List[0].URL); got != wopi.Collabora {
		t.Errorf("apps named by MIME types with capabilities: %s", got)
	}
	unknown := of(doc(editsOdt))
	unknown.Warm(t.Context())
	if got := unknown.OfficeOf(unknown.List[0].URL); got != wopi.AnyOffice {
		t.Errorf("an office that we do not know: %s", got)
	}
}

func TestAFetchUnderWayIsShared(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-release
		_, _ = w.Write([]byte(doc(editsOdt)))
	}))
	defer server.Close()
	e := at(newClock(), server.URL)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := e.Action(t.Context(), "odt", discovery.ModeEdit, 1, ""); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { e.Refetch(t.Context(), server.URL) })
	}
	eventually(t, "a fetch", func() bool { return asked.Load() == 1 })
	close(release)
	wg.Wait()
	if n := asked.Load(); n > 2 { // the first, and one by Refetch if it came later
		t.Errorf("asked %d times", n)
	}
}
