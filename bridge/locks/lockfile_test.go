package locks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

func TestOfficeLockNames(t *testing.T) {
	// Word: 8 or more characters before the extension lose two, 7 lose one.
	for name, want := range map[string]string{
		"document.docx":    "~$cument.docx",
		"documents.docx":   "~$cuments.docx",
		"seven77.docx":     "~$even77.docx",
		"sixsix.docx":      "~$sixsix.docx",
		"a.doc":            "~$a.doc",
		"überblick.DOCX":   "~$erblick.DOCX",
		"überbli.docx":     "~$berbli.docx",
		"long table.xlsx":  "~$long table.xlsx",
		"long slides.pptx": "~$long slides.pptx",
		"notes.txt":        "",
		"letter.odt":       "",
		"docx":             "",
		".docx":            "~$.docx",
	} {
		if got := officeLockName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestLockFileNamesAreBoundedAndBeside(t *testing.T) {
	names := lockFileNames("/a b/ü.docx")
	if len(names) != 2 || names[0].path != "/a b/.~lock.ü.docx#" || names[1].path != "/a b/~$ü.docx" {
		t.Errorf("%+v", names)
	}
	if names := lockFileNames(dav.Path("/" + strings.Repeat("x", 251) + ".txt")); len(names) != 0 {
		t.Errorf("names nobody could write: %+v", names)
	}
}

func TestHolderOfALockFile(t *testing.T) {
	for text, want := range map[string]string{
		",Zoe Zebra,zoes-pc,20.11.2026 10:00,file:///home/zoe/.config/libreoffice/4;": "Zoe Zebra", // an empty first field: the login
		"Zoe Zebra,zoe,pc,20.11.2026 10:00,file:///x;":                                "Zoe Zebra",
		",zoe,pc,20.11.2026 10:00,file:///x;":                                         "zoe",
		`Zebra\, Zoe \;-) \\,zoe,pc;`:                                                 `Zebra, Zoe ;-) \`,
		"":                                                                            "",
		";":                                                                           "",
		"Zoe":                                                                         "Zoe",
		"Zoe\r\nSet-Cookie: x,":                                                       "Zoe  Set-Cookie: x",
		"\x00\x1b[31mZ\xffoe,":                                                        "[31mZoe",
	} {
		if got := parseLockFile(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	wide := make([]byte, 162)
	copy(wide, "\x03Z?e")
	copy(wide[54:], "\x03\x00Z\x00\xf6\x00e\x00")
	for content, want := range map[string]string{
		string(wide):        "Zöe",
		"\x03Zoe":           "Zoe",
		"\x7fZoe":           "",
		"\x03":              "",
		"":                  "",
		"\x03Zoe" + zeros(): "Zoe",
	} {
		if got := parseOwnerFile([]byte(content)); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
	if got := cleanHolder(strings.Repeat("ä", 1000)); utf8.RuneCountInString(got) != maxHolder {
		t.Errorf("a name of %d characters", utf8.RuneCountInString(got))
	}
}

func zeros() string { return string(make([]byte, 158)) }

func FuzzLockFile(f *testing.F) {
	for _, s := range []string{"Zoe,zoe,pc,20.11.2026 10:00,file:///x;", ",zoe,", `a\,b\;c\\d,`, "\xff\x00;", "Anna via davwopi"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{parseLockFile(s), parseOwnerFile([]byte(s))} {
			if name != cleanHolder(name) || utf8.RuneCountInString(name) > maxHolder || strings.ContainsAny(name, "\r\n\x00") {
				t.Errorf("%q became %q", s, name)
			}
		}
		// What we write ourselves is read back.
		text := formatLockFile(s, "nonce", time.Now())
		if want := cleanHolder(s); want != "" && parseLockFile(text[1:]) != want {
			t.Errorf("%q written as %q is read as %q", want, text, parseLockFile(text[1:]))
		}
		if !(announced{nonce: "nonce"}).wrote([]byte(text)) {
			t.Errorf("%q is not known as ours", text)
		}
	})
}

func TestForeignLockFileIsNamedAndOldOnesAreIgnored(t *testing.T) {
	h := newHouse(t)
	h.Respect = true
	ctx := context.Background()
	f := h.file("document.docx", "hello")
	h.server.Write(t, ".~lock.document.docx#", "Zoe Zebra,zoe,pc,20.11.2026 10:00,file:///x;")
	target := h.target(f)
	h.server.Forget()
	m := is409(t, h.Lock(ctx, target, anna, "A"), "")
	if !m.Foreign || !strings.Contains(m.Reason, "Zoe Zebra") || !strings.Contains(m.Reason, "LibreOffice") {
		t.Errorf("%+v", m)
	}
	if h.server.Count("LOCK") != 0 || h.row(f) != nil {
		t.Error("locked all the same")
	}
	old := time.Now().Add(-lockFileLife - time.Minute)
	ok(t, os.Chtimes(filepath.Join(h.server.Dir, ".~lock.document.docx#"), old, old))
	h.server.Write(t, "~$cument.docx", "\x03Zoe")
	if m := is409(t, h.Lock(ctx, target, anna, "A"), ""); !strings.Contains(m.Reason, "Microsoft Office") || !strings.Contains(m.Reason, "Zoe") {
		t.Errorf("%+v", m)
	}
	ok(t, os.Chtimes(filepath.Join(h.server.Dir, "~$cument.docx"), old, old))
	ok(t, h.Lock(ctx, target, anna, "A"))
}

func TestLockFilesAreNotLookedForUnlessRespected(t *testing.T) {
	h := newHouse(t)
	f := h.file("document.docx", "hello")
	h.server.Write(t, ".~lock.document.docx#", "Zoe;")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
}

func TestTripsOfLockWithLockFiles(t *testing.T) {
	h := newHouse(t)
	h.Respect, h.Announce = true, true
	f := h.file("document.docx", "hello")
	target := h.target(f)
	h.server.Forget()
	ok(t, h.Lock(context.Background(), target, anna, "A"))
	for method, want := range map[string]int{"PROPFIND": 2, "LOCK": 2, "PUT": 1, "GET": 0} {
		if got := h.server.Count(method); got != want {
			t.Errorf("%d %s, want %d", got, method, want)
		}
	}
}

func TestAnnouncement(t *testing.T) {
	h := newHouse(t)
	h.Respect, h.Announce = true, true
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	const name = ".~lock.a.docx#"
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	text, there := h.server.Read(t, name)
	if !there || !strings.HasPrefix(text, ",Anna via davwopi,davwopi,") || !strings.HasSuffix(text, h.row(f).nonce+";") {
		t.Fatalf("announced %q", text)
	}
	if got := parseLockFile(text); got != "Anna via davwopi" {
		t.Errorf("LibreOffice would show %q", got)
	}
	ok(t, h.Lock(ctx, h.target(f), anna, "A")) // never taken for foreign
	h.clock.forward(time.Hour)
	ok(t, h.Lock(ctx, h.target(f), ben, "B")) // nor after it expired
	if text, _ := h.server.Read(t, name); !strings.Contains(text, h.row(f).nonce) || !strings.Contains(text, "Ben") {
		t.Errorf("announced %q", text)
	}
	ok(t, h.Unlock(ctx, h.target(f), ben, "B"))
	if _, there := h.server.Read(t, name); there {
		t.Error("stays after Unlock")
	}
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.clock.forward(Life)
	h.tend()
	if _, there := h.server.Read(t, name); there {
		t.Error("stays after expiry")
	}
}

func TestSomebodyElsesLockFileIsNeitherOverwrittenNorRemoved(t *testing.T) {
	h := newHouse(t)
	h.Announce = true // but they are not respected
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	const name, zoes = ".~lock.a.docx#", "Zoe,zoe,pc;"
	h.server.Write(t, name, zoes)
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	if got, _ := h.server.Read(t, name); got != zoes {
		t.Errorf("the lock file holds %q", got)
	}
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Write(t, name, zoes) // written over ours, by SMB
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	if got, _ := h.server.Read(t, name); got != zoes {
		t.Errorf("the lock file holds %q", got)
	}
}

func TestAnnouncementThatCannotBeRemovedIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	h.Announce = true
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	h.server.Quirks.Fail(upstream.Fault{Method: "DELETE", Times: 1, Status: 503})
	ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
	h.clock.forward(time.Minute)
	h.tend()
	if _, there := h.server.Read(t, ".~lock.a.docx#"); there || h.row(f) != nil {
		t.Error("stays")
	}
}

func TestLockHoldsWithoutAnAnnouncement(t *testing.T) {
	h := newHouse(t)
	h.Announce = true
	f := h.file("a.docx", "hello")
	h.server.Quirks.Fail(upstream.Fault{Method: "PUT", Times: 1, Status: 403})
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	ok(t, h.Unlock(context.Background(), h.target(f), anna, "A"))
	if h.row(f) != nil {
		t.Error("the row stays")
	}
}

func TestDirectoryNamedLikeALockFileIsNone(t *testing.T) {
	h := newHouse(t)
	h.Respect = true
	f := h.file("a.docx", "hello")
	ok(t, os.Mkdir(filepath.Join(h.server.Dir, ".~lock.a.docx#"), 0o777))
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
}
