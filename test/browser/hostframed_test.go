package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// newPortal is an integrator's page, which shows in a frame what its address asks for and
// writes down what the frame tells it.
func newPortal(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>Portal</title><p id="heard"></p><iframe id="davwopi" width="900" height="500" src=%q></iframe>
<script>addEventListener('message', (e) => { document.getElementById('heard').textContent += e.origin + ' ' + JSON.parse(e.data).MessageId + '; '; });</script>`, r.URL.Query().Get("show"))
	}))
	t.Cleanup(s.Close)
	return s
}

// TestFraming: a document's page is framed by those that frame_ancestors names, and by
// nobody else; what asks something of a person is framed by nobody.
func TestFraming(t *testing.T) {
	driver := Start(t)
	friend, stranger := newPortal(t), newPortal(t)
	d := daemon.StartEmpty(t, "frame_ancestors: ["+friend.URL+"]\n")
	d.Write("Notizen.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link) // this browser is signed in, which a click from elsewhere could use
	w.Sees("Notizen.txt")
	var page string // not opened here: its lock might be released only after the next page wants it
	w.Run(`return [...document.querySelectorAll('.name a')].find((a) => a.textContent === 'Notizen.txt').href`, &page)
	show := func(portal *httptest.Server, address string) {
		t.Helper()
		w.Go(portal.URL + "/?show=" + address)
		w.Frame("#davwopi")
	}
	refused := func(what string) {
		t.Helper()
		w.Until(what+" is refused", func() bool {
			var at string
			return w.try(http.MethodPost, "/execute/sync", map[string]any{"script": "return location.href", "args": []any{}}, &at) == nil && strings.HasPrefix(at, "chrome-error:")
		})
	}

	show(friend, d.Open("-user", "Anna", "/Notizen.txt").HostURL)
	w.find("#state[data-state=saved]")
	w.Frame("iframe[name=editor]")
	w.Type("#text", control+end+release+"two\n")
	w.call(http.MethodPost, "/frame/parent", nil, nil)
	w.find("#state[data-state=unsaved]")
	newShots(t).take(w, "55-host-framed")
	w.Click("#save")
	w.find("#state[data-state=saved]") // before, it would ask whether to save
	onDisk(w, d, "Notizen.txt", "one\ntwo\n")
	w.Click("#back")
	w.Sees("The document is closed")
	w.Frame("")
	for _, m := range []string{"App_LoadingStatus", "Doc_ModifiedStatus", "UI_Close"} {
		w.Sees(d.URL + " " + m + ";")
	}

	show(friend, page)
	w.find("#state")
	for what, address := range map[string]string{"the list": d.URL + "/", "the sign-in page": d.URL + "/signin", "the page of links": d.URL + "/links"} {
		show(friend, address)
		refused(what)
	}
	show(stranger, page)
	refused("the document")
	show(stranger, d.Open("-user", "Anna", "/Notizen.txt").HostURL)
	refused("the ticket's page")
}
