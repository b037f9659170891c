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
	axe           bool // axe-core looks, too: once in light and wide, once in dark and narrow
}

var (
	still = "--force-prefers-reduced-motion" // no colour is on its way to another
	dark  = []string{still, "--force-dark-mode", "--blink-settings=preferredColorScheme=0"}
	looks = []look{
		{"desktop-light", 1200, 800, []string{still}, true}, {"desktop-dark", 1200, 800, dark, false},
		{"phone-light", 360, 740, []string{still}, false}, {"phone-dark", 320, 640, dark, true}, // WCAG 2.2, 1.4.10: down to 320
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

// onEveryScreen runs see with a browser of each look.
func onEveryScreen(t *testing.T, see func(e eye)) {
	driver := Start(t)
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			see(eye{driver.Open(t, l.width, l.height, l.extra...), newShots(t), l})
		})
	}
}

// sees waits for words on a page that is all there, and looks at it.
func (e eye) sees(words, name string) {
	e.w.t.Helper()
	e.w.Sees(words)
	e.w.Until("the whole page", func() bool {
		var state string
		return e.w.try(http.MethodPost, "/execute/sync", map[string]any{"script": `return document.readyState`, "args": []any{}}, &state) == nil && state == "complete"
	})
	var found []string
	e.w.Run(faults, &found)
	if e.look.axe {
		found = append(found, e.w.axe()...)
	}
	for _, f := range found {
		e.w.t.Errorf("%s: %s", name, f)
	}
	e.shots.keep(e.w, "look-"+name+"-"+e.look.name)
}

const (
	longName = "Protokoll der Sitzung des Vorstands vom 12. November 2026 mit allen Anlagen, Beschlüssen und dem Bericht der Kassenprüfer (endgültige Fassung, korrigiert).txt"
	novel    = "It was a dark and stormy night; the rain fell in torrents, except at occasional intervals, when it was checked by a violent gust of wind.\n\n"
)

func TestEveryPageOnEveryScreen(t *testing.T) {
	d := daemon.StartEmpty(t, "")
	for i := range 60 {
		d.Write(fmt.Sprintf("Many/Scan of the letter %d.%s", i+1, []string{"txt", "docx", "pdf", "jpg", "ods", "zip"}[i%6]), strings.Repeat("x", i*i*97%70000))
	}
	d.Write("Hidden/.hidden", "")
	d.Write("Long/"+longName, "short")
	d.Write("Long/"+strings.Repeat("Wort", 50)+".txt", "short")
	d.Write("Long/"+longName[:40]+"/x.txt", "short")
	d.Write("Open/Held.txt", novel)
	d.Write("Novel.txt", strings.Repeat(novel, 30))
	d.Write("Sheet.xlsx", "x")
	for _, l := range looks {
		d.Write("Drafts/"+l.name+".txt", novel)
	}
	held := d.Open("-user", "Großmutter Anna-Katharina Müller-Lüdenscheidt", "/Open/Held.txt")
	other := office.Client{WOPISrc: held.WOPISrc, AccessToken: held.AccessToken}
	if a, err := other.Lock(t.Context(), "hers"); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	comment := `{"Activities":[{"Type":"comment","Id":"1","Data":{"ContentId":"c","ContentAction":"created","CommentText":"` + novel[:60] + strings.Repeat("Wort", 40) + `"},
		"People":[{"Name":"Jo Lind","Id":"u","Mentioned":true}]}]}`
	if a, err := other.AddActivities(t.Context(), []byte(comment)); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	onEveryScreen(t, func(e eye) {
		comeIn(d, e)
		lists(d, e)
		explanations(d, e)
		editors(d, e)
	})
}

// comeIn signs in by a link.
func comeIn(d *daemon.Daemon, e eye) {
	w := e.w
	w.Go(d.URL + "/signin")
	e.sees("Sign in", "signin-link")
	w.Scripts(false)
	w.Go(d.URL + "/link/x")
	e.sees("Welcome", "link")
	w.Scripts(true)
	w.Go(d.URL + "/link/x") // with script, it is sent at once
	e.sees("no longer works", "link-used")
	w.Go(d.Invite("Anna-Katharina Müller-Lüdenscheidt"))
	e.sees("Novel.txt", "files")
}

// from follows a name in the first list.
func (e eye) from(d *daemon.Daemon, name string) {
	e.w.t.Helper()
	e.w.Go(d.URL + "/")
	e.w.Sees("Novel.txt")
	follow(e.w, name)
}

func lists(d *daemon.Daemon, e eye) {
	e.from(d, "Many")
	e.sees("Scan of the letter 60", "many")
	e.w.Run(`scrollTo(0, document.body.scrollHeight)`, nil)
	e.sees("Scan of the letter 60", "many-end")
	e.from(d, "Hidden")
	e.sees("Everything in this folder is hidden", "hidden")
	e.from(d, "Open")
	e.sees("Großmutter", "held")
	e.w.Click(".more a[title=Comments]")
	e.sees("dark and stormy", "comments")
	e.from(d, "Long")
	e.sees("Protokoll", "long")
	e.w.Run(`document.querySelectorAll('.name a')[1].focus()`, nil)
	e.sees("Protokoll", "long-focus")
}

func explanations(d *daemon.Daemon, e eye) {
	e.from(d, "Sheet.xlsx")
	e.sees("Tell davwopi where the editor is", "no-editor")
	e.w.Run(`scrollTo(0, document.body.scrollHeight)`, nil)
	e.sees("Let the editor in", "no-editor-end")
	e.w.Go(d.URL + "/edit/" + strings.Repeat("q", 26))
	e.sees("not here any more", "gone")
	e.w.Go(d.URL + "/nothing")
	e.sees("There is no page here", "unknown")
}

func editors(d *daemon.Daemon, e eye) {
	w := e.w
	e.from(d, "Long")
	w.Sees("Protokoll")
	open(w, longName)
	e.sees("All changes saved", "editor-long-name")
	w.Click("#close")
	w.Frame("")
	w.Sees("Sign out") // the host page has the name, too
	e.from(d, "Open")
	w.Sees("Großmutter")
	open(w, "Held.txt")
	e.sees("is editing this file", "editor-read-only")
	w.Frame("")
	e.from(d, "Novel.txt")
	w.Frame("iframe[name=editor]")
	e.sees("All changes saved", "editor")
	w.Click("#close")
	w.Frame("")
	w.Sees("Sign out")

	// A conflict leaves a copy behind: each look has a file of its own.
	draft := e.look.name + ".txt"
	e.from(d, "Drafts")
	w.Sees(draft)
	open(w, draft)
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"mine\n")
	d.Write("Drafts/"+draft, "theirs\n")
	w.Type("#text", control+"s"+release)
	e.sees("This file was changed meanwhile", "conflict")
}

func TestSigningInByPasswordAndOutagesOnEveryScreen(t *testing.T) {
	up := upstream.Strict(t)
	up.Write(t, "a.txt", "hello")
	up.Write(t, "Letter.odt", "x")
	editor := office.NewEditor(t, wopi.Collabora, false, "odt")
	editor.Down(true)
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, display_name: Home NAS, user: %q, password: %q}\neditors: [%q]\n", up.URL, up.User, up.Password, editor.URL))
	onEveryScreen(t, func(e eye) {
		w := e.w
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
		e.sees("looks again every 15 seconds", "editor-down")
		up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
		w.Go(d.URL + "/")
		e.sees("looks again every 15 seconds", "outage")
		up.Quirks.Reset()
		w.Click(".person button")
		e.sees("You are signed out", "signed-out")
	})
}
