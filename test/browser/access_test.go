package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/idp"
)

// axe is the program of axe-core, or why it is not here.
var axe = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	dir, err := idp.Packages(filepath.Join(filepath.Dir(file), "axe"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	return string(text), err
})

// axeRun runs all rules of axe-core; those for whole pages are not for the frame of one.
const axeRun = `
const done = arguments[arguments.length - 1];
if (!window.axe) { done(['axe-core is not on the page']); return; }
axe.run(document, {resultTypes: ['violations'], iframes: false}).then(
  (r) => done(r.violations.filter((v) => self === top || !/^(page-has-heading-one|region|landmark-one-main)$/.test(v.id))
    .map((v) => 'axe ' + v.id + ' (' + v.help + '): ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + (n.any[0] || n.all[0] || n.none[0] || {}).message).join(' | '))),
  (e) => done(['axe-core failed: ' + e]));
`

// axe is what axe-core finds wrong on the page, or in the frame in which the window is.
// Without script it cannot run: it waits for timers.
func (w *Window) axe() []string {
	w.t.Helper()
	if w.silent {
		return nil
	}
	source, err := axe()
	if err != nil {
		w.t.Logf("without axe-core: %v", err)
		return nil
	}
	var there bool
	if w.Run(`return !!window.axe`, &there); !there {
		w.Run(source+"\nreturn true", nil)
	}
	var found []string
	w.call(http.MethodPost, "/execute/async", map[string]any{"script": axeRun, "args": []any{}}, &found)
	return found
}

// wears shows pages in light or dark colours, none of which is on its way to another; ""
// as the browser does by itself.
func (w *Window) wears(scheme string) {
	w.t.Helper()
	features := []map[string]string{}
	if scheme != "" {
		features = append(features, map[string]string{"name": "prefers-color-scheme", "value": scheme}, map[string]string{"name": "prefers-reduced-motion", "value": "reduce"})
	}
	w.call(http.MethodPost, "/goog/cdp/execute", map[string]any{"cmd": "Emulation.setEmulatedMedia", "params": map[string]any{"features": features}}, nil)
}

// TestAxeFindsFaults: the checks that every page goes through see something.
func TestAxeFindsFaults(t *testing.T) {
	if _, err := axe(); err != nil {
		t.Skipf("needs the packages of test/browser/axe: %v", err)
	}
	d := daemon.StartEmpty(t, "")
	w := Start(t).Open(t, 1200, 800, still)
	w.Go(d.URL + "/signin")
	w.Sees("Sign in")
	if found := w.axe(); len(found) > 0 {
		t.Errorf("a page that is in order: %v", found)
	}
	w.Run(`document.documentElement.removeAttribute('lang'); document.querySelector('main').innerHTML += '<img src="/x"><input><p style="color:#999">pale</p>'`, nil)
	found := strings.Join(w.axe(), "\n")
	for _, want := range []string{"html-has-lang", "image-alt", "axe label"} {
		if !strings.Contains(found, want) {
			t.Errorf("axe-core does not find %s in:\n%s", want, found)
		}
	}
}

// focused describes what has the focus, and whether a person sees that it has.
const focused = `
const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
return {
  What: e.tagName.toLowerCase() + ' ' + (e.getAttribute('aria-label') || e.textContent || e.name || '').trim().replace(/\s+/g, ' ').slice(0, 40),
  Seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && r.bottom > 0 && r.top < innerHeight && r.width > 0,
}`

type focus struct {
	What string
	Seen bool
}

// tab presses Tab and returns what has the focus then.
func (w *Window) tab(t *testing.T) focus {
	t.Helper()
	w.press(t, "\uE004")
	var f focus
	w.Run(focused, &f)
	return f
}

// press presses a key, wherever the focus is.
func (w *Window) press(t *testing.T, key string) {
	t.Helper()
	w.call(http.MethodPost, "/actions", map[string]any{"actions": []any{map[string]any{
		"type": "key", "id": "keyboard", "actions": []any{map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key}},
	}}}, nil)
}

