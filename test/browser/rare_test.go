package browser

import (
	"fmt"
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// TestRarePagesOnEveryScreen: those that no other tour comes by.
func TestRarePagesOnEveryScreen(t *testing.T) {
	first, second := upstream.Strict(t), upstream.Strict(t)
	first.Write(t, "Probe.wopitestx", "x")
	second.Write(t, "Foto.jpg", "x")
	editor := office.NewEditor(t, wopi.Microsoft, false, "docx")
	d := daemon.Start(t, fmt.Sprintf(`
sign_in: {kind: link}
admins: [jo]
editors: [%q]
upstreams:
  - {name: one, display_name: Home NAS, url: %q, user: %q, password: %q}
  - {name: two, display_name: The club’s server with a rather long name, url: %q, user: %q, password: %q}
`, editor.URL, first.URL, first.User, first.Password, second.URL, second.User, second.Password))
	onEveryScreen(t, func(e eye) {
		w := e.w
		w.Go(d.Invite("Großmutter Müller"))
		e.sees("The club’s server", "roots")
		w.call("DELETE", "/cookie", nil, nil) // she stays signed in, elsewhere
		w.Go(d.Invite("jo"))
		w.Sees("Home NAS")
		w.Run(`[...document.querySelectorAll('.roots a')].find((a) => a.textContent.includes('Home NAS')).click()`, nil)
		w.Sees("Probe.wopitestx")
		follow(w, "Probe.wopitestx")
		e.sees("What is in the file now will be lost.", "validator")
		w.Go(d.URL + "/closed")
		e.sees("You can close this tab.", "closed")
		w.Go(d.URL + "/server")
		e.sees("Who is signed in", "server")
		w.Click(`a[href*="/server/sessions/"]`)
		e.sees("End the session of Großmutter Müller?", "end-session")
	})
}

// TestTwiceAsLarge: at 200 % (WCAG 2.2, 1.4.4) a screen of 1200 × 800 is one of 600 × 400.
func TestTwiceAsLarge(t *testing.T) {
	d := daemon.StartEmpty(t, "admins: [jo]\n")
	d.Write("Verein/"+longName, "short")
	d.Write("Plan.txt", "one\n")
	e := eye{Start(t).Open(t, 600, 400, still), newShots(t), look{name: "zoomed"}}
	w := e.w
	w.Go(d.Invite("jo"))
	e.sees("Plan.txt", "files")
	var plan string
	w.Run(`return [...document.querySelectorAll('.name a')].find((a) => a.textContent === 'Plan.txt').getAttribute('href').split('/').pop()`, &plan)
	for path, words := range map[string]string{
		"/document/" + plan: "It stays the same", "/share/" + plan: "Who can open it", "/open": "Open now", "/saves": "Saves", "/links": "There are none", "/server": "Who is signed in", "/doctor": "Check-up",
	} {
		w.Go(d.URL + path)
		e.sees(words, path[1:3])
	}
	w.Go(d.URL + "/")
	w.Sees("Verein")
	follow(w, "Verein")
	e.sees("Protokoll", "files-long")
	open(w, longName)
	e.sees("All changes saved", "editor")
	w.Type("#text", "more")
	w.Click("#close")
	e.sees("Save before closing?", "close")
	w.Frame("")
	e.sees("Protokoll", "host")
}

// A browser that keeps no cookies is told so, and a link that works once is not used up there.
func TestNoCookies(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("a.txt", "a")
	w := driver.Open(t, 800, 600)
	w.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": map[string]any{
		"source": `Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set: () => {} })`,
	}}, nil)
	w.Go(d.Link)
	w.Sees("This browser keeps no cookies for this address")
	w.Go(d.URL + "/signin")
	w.Sees("This browser keeps no cookies for this address")
	clean(t, w)
	other := driver.Open(t, 800, 600)
	other.Go(d.Link)
	other.shows("a.txt")
}
