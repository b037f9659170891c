//go:build linux

package localdav

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/webdav"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

func TestLock(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		a := h.want(200, "LOCK", "/f", fmt.Sprintf(lockBody, "exclusive", "Ann &amp; <D:href>mailto:ann</D:href>"),
			"Depth: 0", "Timeout: Second-600")
		token := strings.Trim(a.header.Get("Lock-Token"), "<>")
		locks := activeLocks(t, a.body)
		if len(locks) != 1 || locks[0].Token != dav.LockToken(token) || !locks[0].Exclusive || locks[0].Infinite ||
			locks[0].Timeout != 600*time.Second || locks[0].Root != "/f" || !strings.Contains(locks[0].Owner, "Ann &") {
			t.Error(locks)
		}
		a = h.want(207, "PROPFIND", "/f", `<propfind xmlns="DAV:"><prop><lockdiscovery/><supportedlock/></prop></propfind>`, "Depth: 0")
		if !strings.Contains(a.body, token) || !strings.Contains(a.body, "mailto:ann") || !strings.Contains(a.body, "<D:shared/>") {
			t.Error(a.body)
		}
		if err := checkXML([]byte(a.body)); err != nil {
			t.Error(err)
		}
		for _, m := range [][]string{
			{"PUT", "/f"},
			{"DELETE", "/f"},
			{"MOVE", "/f", "Destination: URL/g"},
			{"PROPPATCH", "/f"},
			{"LOCK", "/f"},
		} {
			body := map[string]string{"LOCK": fmt.Sprintf(lockBody, "exclusive", "Bob"), "PROPPATCH": setProperty("n", "p", "1")}[m[0]]
			if a := h.want(423, m[0], m[1], body, m[2:]...); !strings.Contains(a.body, "<D:href>/f</D:href>") {
				t.Error(m, a.body)
			}
			h.want(412, m[0], m[1], body, append(m[2:], "If: (<opaquelocktoken:0>)")...)
		}
		h.want(201, "COPY", "/f", "", "Destination: URL/copy")
		h.want(423, "COPY", "/copy", "", "Destination: URL/f")
		h.want(204, "COPY", "/copy", "", "Destination: URL/f", "If: <URL/f> (<"+token+">)")
		h.want(204, "PUT", "/f", "x", "If: (<"+token+">)")
		h.want(204, "PUT", "/f", "x", "If: <URL/f> (<"+token+">)")
		h.want(204, "PUT", "/f", "x", "If: </f> (<"+token+"> ["+h.etag("/f")+"])")
		h.want(412, "PUT", "/f", "x", "If: (<"+token+"> [\"wrong\"])")
		h.want(204, "PUT", "/f", "x", "If: (Not <DAV:no-lock>) (<"+token+">)")
		h.want(423, "PUT", "/f", "x", "If: (Not <DAV:no-lock>)")
		h.want(409, "UNLOCK", "/copy", "", "Lock-Token: <"+token+">")
		h.want(409, "UNLOCK", "/f", "", "Lock-Token: <opaquelocktoken:0>")
		h.want(400, "UNLOCK", "/f", "", "Lock-Token: "+token)
		h.want(400, "UNLOCK", "/f", "")
		h.want(423, "PUT", "/f", "x")
		h.want(204, "UNLOCK", "/f", "", "Lock-Token: <"+token+">")
		h.want(409, "UNLOCK", "/f", "", "Lock-Token: <"+token+">")
		h.want(204, "PUT", "/f", "x")
		if p := h.prop("/f", "lockdiscovery"); p != "" {
			t.Error(p)
		}
	})
}

func activeLocks(t *testing.T, body string) []dav.ActiveLock {
	t.Helper()
	e, err := dav.DecodeElement(strings.NewReader(body), dav.Limits{})
	must(t, err)
	locks, err := dav.ParseLockAnswer(e)
	must(t, err)
	return locks
}

