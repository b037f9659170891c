package browser

import (
	"fmt"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
)

// TestCheckupOnEveryScreen: the administrator's page with things that do not work, with
// script and without.
func TestCheckupOnEveryScreen(t *testing.T) {
	editor := office.NewEditor(t, wopi.Collabora, false, "odt", "docx", "pdf")
	d := daemon.StartEmpty(t, fmt.Sprintf("editors: [%q, 'http://office.invalid:9980/a-rather-long-path/of/an/address']\nadmins: [jo]\n", editor.URL))
	onEveryScreen(t, func(e eye) {
		w := e.w
		w.Go(d.Invite("jo"))
		w.Sees("Server")
		w.Go(d.URL + "/doctor")
		e.sees("One thing does not work", "doctor")
		var wide int
		if w.Run(`return innerWidth`, &wide); wide > e.look.width {
			t.Errorf("laid out %d wide in a window of %d", wide, e.look.width) // on a phone nothing else shows it
		}
		w.Run(`document.querySelector('.paste').scrollIntoView()`, nil)
		e.sees("announce_locks", "doctor-paste")
		w.Click(".paste button")
		var text string
		w.Until("copied, or marked to be copied by hand", func() bool {
			w.Run(`return document.querySelector('.paste button').textContent === 'Copied' ? 'copied' : getSelection().toString()`, &text)
			return text == "copied" || strings.Contains(text, "announce_locks: true")
		})
		w.Run(`const d = document.querySelector('details'); d.open = true; d.scrollIntoView()`, nil)
		e.sees("This address leads here", "doctor-fine")
		w.Scripts(false)
		w.Go(d.URL + "/doctor")
		w.Sees("announce_locks")
		var buttons int
		w.Run(`return [...document.querySelectorAll('[data-copy]')].filter((b) => b.checkVisibility()).length`, &buttons)
		if buttons != 0 {
			t.Errorf("%d buttons do nothing without script", buttons)
		}
		w.Scripts(true)
	})
}
