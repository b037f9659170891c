package browser

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"davwopi/test/daemon"
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
			realEditor(t, url, variable)
		})
	}
}

// realEditor opens, types, saves, saves a copy where the page's bar does that, changes the
// document from outside, and closes. The editor's own surface is worked by keys alone, which
// all versions share; renaming is by its title, and tried by the stand-ins only.
func realEditor(t *testing.T, url, variable string) {
	const name = "Brief.txt"
	host := os.Getenv("DAVWOPI_TEST_HOST")
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // it is one
	listener.Close()
	d := daemon.StartAt(t, fmt.Sprintf("insecure_http: true\npublic_url: http://127.0.0.1:%[1]s\nwopi_url: http://%[2]s:%[1]s\nprefer: {txt: %[3]q}\neditors: [%[3]q]\n", port, host, url), "0.0.0.0:"+port)
	d.Write(name, "one\n")
	k := desk{Start(t).Open(t, 1200, 800), nil, newShots(t)}
	k.Go(d.Link)
	k.Sees(name)
	follow(k.Window, name)
	k.patiently("the document", `#state[data-state=saved]`)
	k.shots.take(k.Window, "60-real-open-"+variable)
	k.Frame("iframe[name=editor]")
	k.keys("two ")
	k.Frame("")
	k.patiently("what was typed is not saved", `#state[data-state=unsaved]`)
	k.Frame("iframe[name=editor]")
	k.keys(control + "s" + release)
	k.Frame("")
	k.patiently("it is saved", `#state[data-state=saved]`)
	k.Until("the words on the disk", func() bool { return strings.Contains(d.Read(name), "two ") })
	if k.has("#copy") {
		k.Click("#more summary")
		k.Click("#copy")
		k.Type("#ask-name", control+"a"+release+"Kopie.txt\n")
		k.Title("Kopie.txt – ")
		onDisk(k.Window, d, "Kopie.txt", d.Read(name))
		k.Go(d.URL + "/")
		k.Sees(name)
		follow(k.Window, name)
		k.patiently("the document again", `#state[data-state=saved]`)
	}

	d.Write(name, "by another program\n")
	k.Frame("iframe[name=editor]")
	k.keys("three " + control + "s" + release)
	k.Frame("")
	k.patiently("both versions", `#conflict[open]`)
	if got := d.Read(name); got != "by another program\n" {
		t.Errorf("overwritten with %q", got)
	}
	k.shots.take(k.Window, "61-real-conflict-"+variable)
	k.Click("#conflict .primary")
	k.Click("#back")
	k.Sees("Sign out")
}

// patiently is find for an editor that takes its time to load.
func (k desk) patiently(what, css string) {
	k.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if k.has(css) {
			return
		}
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