// Locks end by the database's clock, are refreshed, and survive a restart.
func TestLockTimes(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		db.SetClock(func() time.Time { return now })
		h := openHouse(t, t.TempDir(), db)
		h.want(201, "PUT", "/f", "x")
		token := h.take("/f", "Depth: 0", "Timeout: Second-60")
		now = now.Add(50 * time.Second)
		if l := h.prop("/f", "lockdiscovery"); !strings.Contains(l, "Second-10<") {
			t.Error("the time left is not 10 s", l)
		}
		a := h.want(200, "LOCK", "/f", "", "If: (<"+token+">)", "Timeout: Second-1800")
		if l := activeLocks(t, a.body); len(l) != 1 || l[0].Timeout != 1800*time.Second || l[0].Owner != "Ann" ||
			a.header.Get("Lock-Token") != "" {
			t.Error(l)
		}
		now = now.Add(1799 * time.Second)
		h = h.reopen()
		h.want(423, "PUT", "/f", "x")
		h.want(204, "PUT", "/f", "x", "If: (<"+token+">)")
		now = now.Add(time.Second)
		h.want(412, "LOCK", "/f", "", "If: (<"+token+">)")
		h.want(412, "PUT", "/f", "x", "If: (<"+token+">)")
		h.want(409, "UNLOCK", "/f", "", "Lock-Token: <"+token+">")
		h.want(204, "PUT", "/f", "x")
		for timeout, want := range map[string]time.Duration{
			"": time.Hour, "Infinite": time.Hour, "Infinite, Second-4100000000": time.Hour, "Second-1": time.Second,
			"Second-0": time.Hour, "nonsense": time.Hour, "Second-99999999999999999999": time.Hour,
		} {
			a := h.want(200, "LOCK", "/f", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Timeout: "+timeout)
			if l := activeLocks(t, a.body); len(l) != 1 || l[0].Timeout != want {
				t.Error(timeout, l)
			}
			h.want(204, "UNLOCK", "/f", "", "Lock-Token: "+a.header.Get("Lock-Token"))
		}
	})
}

func TestLockOnNothing(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		a := h.want(201, "LOCK", "/new", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 0")
		if h.read("new") != "" || len(h.names(".")) != 1 {
			t.Error(h.names("."))
		}
		h.want(423, "PUT", "/new", "x")
		h.want(204, "PUT", "/new", "x", "If: (<"+strings.Trim(a.header.Get("Lock-Token"), "<>")+">)")
		h.want(409, "LOCK", "/none/new", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 0")
		h.want(409, "LOCK", "/new/x", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 0")
		h.want(409, "LOCK", "/folder/", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 0")
		h.want(400, "LOCK", "/other", fmt.Sprintf(lockBody, "exclusive", "Ann"), "Depth: 1")
		h.want(400, "LOCK", "/other", fmt.Sprintf(lockBody, "sideways", "Ann"), "Depth: 0")
		h.want(400, "LOCK", "/other", "<lockinfo/>")
		h.want(400, "LOCK", "/other", "")
		h.want(400, "LOCK", "/other", fmt.Sprintf(lockBody, "exclusive", strings.Repeat("x", maxOwner+1)))
		h.absent("other")
		folders, err := h.s.state.tempFolders(t.Context())
		if err != nil || len(folders) != 1 {
			t.Error("folders that are not there were recorded", folders, err)
		}
	})
}

// Locks are on URLs: they end with the resource and do not travel.
func TestLocksEndWithTheirResource(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		token := h.take("/f")
		h.want(204, "DELETE", "/f", "", "If: (<"+token+">)")
		h.want(201, "PUT", "/f", "x")
		for _, form := range []string{"If: (<TOKEN>)", "If: <URL/f> (<TOKEN>)", "If: </f> (<TOKEN>)"} {
			token = h.take("/f")
			h.want(201, "MOVE", "/f", "", "Destination: URL/g", strings.ReplaceAll(form, "TOKEN", token))
			if h.prop("/g", "lockdiscovery") != "" {
				t.Error("the lock moved")
			}
			h.want(201, "MOVE", "/g", "", "Destination: URL/f")
			h.want(204, "PUT", "/f", "x")
		}
		t.Run("in a folder that goes", func(t *testing.T) {
			h.want(201, "MKCOL", "/d", "")
			h.want(201, "PUT", "/d/f", "x")
			token := h.take("/d/f")
			h.want(423, "DELETE", "/d", "")
			h.want(423, "MOVE", "/d", "", "Destination: URL/e")
			h.want(423, "MOVE", "/f", "", "Destination: URL/d")
			h.want(201, "MOVE", "/d", "", "Destination: URL/e", "If: </d/f> (<"+token+">)")
			h.want(204, "PUT", "/e/f", "x")
			h.want(201, "MOVE", "/e", "", "Destination: URL/d")
			h.want(204, "PUT", "/d/f", "x")
			token = h.take("/d/f")
			h.want(204, "DELETE", "/d", "", "If: </d/f> (<"+token+">)")
		})
	})
}

