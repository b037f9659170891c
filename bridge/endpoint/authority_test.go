package endpoint_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
)

// The name of a file changes behind our back to one that the rules speak of.
func TestAPlaceThatIsFoundIsAskedAbout(t *testing.T) {
	rules := []access.Rule{
		{Who: []string{"*"}, Path: "/hidden.txt"},
		{Who: []string{"*"}, Path: "/read.txt", Rights: access.View},
	}
	for _, c := range []struct {
		name, to         string
		look, lock, drop int
	}{
		{"a name that the rules hide is not found", "hidden.txt", 404, 404, 404},
		{"a name that is read-only can only be read", "read.txt", 200, 404, 501},
		{"another name of the same rights", "free.txt", 200, 200, 200},
	} {
		// One operation per file: the first that looks writes the new place down.
		for op, want := range map[string]int{"": c.look, wopi.OverrideLock: c.lock, wopi.OverrideDelete: c.drop} {
			t.Run(c.name+" "+op, func(t *testing.T) {
				r := newRig(t, rules...)
				r.server.Write(t, "a.txt", "secret")
				e := r.at("/a.txt")
				token, _ := r.open(e, "s")
				r.must(os.Rename(filepath.Join(r.server.Dir, "a.txt"), filepath.Join(r.server.Dir, c.to)))
				method, lock := http.MethodPost, ""
				if op == "" {
					method = http.MethodGet
				}
				if op == wopi.OverrideLock {
					lock = "L"
				}
				if got := r.ask(r.handler(e, ""), method, token, op, lock); got != want {
					t.Errorf("%d, want %d", got, want)
				}
			})
		}
	}
}

func TestTheUnsignedAddressOpensWithItsOwnTokenOnly(t *testing.T) {
	r := newRig(t)
	r.server.Write(t, "a.txt", "a")
	r.server.Write(t, "b.txt", "b")
	e := r.at("/a.txt")
	token, g := r.open(e, "s")
	h := r.FileURLHandler(r.look, func(*http.Request) string { return string(e.ID) })
	own, err := r.Tokens.DeriveFileURL(t.Context(), g, e.Revision.Number)
	r.must(err)
	g.File = r.at("/b.txt").ID
	another, err := r.Tokens.DeriveFileURL(t.Context(), g, e.Revision.Number)
	r.must(err)
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"the editor's own token":          {token, 401},
		"a derived token":                 {r.Tokens.Derive(g, e.ID), 401},
		"the token of another FileUrl":    {another, 401},
		"the token of FileUrl":            {own, 200},
		"the token of FileUrl, tampered":  {tampered(own), 401},
		"the token of FileUrl, cut short": {own[:len(own)-1], 401},
	} {
		if got := r.ask(h, "GET", c.token, "", ""); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := r.ask(r.handler(e, ""), "GET", own, "", ""); got != 401 {
		t.Errorf("the token of FileUrl opens CheckFileInfo: %d", got)
	}
	r.forward(access.FileURLLife - time.Second)
	if got := r.ask(h, "GET", own, "", ""); got != 200 {
		t.Errorf("before its end: %d", got)
	}
	r.forward(time.Second)
	if got := r.ask(h, "GET", own, "", ""); got != 401 {
		t.Errorf("after five minutes: %d", got)
	}
}

// tampered is token with another letter in its middle: those at its end may have bits that
// say nothing.
func tampered(token string) string {
	at, other := len(token)/2, "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// signedOut is a rig with a token whose person has signed out of an editing with
// the lock ID "L".
func signedOut(t *testing.T, content string) (*rig, func(method, override, lock string) int) {
	t.Helper()
	r := newRig(t)
	r.server.Write(t, "a.txt", content)
	e := r.at("/a.txt")
	token, _ := r.open(e, "s")
	ask := func(method, override, lock string) int {
		suffix := ""
		if override == wopi.OverridePut {
			suffix = "contents"
		}
		return r.ask(r.handler(e, suffix), method, token, override, lock)
	}
	if got := ask("POST", wopi.OverrideLock, "L"); got != 200 {
		t.Fatalf("Lock: %d", got)
	}
	members, err := r.Locks.Members(t.Context())
	r.must(err)
	r.must(r.Tokens.SignedOut(t.Context(), "s", members))
	return r, ask
}

func TestSignedOutSavesTheOpenEditing(t *testing.T) {
	_, ask := signedOut(t, "text")
	for _, c := range []struct {
		override, lock string
		want           int
	}{
		{wopi.OverrideLock, "L", 200},
		{wopi.OverridePut, "L", 200},
		{wopi.OverridePut, "other", 409},
		{wopi.OverrideLock, "other", 409},
		{wopi.OverridePut, "", 401},
		{wopi.OverrideDelete, "", 401},
		{wopi.OverrideUnlock, "L", 200},
		{wopi.OverridePut, "L", 200}, // the exit save of an editor that unlocks first
	} {
		if got := ask("POST", c.override, c.lock); got != c.want {
			t.Errorf("%s %q: %d, want %d", c.override, c.lock, got, c.want)
		}
	}
}

func TestSignedOutBeginsNothing(t *testing.T) {
	t.Run("after the editing ended", func(t *testing.T) {
		_, ask := signedOut(t, "text")
		ask("POST", wopi.OverrideUnlock, "L")
		for _, lock := range []string{"L", "fresh"} {
			if got := ask("POST", wopi.OverrideLock, lock); got != 401 {
				t.Errorf("Lock %s: %d", lock, got)
			}
		}
	})
	t.Run("after its lock expired", func(t *testing.T) {
		r, ask := signedOut(t, "text")
		r.forward(31 * time.Minute)
		if got := ask("POST", wopi.OverrideLock, "fresh"); got != 401 {
			t.Errorf("a new lock ID: %d", got)
		}
		if got := ask("POST", wopi.OverrideLock, "L"); got != 200 {
			t.Errorf("the editing's lock ID: %d", got)
		}
	})
	t.Run("in an empty file", func(t *testing.T) {
		_, ask := signedOut(t, "")
		ask("POST", wopi.OverrideUnlock, "L")
		if got := ask("POST", wopi.OverridePut, "fresh"); got != 401 {
			t.Errorf("PutFile with a new lock ID: %d", got)
		}
		if got := ask("POST", wopi.OverridePut, ""); got != 401 {
			t.Errorf("PutFile without a lock ID: %d", got)
		}
	})
}
