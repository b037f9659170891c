package binary

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

// A finding is what davwopi doctor -json prints, by the names that doc.go promises.
type finding struct {
	Severity string `json:"severity"`
	Check    string `json:"check"`
	About    string `json:"about"`
	Text     string `json:"text"`
	Paste    []struct {
		Where string `json:"where"`
		Text  string `json:"text"`
	} `json:"paste"`
}

type report struct {
	At       string    `json:"at"`
	Version  string    `json:"version"`
	Running  bool      `json:"running"`
	Findings []finding `json:"findings"`
}

// examined runs davwopi doctor -json, and returns its exit status with the report.
func examined(t *testing.T, d *daemon.Daemon, args ...string) (report, int) {
	t.Helper()
	out, err := d.Run(append([]string{"doctor", "-json"}, args...)...)
	var r report
	if jsonErr := json.Unmarshal([]byte(out), &r); jsonErr != nil || r.At == "" {
		t.Fatalf("%v %v: %s", jsonErr, err, out)
	}
	return r, exitStatus(t, err)
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

func (r report) of(check, severity string) (list []finding) {
	for _, f := range r.Findings {
		if f.Check == check && f.Severity == severity {
			list = append(list, f)
		}
	}
	return list
}

func TestDoctor(t *testing.T) {
	needDaemon(t)
	t.Run("all is well", func(t *testing.T) {
		editor := office.NewEditor(t, wopi.Collabora, true, "odt", "docx", "pdf")
		d := daemon.Start(t, fmt.Sprintf("editors: [%q]\nlocks: {announce_locks: true}\n", editor.URL))
		r, status := examined(t, d)
		if status != 0 || !r.Running {
			t.Errorf("exit status %d: %+v", status, r.Findings)
		}
		for _, check := range []string{"daemon", "upstream", "profile", "edits", "locks", "half_written", "dropped", "ids", "desktop", "restart",
			"editor", "editor_page", "mixed_content", "frame", "proof_keys", "public_url", "proxy", "body_size", "cookie", "clock", "state"} {
			if len(r.of(check, "ok")) == 0 {
				t.Errorf("%s is not ok", check)
			}
		}
		if e := r.of("editor", "ok")[0]; !strings.Contains(e.Text, "edits docx, odt. It shows pdf.") || e.About != editor.URL {
			t.Errorf("%+v", e)
		}
		out, err := d.Run("doctor")
		if err != nil || !strings.Contains(out, "ok      ") || strings.Contains(out, "{") {
			t.Errorf("%v: %s", err, out)
		}
		if left, _ := filepath.Glob(filepath.Join(d.State, ".doctor-*")); left != nil {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("an editor that forbids the frame", func(t *testing.T) {
		inner := office.NewEditor(t, wopi.OnlyOffice, true, "odt")
		var base string
		outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Frame-Options", "DENY")
			if r.URL.Path == "/hosting/discovery" {
				_, _ = w.Write(office.Discovery(wopi.OnlyOffice, base, office.Keys{Current: inner.Current}, "odt"))
			}
		}))
		t.Cleanup(outer.Close)
		base = outer.URL
		d := daemon.Start(t, fmt.Sprintf("editors: [%q]\n", outer.URL))
		r, status := examined(t, d)
		found := r.of("frame", "error")
		if status != 1 || len(found) != 1 || found[0].Paste[0].Text != "proxy_hide_header X-Frame-Options;" || r.Findings[0].Check != "frame" {
			t.Errorf("exit status %d: %+v", status, r.Findings)
		}
		out, err := d.Run("doctor")
		if err == nil || !strings.Contains(err.Error(), "1 of ") || !strings.HasPrefix(out, "ERROR") {
			t.Errorf("%v: %s", err, out)
		}
		out, err = d.RunIn("de_DE.UTF-8", "doctor")
		if err == nil || !strings.Contains(err.Error(), "1 von ") || !strings.HasPrefix(out, "FEHLER") ||
			!strings.Contains(out, "Seine Seite verbietet (X-Frame-Options)") || !strings.Contains(out, "nginx vor dem Editor") {
			t.Errorf("in German: %v: %s", err, out)
		}
		if out, err = d.RunIn("de_DE.UTF-8", "doctor", "-json"); err == nil || !strings.Contains(out, "Its page forbids (X-Frame-Options)") {
			t.Errorf("what scripts read is English: %v: %s", err, out)
		}
	})
	t.Run("without a daemon", func(t *testing.T) {
		d := daemon.Start(t, "")
		d.Stop()
		r, status := examined(t, d)
		if status != 1 || r.Running || len(r.of("daemon", "error")) != 1 || len(r.of("state", "ok")) == 0 {
			t.Errorf("exit status %d: %+v", status, r.Findings)
		}
		if out, _ := d.RunIn("de_DE.UTF-8", "doctor"); !strings.Contains(out, "davwopi läuft nicht") { // it ends with 1, as it did in English
			t.Errorf("in German: %s", out)
		}
		d.Restart() // nothing was left that keeps it from starting
	})
}

// TestDoctorOnARealServer: what was measured is told, anew on demand, and no password.
func TestDoctorOnARealServer(t *testing.T) {
	needDaemon(t)
	s := upstream.Nginx(t)
	d := daemon.Start(t, serviceConfig(s))
	measured(t, d, 1)
	r, status := examined(t, d)
	if status != 0 || len(r.of("edits", "hint")) != 1 || len(r.of("restart", "hint")) != 1 || len(r.of("desktop", "warning")) != 1 {
		t.Errorf("exit status %d: %+v", status, r.Findings)
	}
	if p := r.of("profile", "ok"); len(p) != 1 || !strings.Contains(p[0].Text, "nginx") {
		t.Errorf("%+v", p)
	}
	if _, status := examined(t, d, "-probe"); status != 0 {
		t.Errorf("-probe: %d", status)
	}
	measured(t, d, 2)
	out, err := d.Run("doctor")
	if err != nil || strings.Contains(out, s.Password) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestDoctorPage: the first link's holder sees it, and those in admins; nobody else.
func TestDoctorPage(t *testing.T) {
	needDaemon(t)
	d := daemon.Start(t, "admins: [Jo]\n")
	again, err := d.Run("invite", "-owner")
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{d.Link: 200, strings.TrimSpace(again): 200, d.Invite("jo"): 200, d.Invite("Ann"): 404} {
		page := get(t, d.Browser(who), d.URL+"/doctor", want)
		if strings.Contains(page, "Check-up") != (want == 200) || strings.Contains(page, "This address leads here.") != (want == 200) {
			t.Errorf("want %d, got %.200s", want, page)
		}
	}
}