func TestFolderLocks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "MKCOL", "/d", "")
		h.want(201, "PUT", "/d/f", "x")
		t.Run("depth 0 keeps the members together", func(t *testing.T) {
			token := h.take("/d")
			own := "If: <URL/d> (<" + token + ">)"
			h.want(204, "PUT", "/d/f", "y")
			h.want(423, "PUT", "/d/new", "y")
			h.want(423, "MKCOL", "/d/new", "")
			h.want(423, "DELETE", "/d/f", "")
			h.want(423, "MOVE", "/d/f", "", "Destination: URL/g")
			h.want(423, "COPY", "/d/f", "", "Destination: URL/d/g")
			h.want(423, "LOCK", "/d/new", fmt.Sprintf(lockBody, "exclusive", "Bob"))
			h.want(201, "PUT", "/d/new", "y", own)
			h.want(204, "DELETE", "/d/new", "", own)
			h.want(204, "UNLOCK", "/d", "", "Lock-Token: <"+token+">")
		})
		t.Run("depth infinity covers everything", func(t *testing.T) {
			token := h.take("/d", "Depth: infinity")
			h.want(423, "PUT", "/d/f", "y")
			h.want(423, "PUT", "/d/new", "y")
			h.want(423, "LOCK", "/d/f", fmt.Sprintf(lockBody, "shared", "Bob"))
			h.want(204, "PUT", "/d/f", "y", "If: (<"+token+">)")
			h.want(201, "PUT", "/d/new", "y", "If: (<"+token+">)")
			if l := h.prop("/d/f", "lockdiscovery"); !strings.Contains(l, token) || !strings.Contains(l, "<D:href>/d</D:href>") {
				t.Error(l)
			}
			a := h.want(207, "PROPFIND", "/d", `<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>`, "Depth: 1")
			if strings.Count(a.body, token) != 3 {
				t.Error(a.body)
			}
			h.want(204, "UNLOCK", "/d/f", "", "Lock-Token: <"+token+">")
			h.want(204, "DELETE", "/d/new", "")
		})
		t.Run("a lock below is in the way", func(t *testing.T) {
			token := h.take("/d/f")
			h.want(423, "LOCK", "/d", fmt.Sprintf(lockBody, "exclusive", "Bob"), "Depth: infinity")
			h.want(423, "LOCK", "/", fmt.Sprintf(lockBody, "exclusive", "Bob"), "Depth: infinity")
			other := h.take("/d", "Depth: 0")
			h.want(204, "UNLOCK", "/d", "", "Lock-Token: <"+other+">")
			h.want(204, "UNLOCK", "/d/f", "", "Lock-Token: <"+token+">")
		})
		t.Run("the root", func(t *testing.T) {
			token := h.take("/", "Depth: infinity")
			h.want(423, "PUT", "/d/f", "y")
			h.want(423, "PUT", "/new", "y")
			h.want(204, "UNLOCK", "/", "", "Lock-Token: <"+token+">")
		})
	})
}

