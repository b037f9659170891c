package browser

import (
	"os"
	"strings"
	"testing"

	"davwopi/test/daemon"
)

// shareWith fills in the form of a link for anybody and returns the link.
func shareWith(w *Window, password string) string {
	w.t.Helper()
	w.Click("#anybody")
	w.Click("input[name=rights][value=edit]")
	if password != "" {
		w.Type("#password", password)
	}
	w.Click("main form.fields button[type=submit]")
	w.Sees("Nobody has opened it yet")
	link := ""
	w.Run(`return document.querySelector('.address input').value`, &link)
	if !strings.Contains(link, "/s/wbs_") {
		w.t.Fatalf("the link is %q", link)
	}
	return link
}

// TestAGuestComesEditsAndIsSentAway: a link from one browser to another, from beginning
// to end.
func TestAGuestComesEditsAndIsSentAway(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "sharing: {anonymous: true}\n")
	shots := newShots(t)
	d.Write("Plan.txt", "one\n")
	d.Write("Secret.txt", "not for guests\n")
	owner := driver.Open(t, 1200, 800)
	owner.Go(d.Link)
	owner.Sees("Plan.txt")
	var list string
	owner.call("GET", "/url", nil, &list)
	owner.Click("a[aria-label='Share Plan.txt']")
	link := shareWith(owner, "correct horse")
	clean(t, owner)

	guest := driver.Open(t, 1200, 800)
	guest.Go(link)
	guest.Sees("protected by a password")
	guest.Type("#password", "wrong horse")
	guest.Type("#name", "Ben <b>")
	guest.Click("main button[type=submit]")
	guest.Sees("That is not the password of this link")
	guest.Console() // which says that this was a 403
	guest.Type("#password", "correct horse")
	guest.Click("main button[type=submit]")
	guest.Frame("iframe[name=editor]")
	guest.Sees("All changes saved")
	guest.Type("#text", control+end+release+"two\n"+control+"s"+release)
	guest.Sees("Saved at")
	if got := d.Read("Plan.txt"); got != "one\ntwo\n" {
		t.Fatalf("on the disk is %q", got)
	}
	shots.take(guest, "share-guest-edits")
	clean(t, guest)
	owner.Go(list)
	owner.Sees("Guest Ben <b>")
	owner.Click("a[aria-label='Share Plan.txt']")
	owner.Sees("Opened by Guest Ben <b>.")
	if out, err := d.Run("shares", "list"); err != nil || !strings.Contains(out, "anybody with the password") || !strings.Contains(out, "/Plan.txt") {
		t.Errorf("%v %s", err, out)
	}
	owner.Click(".links form button")
	owner.Sees("Who can open it")
	owner.Until("no link", func() bool { return !strings.Contains(owner.Text(), "Opened by") })

	guest.Type("#text", control+end+release+"three\n"+control+"s"+release)
	guest.Frame("")
	guest.Sees("The link by which you came here has ended")
	shots.take(guest, "share-guest-out")
	guest.Go(link)
	guest.Sees("This link has ended")
	if got := d.Read("Plan.txt"); got != "one\ntwo\n" {
		t.Fatalf("on the disk is %q", got)
	}
	if out, err := d.Run("shares", "list"); err != nil || strings.Contains(out, "Plan.txt") {
		t.Errorf("%v %s", err, out)
	}
	owner.Go(list)
	owner.Sees("Plan.txt")
	endsByCommand(t, d, owner, guest, list)
}

// endsByCommand: an operator ends a link of the owner's, while a guest edits.
func endsByCommand(t *testing.T, d *daemon.Daemon, owner, guest *Window, list string) {
	t.Helper()
	owner.Click("a[aria-label='Share Plan.txt']")
	guest.Go(shareWith(owner, ""))
	guest.Click("main button[type=submit]")
	guest.Frame("iframe[name=editor]")
	guest.Sees("All changes saved")
	out, err := d.Run("shares", "list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := d.Run("shares", "revoke", "aaaaaaaaaaaaaaaaaaaaaaaaaa"); err == nil {
		t.Errorf("what is not there was revoked: %s", out)
	}
	if out, err := d.Run("shares", "revoke", strings.Fields(lines[1])[0]); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	guest.Type("#text", "x"+control+"s"+release)
	guest.Frame("")
	guest.Sees("The link by which you came here has ended")
	if out, err := d.Run("locks", "list"); err != nil || strings.Contains(out, "Plan.txt") {
		t.Errorf("the guest's lock is still there: %v %s", err, out)
	}
	owner.Go(list)
	open(owner, "Plan.txt")
	owner.Sees("All changes saved") // nobody holds it any more
}

