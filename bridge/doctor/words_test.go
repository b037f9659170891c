package doctor_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/doctor"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/profile"
)

// facts are those that a real server has shown.
func facts(t *testing.T, server string) profile.Facts {
	t.Helper()
	text, err := os.ReadFile("../../davbackend/profile/testdata/" + server + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var f profile.Facts
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	f.At, f.Server = time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local), server+"/1"
	return f
}

// TestWords: a line for each thing that can go wrong on a server, and whether it is
// protected there.
func TestWords(t *testing.T) {
	changed := func(server string, change func(*profile.Facts)) func(*testing.T) profile.Facts {
		return func(t *testing.T) profile.Facts { f := facts(t, server); change(&f); return f }
	}
	plain := func(server string) func(*testing.T) profile.Facts { return changed(server, func(*profile.Facts) {}) }
	both := doctor.Habits{Announce: true, Respect: true}
	for _, tt := range []struct {
		name  string
		facts func(*testing.T) profile.Facts
		h     doctor.Habits
		want  string // check, severity, part of the text; one a line
	}{
		{"Apache", plain("apache"), both, `
			profile ok: measured on 28 November 2026: Apache (it calls itself "apache/1")
			edits ok: Home NAS itself refuses the save at that very moment
			locks ok: kept out by a lock on Home NAS, for 30 minutes at a time
			half_written ok: replaces a file in one step
			dropped ok: the old file stays
			ids hint: A file that another program renames or moves gets new links
			desktop ok: LibreOffice is told by its lock file
			restart ok: its locks stay`},
		{"nginx", plain("nginx"), both, `
			profile ok: nginx
			edits hint: the file is locked, then looked at, then written
			locks ok: for 60 minutes at a time
			half_written ok: replaces a file in one step
			dropped ok: the old file stays
			ids hint: new links
			desktop ok: LibreOffice is told
			desktop warning: hides names that begin with a dot
			restart hint: it forgets its locks`},
		{"lighttpd", plain("lighttpd"), both, `
			profile ok: lighttpd
			edits ok: itself refuses
			locks ok: for 10 minutes at a time
			half_written ok: in one step
			dropped ok: the old file stays
			ids hint: new links
			desktop ok: LibreOffice is told
			restart ok: its locks stay
			names hint: no names longer than 200 bytes`},
		{"rclone", plain("rclone"), both, `
			profile ok: none of those known well (it calls itself "rclone/1")
			edits hint: WebDAV programs cannot come in between
			locks ok: They are not told who holds it
			half_written ok: a save goes to a temporary name
			dropped ok: only the temporary file is broken
			ids hint: new links
			desktop ok: LibreOffice is told
			restart hint: it may forget its locks`},
		{"davwopi's own server", func(*testing.T) profile.Facts { return profile.Embedded() }, doctor.Habits{Respect: true}, `
			profile ok: is served by davwopi itself
			edits ok: itself refuses
			locks ok: kept out
			half_written ok: in one step
			dropped ok: the old file stays
			ids ok: numbers of its own
			desktop hint: are not told that a document is open here
			restart ok: its locks stay`},
		{"neither locks nor conditions", changed("rclone", func(f *profile.Facts) { f.Lock = "none" }), both, `
			profile ok: measured
			edits warning: What somebody writes in that moment is lost
			locks warning: not kept out, Home NAS has no locks
			half_written ok: temporary name
			dropped ok: temporary file
			ids hint: new links
			desktop ok: told`},
		{"locks that hold nobody off", changed("rclone", func(f *profile.Facts) { f.Lock = "protects nothing" }), both, `
			profile ok: measured
			edits warning: lost
			locks warning: lets everybody write all the same
			half_written ok: temporary name
			dropped ok: temporary file
			ids hint: new links
			desktop ok: told`},
		{"it could not be found out", func(*testing.T) profile.Facts { return profile.Facts{At: time.Now(), LongestName: 255} }, doctor.Habits{}, `
			profile ok: measured
			edits warning: lost
			locks warning: could not be found out
			half_written ok: temporary name
			dropped ok: temporary file
			ids hint: new links
			desktop warning: is not seen here`},
		{"a server that shows pieces and lets nothing be moved over a locked file", changed("rclone", func(f *profile.Facts) { f.MoveOntoLocked = "refused" }), both, `
			profile ok: measured
			edits hint: locked, then looked at
			locks ok: kept out
			half_written hint: readers may see a piece
			dropped ok: temporary file
			ids hint: new links
			desktop ok: told
			restart hint: may forget`},
		{"native IDs and strange names", changed("apache", func(f *profile.Facts) {
			f.NativeID, f.CaseIsSame, f.NFDIsNFC, f.SameSecondEdit = "oc:id", true, true, false
		}), both, `
			profile ok: Apache
			edits ok: Two edits of equal length within one second look the same to it
			locks ok: kept out
			half_written ok: in one step
			dropped ok: old file stays
			ids ok: numbers of its own
			desktop ok: told
			restart ok: stay
			names hint: in capital and small letters and in both ways to write an accent is the same file`},
		{"Nextcloud with files_lock, saved to in pieces", plain("nextcloud"), both, `
			profile ok: a Nextcloud, or one of its family (it calls itself "nextcloud/1")
			edits ok: itself refuses
			locks ok: kept out
			half_written hint: Only while Home NAS then puts them together
			dropped ok: only one piece is sent again
			ids ok: numbers of its own
			desktop ok: told
			restart hint: may forget
			names hint: no names longer than 250 bytes
			names hint: in both ways to write an accent is the same file`},
		{"Nextcloud without files_lock", plain("nextcloud-plain"), both, `
			profile ok: Nextcloud
			edits ok: itself refuses
			locks warning: Home NAS has no locks
			half_written ok: temporary name
			dropped ok: temporary file
			ids ok: numbers of its own
			desktop ok: told
			names hint: 250 bytes
			names hint: accent`},
		{"OpenCloud", plain("opencloud"), both, `
			profile ok: OpenCloud
			edits ok: itself refuses
			locks ok: kept out
			half_written ok: in one step
			dropped ok: the old file stays
			ids ok: numbers of its own
			desktop ok: told
			restart ok: its locks stay`},
		{"read-only", changed("apache", func(f *profile.Facts) { f.ReadOnly = true }), both, `
			profile ok: Apache
			edits hint: open for reading only`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts(t)
			used := f.Profile()
			used.Chunked = used.Chunked || strings.Contains(tt.name, "in pieces")
			if f.Kind == "embedded" {
				used = davbackend.Embedded
			}
			got := doctor.Words("Home NAS", f, used, tt.h)
			inEveryLanguage(t, got)
			want := strings.Split(strings.TrimSpace(tt.want), "\n")
			for i, g := range got {
				if i >= len(want) {
					t.Errorf("one more: %s %s: %s", g.Check, g.Severity, g.Text)
					continue
				}
				head, text, _ := strings.Cut(strings.TrimSpace(want[i]), ": ")
				if g.Check+" "+string(g.Severity) != head || !strings.Contains(g.Text, text) {
					t.Errorf("got  %s %s: %s\nwant %s: ... %s", g.Check, g.Severity, g.Text, head, text)
				}
				if strings.ContainsAny(g.Text, "\n\r") || g.About != "" {
					t.Errorf("not one line, or about something: %+v", g)
				}
			}
			if len(got) < len(want) {
				t.Errorf("missing: %q", want[len(got):])
			}
		})
	}
}

