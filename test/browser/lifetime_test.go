package browser

import (
	"path/filepath"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/test/daemon"
)

func TestTheDaemonDiesAndEveryTokenIsLostUnderAnOpenPage(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	shots := newShots(t)
	d.Write("diary.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("diary.txt")
	open(w, "diary.txt")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"two\n")
	d.Kill()
	w.Type("#text", control+"s"+release)
	w.Sees("The server cannot be reached.")
	w.Sees("What you typed is still here")
	shots.take(w, "07-daemon-gone")
	d.Restart() // the page finds that out, and saves
	w.Sees("Saved at")
	if got := d.Read("diary.txt"); got != "one\ntwo\n" {
		t.Fatalf("on the disk is %q", got)
	}

	// The access tokens are gone: the host page gets a new one from the session.
	w.Type("#text", control+end+release+"three\n")
	d.Kill()
	forget(t, filepath.Join(d.State, "state.db"), "DELETE FROM access_grant")
	d.Restart()
	w.Type("#text", control+"s"+release)
	w.Until("the third line on the disk", func() bool { return d.Read("diary.txt") == "one\ntwo\nthree\n" })

	// The session is gone too: the page says so, and goes on after a new sign-in.
	w.Type("#text", control+end+release+"four\n")
	d.Kill()
	forget(t, filepath.Join(d.State, "state.db"), "DELETE FROM access_grant", "DELETE FROM oauth_session")
	d.Restart()
	w.Type("#text", control+"s"+release)
	w.Sees("Not saved: your sign-in has ended.")
	w.Frame("")
	w.Sees("Your sign-in has ended. Sign in again in another tab")
	shots.take(w, "08-signed-out")
	var first string
	w.call("GET", "/window", nil, &first)
	var second struct{ Handle string }
	w.call("POST", "/window/new", map[string]string{"type": "tab"}, &second)
	w.call("POST", "/window", map[string]string{"handle": second.Handle}, nil)
	w.Go(d.Link)
	w.Sees("diary.txt")
	w.call("POST", "/window", map[string]string{"handle": first}, nil)
	w.Frame("iframe[name=editor]")
	w.Until("the fourth line on the disk", func() bool { return d.Read("diary.txt") == "one\ntwo\nthree\nfour\n" })
}

// forget changes the state of a daemon that is not running.
func forget(t *testing.T, state string, statements ...string) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
		for _, s := range statements {
			if _, err := tx.Exec(t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSigningOutElsewhereLosesNothing(t *testing.T) {
	driver := Start(t)
	d := daemon.StartEmpty(t, "")
	d.Write("diary.txt", "one\n")
	w := driver.Open(t, 1200, 800)
	w.Go(d.Link)
	w.Sees("diary.txt")
	open(w, "diary.txt")
	w.Sees("All changes saved")
	w.Type("#text", control+end+release+"two\n")
	var first string
	w.call("GET", "/window", nil, &first)
	var second struct{ Handle string }
	w.call("POST", "/window/new", map[string]string{"type": "tab"}, &second)
	w.call("POST", "/window", map[string]string{"handle": second.Handle}, nil)
	w.Go(d.URL + "/")
	w.Click(".person button")
	w.Sees("You are signed out.")
	w.call("POST", "/window", map[string]string{"handle": first}, nil)
	w.Frame("iframe[name=editor]")
	w.Type("#text", control+"s"+release)
	w.Sees("Saved at")
	if got := d.Read("diary.txt"); got != "one\ntwo\n" {
		t.Fatalf("on the disk is %q", got)
	}
}