// TestLinksOnEveryScreen: every page about links, with script and without.
func TestLinksOnEveryScreen(t *testing.T) {
	d := daemon.StartEmpty(t, "sharing: {anonymous: true}\nadmins: [jo]\n")
	d.Write("Verein/"+longName, "short")
	d.Write("Verein/Plan.txt", novel)
	d.Write("Verein/Archiv/Alt.zip", "x")
	d.Write("Verein/Bild.zip", "x")
	onEveryScreen(t, func(e eye) {
		if l := e.look.name; os.Getenv("DAVWOPI_SCREENSHOTS") == "" && (l == "desktop-dark" || l == "phone-light") {
			return // the others show each width and each set of colours once
		}
		w := e.w
		w.Go(d.Invite("Anna-Katharina Müller-Lüdenscheidt " + e.look.name))
		w.Sees("Verein")
		w.Go(d.URL)
		follow(w, "Verein")
		w.Sees("Archiv")
		e.sees("Plan.txt", "share-list")
		w.Run(`document.querySelector("a[aria-label^='Share Protokoll']").click()`, nil) // on a phone it stands in the row's menu
		e.sees("Who can open it", "share-new")
		w.Click("#anybody")
		e.sees("Password (if you like", "share-anybody")
		w.Type("#password", "abc")
		w.Click("main form.fields button[type=submit]")
		e.sees("The password is too short", "share-wrong")
		link := shareWith(w, "correct horse")
		e.sees("Make another link", "share-made")
		w.Click(".address button")
		w.Until("copied, or marked to be copied by hand", func() bool {
			var text string
			w.Run(`const i = document.querySelector('.address input'); return document.querySelector('.address button').textContent === 'Copied' ? 'copied' : i.value.slice(i.selectionStart, i.selectionEnd)`, &text)
			return text == "copied" || text == link
		})
		w.Go(d.URL + "/links")
		e.sees("Your links", "share-links")

		w.Go(link) // the same person, who is a guest there
		e.sees("This link is protected by a password", "share-password")
		w.Type("#password", "nonsense")
		w.Click("main button[type=submit]")
		e.sees("That is not the password", "share-password-wrong")
		w.Type("#password", "correct horse")
		w.Type("#name", "Großmutter Anna-Katharina Müller-Lüdenscheidt geborene Weber")
		w.Click("main button[type=submit]")
		w.Frame("iframe[name=editor]")
		w.Sees("short")
		w.Frame("")

		w.Go(d.URL)
		follow(w, "Verein")
		w.Sees("Archiv")
		w.Click(`.titled a[href*="/share/"]`)
		folder := shareWith(w, "")
		e.w.Scripts(false)
		w.Go(folder)
		e.sees("shares this folder with you", "share-enter")
		if e.look.width < 500 { // without script, its driver cannot touch anything there
			e.w.Scripts(true)
		}
		w.Type("#name", "Oma")
		w.Click("main button[type=submit]")
		w.Sees("Plan.txt")
		e.w.Scripts(true)
		w.call("POST", "/refresh", nil, nil)
		e.sees("Guest Oma", "share-guest-folder")
		follow(w, "Archiv")
		w.Sees("Alt.zip")
		e.sees("Verein", "share-guest-below")
		w.Click("header button")
		e.sees("You have left", "share-left")
		w.Go(folder + "x")
		e.sees("This link does not work", "share-none")
		if e.look.width > 500 {
			w.Go(d.Invite("jo"))
			w.Sees("Server")
			w.Go(d.URL + "/links")
			e.sees("Everybody’s links", "share-all")
		}
	})
}