// TestInGerman: whole sentences, as they are read.
func TestInGerman(t *testing.T) {
	german, _ := words.Named("de")
	f := facts(t, "nginx")
	said := map[string]string{}
	for _, g := range (doctor.Report{Findings: doctor.Words("Heim-NAS", f, f.Profile(), doctor.Habits{Announce: true, Respect: true})}).In(german).Findings {
		said[g.Check] = g.Text
	}
	for check, want := range map[string]string{
		"profile": `Heim-NAS wurde am 28. November 2026 gemessen: nginx (nennt sich "nginx/1").`,
		"locks":   "Andere WebDAV-Programme, solange ein Dokument offen ist: Eine Sperre auf Heim-NAS hält sie draußen, jeweils für 60 Minuten und immer wieder verlängert.",
		"dropped": "Bricht ein Speichern ab: Die alte Datei bleibt. Der Inhalt bleibt hier, bis er nachweislich auf Heim-NAS liegt.",
	} {
		if said[check] != want {
			t.Errorf("%s: %q", check, said[check])
		}
	}
}

// TestNoServerSpeaksForUs: what a server calls itself reaches a terminal only when it
// cannot do anything there.
func TestNoServerSpeaksForUs(t *testing.T) {
	f := facts(t, "rclone")
	f.Server = "evil\x1b[2J\r\nerror: \u009b31m" + strings.Repeat("x", 500)
	got := doctor.Words("NAS", f, f.Profile(), doctor.Habits{})[0].Text
	if len(got) > 250 || strings.ContainsAny(got, "\x1b\r\n\u009b") {
		t.Errorf("%q", got)
	}
}
