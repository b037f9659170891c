package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/oauth"
)

func readLines(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	var list []map[string]any
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, in.Bytes())
		}
		list = append(list, line)
	}
	return list
}

func TestAuditIsReopenedAndNeverTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	open := func() *Audit {
		a, err := OpenAudit(path, nil, false, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	const peer = "192.0.2.7:4711"
	anna := oauth.Principal{Issuer: "upstream:main", Subject: "anna", Name: "Anna"}
	a.Deed(t.Context(), peer, Deed{What: "sign_in", Who: anna, By: "browser"})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open()
	a.Deed(t.Context(), peer, Deed{What: "sign_in", Tried: strings.Repeat("x", 1000), By: "browser", Err: fmt.Errorf("for /secret.docx: %w", oauth.ErrRefused)})
	if err := os.Rename(path, path+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	a.Deed(t.Context(), "", Deed{What: "release", File: "abc", By: "command", Name: "/secret.docx"})
	if err := a.Reopen(); err != nil {
		t.Fatal(err)
	}
	a.Deed(t.Context(), "", Deed{What: "undo", ID: "1", By: "command"})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path + ".1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(old), "secret.docx") {
		t.Errorf("the name of a document: %s", old)
	}
	lines := readLines(t, old)
	if len(lines) != 3 {
		t.Fatalf("%d lines before the rotation: %s", len(lines), old)
	}
	if l := lines[0]; l["what"] != "sign_in" || l["done"] != true || l["from"] != "192.0.2.7" || l["subject"] != "anna" || l["user_id"] != anna.UserID() {
		t.Errorf("%v", l)
	}
	if l := lines[1]; l["done"] != false || l["reason"] != oauth.ErrRefused.Error() || len(l["tried"].(string)) != 128 {
		t.Errorf("%v", l)
	}
	fresh, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := readLines(t, fresh); len(lines) != 1 || lines[0]["what"] != "undo" {
		t.Errorf("after the rotation: %s", fresh)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAuditNamesDocumentsIfAsked(t *testing.T) {
	var out bytes.Buffer
	a, err := OpenAudit("-", &out, true, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	a.Deed(t.Context(), "", Deed{What: "delete", Name: "/a.docx"})
	if l := readLines(t, out.Bytes()); l[0]["document"] != "/a.docx" {
		t.Errorf("%s", &out)
	}
	(*Audit)(nil).Deed(t.Context(), "", Deed{What: "delete"}) // nothing is written, nothing breaks
}

// TestStrangersDoNotFillTheAudit: a minute has room for so many refusals; the rest is counted,
// and what was done is always written.
func TestStrangersDoNotFillTheAudit(t *testing.T) {
	var out bytes.Buffer
	a, err := OpenAudit("-", &out, false, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	a.now = func() time.Time { return now }
	for range 5 * mostRefused {
		a.Deed(t.Context(), "", Deed{What: "sign_in", Err: errors.New("no")})
	}
	a.Deed(t.Context(), "", Deed{What: "sign_in"})
	if n := len(readLines(t, out.Bytes())); n != mostRefused+1 {
		t.Errorf("%d lines", n)
	}
	now = now.Add(time.Minute)
	out.Reset()
	a.Deed(t.Context(), "", Deed{What: "sign_in", Err: errors.New("no")})
	if l := readLines(t, out.Bytes()); len(l) != 1 || l[0]["unsaid"] != float64(4*mostRefused) {
		t.Errorf("%s", &out)
	}
}
