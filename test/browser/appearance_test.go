package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A look is how a person has set up the screen.
type look struct {
	name          string
	width, height int
	extra         []string
}

var (
	dark  = []string{"--force-dark-mode", "--blink-settings=preferredColorScheme=0"}
	looks = []look{
		{"desktop-light", 1200, 800, nil}, {"desktop-dark", 1200, 800, dark},
		{"phone-light", 360, 740, nil}, {"phone-dark", 360, 740, dark},
	}
)

// faults returns what would make a person wince: a page that is wider than the
// window, text that is hard to tell from its ground (WCAG 2.2, 1.4.3), controls
// too small for a finger (2.5.8) or without a name.
const faults = `
const found = [];
if (document.documentElement.scrollWidth > innerWidth) found.push('wider than the window by ' + (document.documentElement.scrollWidth - innerWidth));
const rgb = (s) => (s.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
const shown = (e) => { const r = e.getBoundingClientRect(); return r.width > 2 && r.height > 2 && e.checkVisibility({visibilityProperty: true}); };
for (const e of document.querySelectorAll('body *')) {
  if (!shown(e) || e.closest('svg, .skip, .hear, thead')) continue;
  if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.value) {
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e).slice(0, 3));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5 && !e.disabled) found.push('contrast ' + ratio.toFixed(2) + ' of ' + (e.textContent || e.value).trim().slice(0, 30));
  }
  if (!e.matches('a[href], button, input, select, textarea')) continue;
  const r = e.getBoundingClientRect();
  if (r.height < 24 && getComputedStyle(e).display !== 'inline') found.push('only ' + r.height + ' high: ' + e.outerHTML.slice(0, 80));
  if (!e.textContent.trim() && !e.getAttribute('aria-label') && !e.title && !(e.labels && e.labels.length)) found.push('without a name: ' + e.outerHTML.slice(0, 80));
}
return [...new Set(found)]`

// An eye takes pictures and looks for faults.
type eye struct {
	w     *Window
	shots shots
	look  look
}

func (e eye) sees(words, name string) {
	e.w.t.Helper()
	e.w.Sees(words)
	var found []string
	e.w.Run(faults, &found)
	for _, f := range found {
		e.w.t.Errorf("%s, %s: %s", name, e.look.name, f)
	}
	e.shots.take(e.w, "look-"+name+"-"+e.look.name)
}

const longName = "Protokoll der Sitzung des Vorstands vom 12. November 2026 mit allen Anlagen, Beschlüssen und dem Bericht der Kassenprüfer (endgültige Fassung, korrigiert).txt"

func TestEveryPageOnEveryScreen(t *testing.T) {
	driver := Start(t)
	shots := newShots(t)
	d := daemon.StartEmpty(t, "")
	for i := range 200 {
		d.Write(fmt.Sprintf("Many/Scan of the letter %d.%s", i+1, []string{"txt", "docx", "pdf", "jpg", "ods", "zip"}[i%6]), strings.Repeat("x", i*i*97%70000))
	}
	d.Write("Empty/.hidden", "")
	d.Write("Long/"+longName, "short")
	d.Write("Long/"+strings.Repeat("Wort", 50)+".txt", "short")
	d.Write("Long/"+longName[:40]+"/x.txt", "short")
	d.Write("Novel.txt", strings.Repeat("It was a dark and stormy night; the rain fell in torrents, except at occasional intervals, when it was checked by a violent gust of wind.\n\n", 300))
	d.Write("Sheet.xlsx", "x")
	for _, l := range looks {
		w := driver.Open(t, l.width, l.height, l.extra...)
		e := eye{w, shots, l}
		w.Go(d.URL + "/signin")
		e.sees("Sign in", "signin-link")
		w.call("POST", "/goog/cdp/execute", map[string]any{"cmd": "Emulation.setScriptExecutionDisabled", "params": map[string]bool{"value": true}}, nil)
		w.Go(d.URL + "/link/x")
		e.sees("Welcome", "link")
		w.Click(".primary")
		e.sees("no longer works", "link-used")
		w.call("POST", "/goog/cdp/execute", map[string]any{"cmd": "Emulation.setScriptExecutionDisabled", "params": map[string]bool{"value": false}}, nil)
		w.Go(d.Invite("Anna-Katharina Müller-Lüdenscheidt"))
		e.sees("Novel.txt", "files")
		walk(t, d, e)
	}
}

// walk looks at what somebody sees who is signed in.
func walk(t *testing.T, d *daemon.Daemon, e eye) {
	w := e.w
	click := func(name string) {
		w.Go(d.URL + "/")
		w.Sees("Novel.txt")
		follow(w, name)
	}
	click("Many")
	e.sees("Scan of the letter 1.txt", "many")
	w.Run(`scrollTo(0, document.body.scrollHeight)`, nil)
	e.sees("Scan of the letter 200", "many-end")
	click("Empty")
	e.sees("This folder", "empty")
	click("Long")
	e.sees("Protokoll", "long")
	w.Run(`document.querySelectorAll('.name a')[1].focus()`, nil)
	e.sees("Protokoll", "long-focus")
	w.Run(`document.querySelectorAll('.name a')[1].click()`, nil)
	w.Frame("iframe[name=editor]")
	e.sees("All changes saved", "editor-long-name")
	w.Click("#close")
	w.Frame("")
	w.Sees("Protokoll")
	click("Sheet.xlsx")
	e.sees("Tell davwopi where the editor is", "no-editor")
	w.Go(d.URL + "/edit/" + strings.Repeat("q", 26))
	e.sees("not here any more", "gone")
	w.Go(d.URL + "/nothing")
	e.sees("There is no page here", "unknown")

	was := d.Read("Novel.txt")
	click("Novel.txt")
	w.Frame("iframe[name=editor]")
	e.sees("All changes saved", "editor")
	w.Type("#text", control+end+release+"mine\n")
	d.Write("Novel.txt", "theirs\n")
	w.Type("#text", control+"s"+release)
	e.sees("This file was changed meanwhile", "conflict")
	w.Click("#ask-choices button:first-child")
	w.Sees("Saved at")
	w.Click("#close")
	w.Frame("")
	w.Sees("Sign out")
	d.Write("Novel.txt", was)
}

func TestSigningInByPasswordAndOutagesOnEveryScreen(t *testing.T) {
	driver := Start(t)
	shots := newShots(t)
	up := upstream.Strict(t)
	up.Write(t, "a.txt", "hello")
	up.Write(t, "Letter.odt", "x")
	editor := office.NewEditor(t, wopi.Collabora, false, "odt")
	editor.Down(true)
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, display_name: Home NAS, user: %q, password: %q}\neditors: [%q]\n", up.URL, up.User, up.Password, editor.URL))
	for _, l := range looks {
		w := driver.Open(t, l.width, l.height, l.extra...)
		e := eye{w, shots, l}
		w.Go(d.URL + "/")
		e.sees("Use your user name", "signin-password")
		w.Type("#user", up.User)
		w.Type("#password", "wrong")
		w.Click(".primary")
		e.sees("were not accepted", "signin-refused")
		w.Type("#password", up.Password)
		w.Click(".primary")
		w.Sees("a.txt")
		follow(w, "Letter.odt")
		e.sees("does not answer", "editor-down")
		up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
		w.Go(d.URL + "/")
		e.sees("does not answer", "outage")
		up.Quirks.Reset()
		w.Click(".person button")
		e.sees("You are signed out", "signed-out")
	}
}