func TestSharedLocks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		ann, bob := h.takeAs("shared", "/f"), h.takeAs("shared", "/f")
		h.want(423, "LOCK", "/f", fmt.Sprintf(lockBody, "exclusive", "Eve"), "Depth: 0")
		h.want(423, "PUT", "/f", "y")
		h.want(204, "PUT", "/f", "y", "If: (<"+ann+">)")
		h.want(204, "PUT", "/f", "y", "If: (<"+bob+">)")
		if l := h.prop("/f", "lockdiscovery"); !strings.Contains(l, ann) || !strings.Contains(l, bob) {
			t.Error(l)
		}
		h.want(204, "UNLOCK", "/f", "", "Lock-Token: <"+ann+">")
		h.want(423, "PUT", "/f", "y")
		h.want(412, "PUT", "/f", "y", "If: (<"+ann+">)")
		h.want(204, "UNLOCK", "/f", "", "Lock-Token: <"+bob+">")
		h.take("/f")
	})
}

// The rule itself (RFC 4918 6.2, 7.3, 7.4, 9.6.1).
func TestInTheWay(t *testing.T) {
	ex := func(token, key string) lock { return lock{token: dav.LockToken(token), key: key} }
	inf := func(l lock) lock { l.infinite = true; return l }
	sh := func(l lock) lock { l.shared = true; return l }
	for _, c := range []struct {
		name   string
		locks  []lock
		tokens string
		claim  claim
		locked bool
	}{
		{"no lock", nil, "", claim{key: "/a"}, false},
		{"own", []lock{ex("1", "/a")}, "1", claim{key: "/a"}, false},
		{"another's", []lock{ex("1", "/a")}, "2", claim{key: "/a"}, true},
		{"a name that begins the same", []lock{inf(ex("1", "/a"))}, "", claim{key: "/ab"}, false},
		{"depth 0 above", []lock{ex("1", "/")}, "", claim{key: "/a"}, false},
		{"depth 0 above, name comes or goes", []lock{ex("1", "/")}, "", claim{key: "/a", member: true}, true},
		{"depth 0 two above", []lock{ex("1", "/")}, "", claim{key: "/a/b", member: true}, false},
		{"infinity far above", []lock{inf(ex("1", "/"))}, "", claim{key: "/a/b/c"}, true},
		{"below", []lock{ex("1", "/a/b/c")}, "", claim{key: "/a"}, false},
		{"below, whole tree", []lock{ex("1", "/a/b/c")}, "", claim{key: "/a", tree: true}, true},
		{"both of two", []lock{ex("1", "/"), ex("2", "/a")}, "2", claim{key: "/a", member: true}, true},
		{"shared, one is enough", []lock{sh(ex("1", "/a")), sh(ex("2", "/a"))}, "2", claim{key: "/a"}, false},
		{"shared, none", []lock{sh(ex("1", "/a")), sh(ex("2", "/a"))}, "3", claim{key: "/a"}, true},
		{"shared elsewhere does not help", []lock{sh(ex("1", "/a")), sh(ex("2", "/b"))}, "2", claim{key: "/a"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tokens := map[dav.LockToken]bool{dav.LockToken(c.tokens): true}
			if _, got := inTheWay(c.locks, tokens, []claim{c.claim}); got != c.locked {
				t.Error(got)
			}
		})
	}
}

