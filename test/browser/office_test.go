package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
)

// officePage is an office's page of another origin: it shows what the host page
// tells it, and says what the buttons say.
const officePage = `<!doctype html><title>Office</title><p id="form">%s</p><p id="heard"></p>
<button id="rename">rename</button><button id="modified">modified</button><button id="unknown">unknown</button><button id="close">close</button>
<script>
const say = (id, values) => parent.postMessage(JSON.stringify({MessageId: id, SendTime: Date.now(), Values: values}), '*');
addEventListener('message', (e) => { document.getElementById('heard').textContent += e.origin + ' ' + JSON.parse(e.data).MessageId + '; '; });
document.getElementById('rename').onclick = () => say('File_Rename', {NewName: 'Renamed'});
document.getElementById('modified').onclick = () => say('Doc_ModifiedStatus', {Modified: true});
document.getElementById('unknown').onclick = () => { say('constructor', {}); say('__proto__', {}); say('UI_Unheard', 3); parent.postMessage('no JSON', '*'); parent.postMessage(null, '*'); };
document.getElementById('close').onclick = () => say('UI_Close', {});
say('App_LoadingStatus', {Status: 'Frame_Ready'});
</script>`

func newOffice(t *testing.T) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/hosting/discovery":
			w.Header().Set("Content-Type", "text/xml")
			_, _ = w.Write(office.Discovery(wopi.Collabora, server.URL, office.Keys{}, "docx")) // a client that left is a failed test anyway
		case r.Method == http.MethodPost:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, officePage, fmt.Sprintf("token %v, ttl %v, in the address %v", strings.HasPrefix(r.PostFormValue("access_token"), "wbw_"),
				r.PostFormValue("access_token_ttl") != "", strings.Contains(r.URL.RawQuery, "wbw_")))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestTheHostPageAndAnOfficeOfAnotherOrigin(t *testing.T) {
	driver := Start(t)
	officeServer := newOffice(t)
	d := daemon.StartEmpty(t, "editors:\n  - "+officeServer.URL+"\n")
	d.Write("Brief.docx", "not really")
	w := driver.Open(t, 1200, 800)
	// What the page hears is asked here. The server knows of no renaming, and would give the
	// page the old name back a moment later: it is not asked.
	w.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": map[string]string{
		"source": `if (location.pathname.startsWith('/edit/')) self.fetch = () => new Promise(() => {})`,
	}}, nil)
	w.Go(d.Link)
	w.Sees("Brief.docx")
	open(w, "Brief.docx")
	w.Sees("token true, ttl true, in the address false")
	w.Sees(d.URL + " Host_PostmessageReady")
	w.Frame("")
	var tokens int
	w.Run(`return document.documentElement.outerHTML.split('wbw_').length - 1`, &tokens)
	if tokens != 0 {
		t.Error("the access token stays in the host page")
	}

	w.Frame("iframe[name=editor]")
	w.Click("#unknown")
	w.Click("#rename")
	w.Frame("")
	w.Title("Renamed.docx")
	w.Frame("iframe[name=editor]")
	w.Click("#modified")
	w.Frame("")
	w.Title("• Renamed.docx")

	// The same words from elsewhere in the page are not heard.
	w.Run(`window.postMessage(JSON.stringify({MessageId: 'File_Rename', Values: {NewName: 'Forged'}}), '*')`, nil)
	w.Frame("iframe[name=editor]")
	w.Click("#close")
	w.Frame("")
	w.Sees("Sign out")
	w.Sees("Brief.docx")
	for _, line := range w.Console() {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "Uncaught") {
			t.Errorf("the browser complains: %s", line)
		}
	}
}

func TestAnEditorThatIsDownComesBackByItself(t *testing.T) {
	driver := Start(t)
	shots := newShots(t)
	officeServer := newOffice(t)
	var down atomic.Bool
	down.Store(true)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		officeServer.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(gate.Close)
	d := daemon.StartEmpty(t, "editors:\n  - url: "+gate.URL+"\n    name: Our office\n")
	d.Write("Brief.docx", "not really")
	w := driver.Open(t, 1200, 800)
	// The page must not look before the editor is back: the daemon would then not ask
	// again for half a minute. Hidden pages do not.
	w.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": map[string]string{
		"source": `Object.defineProperty(Document.prototype, 'hidden', { get: () => !self.awake })`,
	}}, nil)
	w.Go(d.Link)
	w.Sees("Brief.docx")
	follow(w, "Brief.docx")
	w.Sees("Our office does not answer")
	w.Sees("This page looks again every 15 seconds and opens the document by itself.") // which the script shows
	shots.take(w, "15-editor-down")
	down.Store(false)
	w.Run(`self.awake = true; dispatchEvent(new Event('online'))`, nil) // as if the 15 seconds were over
	w.Frame("iframe[name=editor]")
	w.Sees("token true")

	// What it can do is known by now, but its pages are gone. The host page waits 12
	// seconds before it says so.
	w.Frame("")
	officeServer.Close()
	w.call("POST", "/refresh", nil, nil)
	w.Sees("Our office has not answered yet.")
	shots.take(w, "16-editor-gone")
}
