package binary

import (
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"davwopi/test/daemon"
	"davwopi/test/idp"
	"davwopi/test/upstream"
)

// TestOnboarding: davwopi onboarding goes the way of a phone over the public address, as somebody who is signed in; what it
// was given for that is revoked at the end, and nobody counts as asked.
func TestOnboarding(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	s.Write(t, "Minutes/Report.docx", "first")
	listen := freeAddress(t)
	d := daemon.StartAt(t, fmt.Sprintf("upstream: {url: %q, auth: user, roots: shared}\nprivacy_url: \"http://%s/static/icon.svg\"\n%s", s.URL, listen, facade(t)), listen)
	idp.NewVisitor(t, s.User, s.Password, "").Go(d.URL + "/")

	dir := filepath.Join(t.TempDir(), "sheets")
	text, err := d.Run("onboarding", "-json", "-out", dir, "-name", "My NAS", "-user", s.User)
	if err == nil || !strings.Contains(err.Error(), "wrong or missing: 1") { // plain http
		t.Fatalf("%v\n%s", err, text)
	}
	var out struct {
		Checks []struct {
			Number int
			Tried  []struct{ Name, Outcome, Words string }
		}
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil || len(out.Checks) != 10 {
		t.Fatalf("%v\n%s", err, text)
	}
	var seen []string
	for _, check := range out.Checks {
		for _, tried := range check.Tried {
			if tried.Outcome != "ok" {
				t.Errorf("check %d, %s: %s, %s", check.Number, tried.Name, tried.Outcome, tried.Words)
			}
			seen = append(seen, tried.Name)
		}
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 16 {
		t.Errorf("%d different trials: %q", n, seen)
	}
	for _, px := range []int{48, 64, 80, 96} {
		f, err := os.Open(filepath.Join(dir, fmt.Sprintf("icon-%d.png", px)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.DecodeConfig(f)
		if err != nil || f.Close() != nil || m.Width != px || m.Height != px {
			t.Errorf("icon %d: %+v, %v", px, m, err)
		}
	}
	sheet, err := os.ReadFile(filepath.Join(dir, "onboarding.txt"))
	if err != nil || !strings.Contains(string(sheet), "My NAS") || !strings.Contains(string(sheet), d.URL+"/wopibootstrapper") || strings.Contains(string(sheet)+text, officeSecret) {
		t.Errorf("%v\n%s", err, sheet)
	}
	// A real phone is still asked about.
	app := &phone{t: t, base: d.URL, p: provider{Real: idp.Real{User: s.User, Password: s.Password}, officeID: "office", officeSecret: officeSecret, office: "https://localhost"}}
	app.signIn()
	if !app.asked {
		t.Error("the rehearsal counts as a yes")
	}
	// Without the daemon the sheets are made, and nothing is tried.
	d.Stop()
	text, err = d.Run("onboarding", "-out", dir)
	if err == nil || !strings.Contains(text, "nothing was tried") {
		t.Errorf("%v\n%s", err, text)
	}
}