// What x/net's Handler sees of the locks.
func TestLockSystem(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := openHouse(t, t.TempDir(), db)
		h.want(201, "PUT", "/f", "x")
		token := h.take("/f")
		ls := lockSystem{t.Context(), h.s}
		now := time.Time{}
		if _, err := ls.Create(now, webdav.LockDetails{Root: "/f", ZeroDepth: true}); err != webdav.ErrLocked {
			t.Error(err)
		}
		if _, err := ls.Confirm(now, "/f", ""); err != webdav.ErrConfirmationFailed {
			t.Error(err)
		}
		release, err := ls.Confirm(now, "/f", "/g", webdav.Condition{Token: token})
		must(t, err)
		if _, err := ls.Confirm(now, "/f", "", webdav.Condition{Token: token}); err != webdav.ErrConfirmationFailed {
			t.Error("confirmed twice at once", err)
		}
		release()
		short, err := ls.Create(now, webdav.LockDetails{Root: "/g", ZeroDepth: true})
		must(t, err)
		if _, err := ls.Create(now, webdav.LockDetails{Root: "/g", ZeroDepth: true}); err != webdav.ErrLocked {
			t.Error(err)
		}
		if p := h.count(`SELECT COUNT(*) FROM localdav_lock`); p != 1 {
			t.Error("a short lock was stored", p)
		}
		must(t, ls.Unlock(now, short))
		if d, err := ls.Refresh(now, token, time.Minute); err != nil || d.Root != "/f" || d.Duration != time.Minute {
			t.Error(d, err)
		}
		must(t, ls.Unlock(now, token))
		if err := ls.Unlock(now, token); err != webdav.ErrNoSuchLock {
			t.Error(err)
		}
		if _, err := ls.Refresh(now, token, time.Minute); err != webdav.ErrNoSuchLock {
			t.Error(err)
		}
		fs := fileSystem{h.s}
		if _, err := fs.OpenFile(t.Context(), "/new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666); err == nil {
			t.Error("opened for writing")
		}
		h.absent("new")
	})
}

func (h *house) count(query string) int {
	h.t.Helper()
	var n int
	must(h.t, h.db.Read().QueryRow(h.t.Context(), query).Scan(&n))
	return n
}

func TestTooManyLocks(t *testing.T) {
	h := newHouse(t)
	must(t, h.db.Write(t.Context(), func(tx sqldb.Queryer) error {
		for i := range maxLocks {
			if _, err := tx.Exec(t.Context(), `INSERT INTO localdav_lock (token, folder, spot, place, root, infinite, shared, owner, expires)
				VALUES (?, ?, ?, '/x', '/x', 0, 1, '', ?)`, fmt.Sprint(i), h.s.state.folder, spot("/x"), int64(1)<<50); err != nil {
				return err
			}
		}
		return nil
	}))
	h.want(201, "PUT", "/f", "x")
	h.want(507, "LOCK", "/f", fmt.Sprintf(lockBody, "exclusive", "Ann"))
	must(t, h.db.Write(t.Context(), func(tx sqldb.Queryer) error {
		_, err := tx.Exec(t.Context(), `UPDATE localdav_lock SET expires = 1`)
		return err
	}))
	h.take("/f")
	if n := h.count(`SELECT COUNT(*) FROM localdav_lock`); n != 1 {
		t.Error("expired locks stay", n)
	}
}

func FuzzLockInfo(f *testing.F) {
	for _, owner := range []string{"Ann", "<a xmlns='b' c='d'>x</a>", "a &lt; b", "<D:href>x</D:href>"} {
		f.Add(fmt.Sprintf(lockBody, "exclusive", owner))
	}
	f.Add("<x/>")
	f.Fuzz(func(t *testing.T, body string) {
		if checkXML([]byte(body)) != nil {
			return
		}
		l, err := parseLockInfo([]byte(body))
		if err != nil {
			return
		}
		// What is stored can be sent in any document, and reads the same there.
		again := fmt.Sprintf(lockBody, "shared", l.owner)
		if err := checkXML([]byte(again)); err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		second, err := parseLockInfo([]byte(again))
		if err != nil || second.owner != l.owner {
			t.Fatalf("%q -> %q %v", l.owner, second.owner, err)
		}
	})
}
