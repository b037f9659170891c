package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/disk"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// waitingHouse is a daemon in front of a NAS, whose saves all wait while that is away.
func waitingHouse(t *testing.T) (*daemon.Daemon, *upstream.Server) {
	t.Helper()
	up := upstream.Strict(t)
	return daemon.StartOn(t, fmt.Sprintf("upstream: {url: %q, display_name: Home NAS, user: %q, password: %q}\nadmins: [%q]\nsaves: {when_upstream_is_down: queue, patience: 1s}\n",
		up.URL, up.User, up.Password, up.User), disk.Folder(t)), up
}

const lockID = "a lock"

// An editing is a document that a person has open in a program.
type editing struct {
	t *testing.T
	*office.Client
}

// edits opens a document for a person, as an editor does.
func edits(t *testing.T, d *daemon.Daemon, user, path string) editing {
	t.Helper()
	o := d.Open("-user", user, path)
	e := editing{t, &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken, Office: wopi.TextEditor}}
	e.must(e.GetFile(t.Context(), -1))
	e.must(e.Lock(t.Context(), lockID))
	return e
}

func (e editing) must(a office.Answer, err error) {
	e.t.Helper()
	e.want(http.StatusOK, a, err)
}

func (e editing) want(status int, a office.Answer, err error) {
	e.t.Helper()
	if err != nil || a.Status != status {
		e.t.Fatalf("%s, %v: want %d", a, err, status)
	}
}

func (e editing) saves(text string, status int) {
	e.t.Helper()
	a, err := e.PutFile(e.t.Context(), lockID, []byte(text), nil)
	e.want(status, a, err)
}

func (e editing) closes() {
	e.t.Helper()
	e.must(e.Unlock(e.t.Context(), lockID))
}

// comeBack signs a person in at the NAS.
func comeBack(e eye, d *daemon.Daemon, up *upstream.Server) {
	e.w.Go(d.URL + "/")
	e.w.Type("#user", up.User)
	e.w.Type("#password", up.Password)
	e.w.Click(".primary")
	e.w.Sees("Sign out")
}

// TestOpenNowAndSavesOnEveryScreen: the pages with everything that they can show, with
// script and without.
func TestOpenNowAndSavesOnEveryScreen(t *testing.T) {
	d, up := waitingHouse(t)
	for name, text := range map[string]string{
		"a.txt": "old", "Einkauf.txt": "Eier", "Team/" + longName: "old", "Conflict.txt": "old", "Refused.odt": "old", "Undo.txt": "the earlier version",
	} {
		up.Write(t, name, text)
	}
	me, other := up.User, "Großmutter Anna-Katharina Müller-Lüdenscheidt"
	edits(t, d, other, "/Team/"+longName).saves("new", http.StatusOK)
	conflict := edits(t, d, me, "/Conflict.txt")
	up.Write(t, "Conflict.txt", "by somebody else")
	conflict.saves("mine", http.StatusConflict)
	undo := edits(t, d, me, "/Undo.txt")
	undo.saves("the later version", http.StatusOK)
	undo.closes()
	refused := edits(t, d, me, "/Refused.odt")
	up.Quirks.Fail(upstream.Fault{Method: "PUT", Status: http.StatusInsufficientStorage})
	refused.saves(strings.Repeat("too much ", 20000), http.StatusRequestEntityTooLarge)
	refused.closes()
	up.Quirks.Reset()
	waits := edits(t, d, me, "/Einkauf.txt")
	onEveryScreen(t, func(e eye) {
		up.Quirks.Reset()
		comeBack(e, d, up)
		e.w.Go(d.URL + "/open")
		e.sees("Großmutter", "open")
		e.w.Sees("Einkauf.txt")
		e.w.Go(d.URL + "/saves")
		e.sees("Did not get through", "saves")
		e.w.Run(`scrollTo(0, document.body.scrollHeight)`, nil)
		e.sees("Undo last save", "saves-end")
		e.w.Click(`a[href$="/drop"]`)
		e.sees("Throw away this save of “", "drop")
		clean(t, e.w)
		if e.look.name == "desktop-light" || e.look.name == "phone-dark" {
			savesInAnOutage(d, up, waits, e)
			savesWithoutScript(d, up, e)
		}
	})
}

// savesInAnOutage looks at the pages while a save waits.
func savesInAnOutage(d *daemon.Daemon, up *upstream.Server, waits editing, e eye) {
	up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	waits.saves("Eier und "+e.look.name, http.StatusOK)
	e.w.Go(d.URL + "/open")
	e.sees("waiting for Home NAS", "open-outage")
	e.w.Go(d.URL + "/saves")
	e.sees("On their way", "saves-waiting")
	e.w.Go(d.URL + "/")
	e.sees("These documents lie here until then", "outage-stored")
}

// savesWithoutScript releases, and undoes, by the pages' own links and forms. (They are
// not clicked by the driver, which waits for a script to say that they were.)
func savesWithoutScript(d *daemon.Daemon, up *upstream.Server, e eye) {
	up.Quirks.Reset()
	e.w.Scripts(false)
	e.w.Go(d.URL + "/open")
	e.sees("Release…", "open-without-script")
	e.w.Run(`document.querySelector('.acts a').click()`, nil)
	e.sees("Release it", "release")
	e.w.Go(d.URL + "/saves")
	e.w.Sees("Undo last save")
	e.w.Run(`[...document.querySelectorAll('.entries li')].find((l) => l.textContent.includes('Undo.txt')).querySelector('a[href$="/undo"]').click()`, nil)
	e.sees("Put “Undo.txt” back?", "undo")
	e.w.Run(`document.querySelector('form.steps .primary').click()`, nil)
	e.sees("The earlier version is back.", "undone")
	e.w.Scripts(true)
}

// TestTheHostPageSaysThatASaveWaits, for which server, and that it has arrived.
func TestTheHostPageSaysThatASaveWaits(t *testing.T) {
	driver := Start(t)
	d, up := waitingHouse(t)
	up.Write(t, "a.txt", "old")
	shots := newShots(t)
	w := driver.Open(t, 1200, 800)
	comeBack(eye{w, shots, looks[0]}, d, up)
	w.Sees("a.txt")
	open(w, "a.txt")
	w.Sees("All changes saved")
	up.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	w.Type("#text", control+end+release+"in the outage"+control+"s"+release)
	w.Sees("Saved at")
	w.Frame("")
	w.Sees("Saved here, waiting for Home NAS. Nothing is lost; it goes there by itself.")
	shots.take(w, "10-waiting")
	up.Quirks.Reset()
	w.Until("the note is gone", func() bool { return !strings.Contains(w.Text(), "waiting for Home NAS") })
	if got, _ := up.Read(t, "a.txt"); got != "oldin the outage" {
		t.Errorf("the server has %q", got)
	}
}