// TestWithoutAMouse: signing in, opening a document and the other pages go by keyboard, and
// the focus is seen everywhere.
func TestWithoutAMouse(t *testing.T) {
	d := daemon.StartEmpty(t, "admins: [jo]\n")
	d.Write("Plan.txt", "one\n")
	w := Start(t).Open(t, 1200, 800, still)
	w.Go(d.Invite("jo"))
	w.Sees("Plan.txt")
	var path []string
	for range 40 {
		f := w.tab(t)
		if strings.HasPrefix(f.What, "body") {
			break // once around
		}
		if !f.Seen {
			t.Errorf("nobody sees that %q has the focus", f.What)
		}
		path = append(path, f.What)
	}
	if len(path) == 0 || path[0] != "a Skip to the content" {
		t.Fatalf("the first way is not past the head of the page: %q", path)
	}
	for _, want := range []string{"a davwopi", "button Sign out", "a Open now", "a Server", "button Deutsch"} {
		if !slices.ContainsFunc(path, func(what string) bool { return strings.HasPrefix(what, want) }) {
			t.Errorf("Tab does not lead to %q: %q", want, path)
		}
	}
	to := func(name string) {
		t.Helper()
		w.Run(`document.activeElement.blur(); scrollTo(0, 0)`, nil)
		for range 40 {
			if strings.HasPrefix(w.tab(t).What, name) {
				w.press(t, "\uE007")
				return
			}
		}
		t.Fatalf("Tab does not lead to %q", name)
	}
	to("a Open now")
	w.Sees("No document that you can see is open")
	to("a Server")
	w.Sees("Who is signed in")
	to("button Deutsch")
	w.Sees("Wer angemeldet ist")
	to("button English")
	w.Sees("Who is signed in")
	to("button Sign out")
	w.Sees("You are signed out")
}

// TestNothingMoves: whoever wants no motion gets none.
func TestNothingMoves(t *testing.T) {
	d := daemon.StartEmpty(t, "")
	d.Write("Plan.txt", "one\n")
	w := Start(t).Open(t, 1200, 800, still)
	w.Go(d.Link)
	w.Sees("Plan.txt")
	var moving []string
	w.Run(`return [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e); return parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none' || s.scrollBehavior === 'smooth'; }).map((e) => e.outerHTML.slice(0, 60))`, &moving)
	if len(moving) > 0 {
		t.Errorf("these move: %q", moving)
	}
}

// maxPage bounds what a page takes with all that it loads, in bytes on the wire.
const maxPage = 50 << 10

// measured tells what the page has taken: bytes with all parts, and when its first and last
// parts were seen, in ms. The frame of a host page is counted by itself (bytes).
type measured struct {
	Bytes, First, Done float64
	Parts              []string
}

const measure = `
const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter((e) => e.initiatorType !== 'iframe' && e.initiatorType !== 'fetch');
const paint = performance.getEntriesByName('first-contentful-paint')[0];
return {Bytes: all.reduce((n, e) => n + e.encodedBodySize, 0), First: paint ? paint.startTime : 0, Done: all[0].domComplete,
	Parts: all.map((e) => new URL(e.name).pathname + ' ' + e.encodedBodySize)}`

// TestPagesAreSmallAndFast bounds the bytes of pages with their parts; times are only told,
// the best of three.
func TestPagesAreSmallAndFast(t *testing.T) {
	d := daemon.StartEmpty(t, "admins: [jo]\nprivacy_url: https://example.org/privacy\n")
	for i := range 12 {
		d.Write(fmt.Sprintf("Scan of the letter %d.txt", i), "x")
	}
	d.Write("Verein/Satzung.docx", "x")
	w := Start(t).Open(t, 1200, 800, still)
	weigh := func(path, name string) {
		t.Helper()
		var m measured
		for range 3 {
			w.Go(d.URL + path)
			var now measured
			w.Until("the first view of "+name, func() bool { w.Run(measure, &now); return now.First > 0 && now.Done > 0 })
			if m.First == 0 || now.First < m.First {
				m = now
			}
		}
		t.Logf("%-12s %6.0f bytes, first view after %3.0f ms, all there after %3.0f ms", name, m.Bytes, m.First, m.Done)
		if m.Bytes > maxPage || m.Bytes < 1000 {
			t.Errorf("%s takes %.0f bytes: %q", name, m.Bytes, m.Parts)
		}
	}
	weigh("/signin", "/signin")
	w.Go(d.Invite("jo"))
	w.Sees("Scan of the letter 11")
	var folder, file string
	w.Run(`return document.querySelector('.name a[href*="/folder/"]').getAttribute('href').split('/').pop()`, &folder)
	w.Run(`return document.querySelector('.name a[href*="/edit/"]').getAttribute('href').split('/').pop()`, &file)
	for _, path := range []string{"/", "/open", "/saves", "/links", "/server", "/doctor", "/nothing", "/closed"} {
		weigh(path, path)
	}
	for _, page := range []string{"", "/new", "/upload"} {
		weigh("/folder/"+folder+page, "/folder"+page)
	}
	for _, page := range []string{"document", "share", "rename", "move", "edit", "view"} {
		weigh("/"+page+"/"+file, "/"+page)
	}
	w.Frame("iframe[name=editor]")
	w.Until("the text editor", func() bool { return w.Text() != "" })
	var m measured
	w.Run(measure, &m)
	t.Logf("%-12s %6.0f bytes, in its frame", "text editor", m.Bytes)
	if m.Bytes > maxPage || m.Bytes < 1000 {
		t.Errorf("the text editor takes %.0f bytes: %q", m.Bytes, m.Parts)
	}
}
