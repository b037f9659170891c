package browser

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/standins"
)

// TestRealEditors: a person's way through a real editor. It runs where
// DAVWOPI_TEST_COLLABORA or DAVWOPI_TEST_ONLYOFFICE has the editor's address; its server
// reaches this machine under DAVWOPI_TEST_HOST (127.0.0.1 if that is not set), and lets
// itself be framed by http://127.0.0.1.
func TestRealEditors(t *testing.T) {
	for _, variable := range []string{"DAVWOPI_TEST_COLLABORA", "DAVWOPI_TEST_ONLYOFFICE"} {
		t.Run(variable, func(t *testing.T) {
			url := os.Getenv(variable)
			if url == "" {
				t.Skipf("set %s to the address of a real editor", variable)
			}
			host := cmp.Or(os.Getenv("DAVWOPI_TEST_HOST"), "127.0.0.1")
			listener, err := net.Listen("tcp", "0.0.0.0:0")
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(listener.Addr().String()) // it is one
			listener.Close()
			d := daemon.StartAt(t, fmt.Sprintf("insecure_http: true\npublic_url: http://127.0.0.1:%[1]s\nwopi_url: http://%[2]s:%[1]s\nprefer: {txt: %[3]q}\neditors: [%[3]q]\n", port, host, url), "0.0.0.0:"+port)
			wayThrough(t, Start(t), d, variable)
		})
	}
}

// TestTheWayThroughRealEditors goes the same way through the stand-ins, so that it is known
// to lead through when a real editor is at hand.
func TestTheWayThroughRealEditors(t *testing.T) {
	driver := Start(t)
	for _, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		t.Run(kind.String(), func(t *testing.T) {
			url := standins.New(t, kind, "txt").URL
			wayThrough(t, driver, daemon.StartEmpty(t, fmt.Sprintf("prefer: {txt: %[1]q}\neditors: [%[1]q]\n", url)), kind.String())
		})
	}
}

// wayThrough opens, types, saves, saves a copy where the page's bar does that, renames by the
// bar, changes the document from outside, and closes. The editor's own surface is worked by a
// click into it and by keys alone, which all versions share; renaming by its title is tried by
// the stand-ins only (TestHostPageAround...).
func wayThrough(t *testing.T, driver *Driver, d *daemon.Daemon, editor string) {
	name := "Brief.txt"
	d.Write(name, "one\n")
	k := desk{driver.Open(t, 1200, 800), nil, newShots(t)}
	k.Go(d.Link)
	opens := func() {
		t.Helper()
		k.Sees(name)
		follow(k.Window, name)
		k.patiently("the document", `#state[data-state=saved]`)
	}
	saves := func(text string) {
		t.Helper()
		k.writes(control + "s" + release)
		k.Until("the words on the disk", func() bool { return strings.Contains(d.Read(name), text) })
	}
	opens()
	k.shots.take(k.Window, "60-real-open-"+editor)
	k.writes("two ")
	k.patiently("what was typed is not saved", `#state[data-state=unsaved]`)
	saves("two ")
	k.patiently("it is saved", `#state[data-state=saved]`)
	if k.has("#copy") {
		k.Click("#more summary")
		k.Click("#copy")
		k.Type("#ask-name", control+"a"+release+"Kopie.txt\n")
		k.patiently("the copy", `#name[title="Kopie.txt"], [data-key=copied]`)
		onDisk(k.Window, d, "Kopie.txt", d.Read(name))
		k.Go(d.URL + "/")
		opens()
	}

	k.Click("#more summary")
	k.Click("#rename")
	k.Type("#ask-name", control+"a"+release+"Neuer Brief\n")
	name = "Neuer Brief.txt"
	k.Title(name + " – ")
	k.Until("the new name on the disk", func() bool {
		_, err := os.Stat(filepath.Join(d.Dir, "Brief.txt"))
		return os.IsNotExist(err) && strings.Contains(d.Read(name), "two ")
	})
	k.writes("three ") // ONLYOFFICE and Microsoft's editors tell of no further words for a while
	saves("three ")
	k.patiently("it is saved", `#state[data-state=saved]`)
	k.shots.take(k.Window, "61-real-renamed-"+editor)

	d.Write(name, "by another program\n")
	k.writes("four " + control + "s" + release)
	k.patiently("both versions", `#conflict[open]`)
	if got := d.Read(name); got != "by another program\n" {
		t.Errorf("overwritten with %q", got)
	}
	k.shots.take(k.Window, "62-real-conflict-"+editor)
	k.Click("#conflict .primary")
	k.Click("#back")
	k.Sees("Sign out")
	k.Sees(name)
}

// writes clicks into the middle of the editor, and types.
func (k desk) writes(text string) {
	k.t.Helper()
	k.call("POST", "/actions", map[string]any{"actions": []any{map[string]any{
		"type": "pointer", "id": "mouse", "parameters": map[string]string{"pointerType": "mouse"}, "actions": []any{
			map[string]any{"type": "pointerMove", "duration": 0, "origin": map[string]string{elementKey: k.find("iframe[name=editor]")}, "x": 0, "y": 0},
			map[string]any{"type": "pointerDown", "button": 0}, map[string]any{"type": "pointerUp", "button": 0},
		},
	}}}, nil)
	k.inside(func() { k.keys(text) })
}

// patiently is find for an editor that takes its time. It lets the page ask how things stand
// now and then, sooner than it would by itself.
func (k desk) patiently(what, css string) {
	k.t.Helper()
	end := time.Now().Add(3 * time.Minute)
	for turn := 1; !k.has(css); turn++ {
		if turn%8 == 0 {
			k.looksNow()
		}
		time.Sleep(200 * time.Millisecond)
		if time.Now().After(end) {
			k.t.Fatalf("waited in vain for %s; the page says:\n%s\nthe console says: %v", what, k.Text(), k.Console())
		}
	}
}

// has reports whether there is an element.
func (w *Window) has(css string) (there bool) {
	w.t.Helper()
	w.Run(`return Boolean(document.querySelector(`+fmt.Sprintf("%q", css)+`))`, &there)
	return there
}

// keys types into whatever has the focus in the frame.
func (w *Window) keys(text string) {
	w.t.Helper()
	var actions []map[string]string
	held := []rune{}
	for _, r := range text {
		switch string(r) {
		case control:
			actions, held = append(actions, map[string]string{"type": "keyDown", "value": string(r)}), append(held, r)
		case release:
			for _, h := range held {
				actions = append(actions, map[string]string{"type": "keyUp", "value": string(h)})
			}
			held = nil
		default:
			actions = append(actions, map[string]string{"type": "keyDown", "value": string(r)}, map[string]string{"type": "keyUp", "value": string(r)})
		}
	}
	w.call("POST", "/actions", map[string]any{"actions": []any{map[string]any{"type": "key", "id": "keyboard", "actions": actions}}}, nil)
}
