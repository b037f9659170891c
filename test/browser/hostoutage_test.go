package browser

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/disk"
	"davwopi/test/standins"
	"davwopi/test/upstream"
)

// looksNow lets the page ask now how things stand, as it does every few seconds.
func (k desk) looksNow() {
	k.Run(`dispatchEvent(new Event('online'))`, nil)
}

// TestTheDaemonDiesUnderAnOffice: nothing is lost when the daemon is killed, when tokens
// end, or when the sign-in does.
func TestTheDaemonDiesUnderAnOffice(t *testing.T) {
	driver, editor := Start(t), standins.New(t, wopi.Collabora, "odt")
	d := daemon.StartEmpty(t, "editors: ["+editor.URL+"]\n")
	d.Write("Tagebuch.odt", "one ")
	k := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	k.onNewPages(ahead)
	k.Go(d.Link)
	k.opens("Tagebuch.odt")

	k.types(control + end + release + "two ")
	k.state("unsaved")
	d.Kill()
	k.looksNow()
	k.state("offline")
	k.Sees("What you type stays in the editor")
	k.shots.take(k.Window, "47-host-offline")
	d.Restart()
	k.looksNow() // and saves by itself what could not be saved
	k.state("saved")
	onDisk(k.Window, d, "Tagebuch.odt", "one two ")

	// Its token would end soon: the editor gets a new one, and saves with it.
	k.Run(`self.ahead = 9.8 * 3600000; document.dispatchEvent(new Event('visibilitychange'))`, nil)
	k.Until("a new token", func() bool { return len(editor.Tokens()) == 1 })
	k.Run(`self.ahead = 0`, nil)
	k.types(control + end + release + "three ")
	k.state("unsaved")
	k.Click("#save")
	k.state("saved")
	onDisk(k.Window, d, "Tagebuch.odt", "one two three ")
	if all := editor.Saves(); all[len(all)-1].Token != editor.Tokens()[0] {
		t.Error("saved with the old token")
	}

	// The sign-in is gone, and every token with it.
	k.types(control + end + release + "four ")
	k.state("unsaved")
	d.Kill()
	k.looksNow()
	k.state("offline")
	forget(t, filepath.Join(d.State, "state.db"), "DELETE FROM access_grant", "DELETE FROM oauth_session")
	d.Restart()
	k.looksNow()
	k.Sees("Your sign-in has ended. Sign in again in another tab")
	k.shots.take(k.Window, "48-host-signed-out")
	var first string
	k.call("GET", "/window", nil, &first)
	var second struct{ Handle string }
	k.call("POST", "/window/new", map[string]string{"type": "tab"}, &second)
	k.call("POST", "/window", map[string]string{"handle": second.Handle}, nil)
	k.Go(d.Link)
	k.Sees("Tagebuch.odt")
	k.call("POST", "/window", map[string]string{"handle": first}, nil)
	k.Run(`document.dispatchEvent(new Event('visibilitychange'))`, nil)
	onDisk(k.Window, d, "Tagebuch.odt", "one two three four ")
	k.state("saved")
	k.Until("the note is gone", func() bool {
		var there bool
		k.Run(`return Boolean(document.querySelector('[data-key=session]'))`, &there)
		return !there
	})
}

// TestTheUpstreamIsDownUnderAnOffice: the page says that a save waits, and for whom.
func TestTheUpstreamIsDownUnderAnOffice(t *testing.T) {
	driver, editor, up := Start(t), standins.New(t, wopi.Collabora, "odt"), upstream.Strict(t)
	d := daemon.StartOn(t, fmt.Sprintf("upstream: {url: %q, display_name: Home NAS, user: %q, password: %q}\nsaves: {patience: 1s}\neditors: [%q]\n",
		up.URL, up.User, up.Password, editor.URL), disk.Folder(t))
	up.Write(t, "a.odt", "old")
	k := desk{driver.Open(t, 1200, 800), editor, newShots(t)}
	comeBack(eye{k.Window, k.shots, looks[0]}, d, up)
	k.opens("a.odt")
	k.types(control + end + release + " and new")
	k.state("unsaved")
	up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	k.Click("#save")
	if said := k.state("waits"); said != "Saved here, waiting for Home NAS" {
		t.Errorf("the bar says %q", said)
	}
	k.Sees("Nothing is lost; it goes there by itself.")
	k.shots.take(k.Window, "49-host-waits")
	up.Quirks.Reset()
	k.state("saved")
	if got, _ := up.Read(t, "a.odt"); got != "old and new" {
		t.Errorf("the server has %q", got)
	}
	k.calm()
}
