package docsapi

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

// theFile is a file in its first or a later revision.
func theFile(id string, number int64) idmap.Entry {
	return idmap.Entry{ID: idmap.FileID(strings.Repeat(id, 26)), Space: 7, Kind: idmap.File, Name: "Brief.docx",
		Revision: idmap.Revision{Number: number, Version: strings.Repeat("v", int(number)) + "." + id}}
}

func TestSessionsAreRows(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		d, err := New(ctx, Docs{Endpoint: &endpoint.Endpoint{}, DB: db})
		if err != nil {
			t.Fatal(err)
		}
		key := func(f idmap.Entry, editor string) string {
			t.Helper()
			k, err := d.keyFor(ctx, f, "main", editor)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		get := func(k string) *session {
			t.Helper()
			s, err := d.session(ctx, k)
			must(err)
			return s
		}
		one, two := theFile("a", 1), theFile("a", 2)
		first := key(one, "x")
		if key(one, "x") != first || key(one, "y") == first || key(theFile("b", 1), "x") == first {
			t.Fatal("a key is not that of one file, revision and editor")
		}
		if key(two, "x") == first {
			t.Error("nobody edits, and other contents have the same key")
		}
		s := get(first)
		if ok, err := d.loadedAs(ctx, s, 1); err != nil || !ok {
			t.Errorf("delivered: %v, %v", ok, err)
		}
		if ok, err := d.loadedAs(ctx, get(first), 2); err != nil || ok {
			t.Errorf("other contents for the same key: %v, %v", ok, err)
		}
		must(d.set(ctx, s, live, `users = ?`, `["u1"]`))
		if got := get(first); got.state != live || !slices.Equal(got.users, []string{"u1"}) || got.heard.IsZero() || key(two, "x") != first {
			t.Errorf("while somebody edits: %+v", got)
		}
		must(d.stored(ctx, s, live, 5, 100, "w1", "w2"))
		must(d.stored(ctx, s, live, 0, 50, "w1"))
		if got := get(first); got.base != 5 || got.ordered != 100 {
			t.Errorf("%+v", got)
		}
		for what, want := range map[string]bool{"w1": true, "w2": true, "w3": false} {
			if done, err := d.isDone(ctx, first, what); err != nil || done != want {
				t.Errorf("%s: %v, %v", what, done, err)
			}
		}
		must(d.stored(ctx, s, closed, 6, 200, "w4"))
		must(d.set(ctx, s, live, ""))
		if got := get(first); got.state != closed {
			t.Errorf("a closed session is %v again", got.state)
		}
		if again := key(one, "x"); again == first || !strings.HasPrefix(again, first) {
			t.Errorf("the key after %q is %q", first, again)
		}
		people(t, d, first)
		if _, err := d.session(ctx, "nothing"); !errors.Is(err, idmap.ErrNotFound) {
			t.Errorf("a key that never was: %v", err)
		}
		db.SetClock(func() time.Time { return time.Now().Add(keptFor + time.Hour) })
		must(d.set(ctx, get(key(two, "z")), live, ""))
		must(d.clean(ctx))
		if all, err := d.sessions(ctx, `1 = 1`); err != nil || len(all) != 1 || all[0].state != live {
			t.Errorf("after a long time: %v, %v", all, err)
		}
	})
}

// people checks who is remembered with a session.
func people(t *testing.T, d *Docs, key string) {
	t.Helper()
	ctx := t.Context()
	now := time.Now()
	for i, name := range []string{"anna", "ben", "anna"} {
		d.DB.SetClock(func() time.Time { return now.Add(time.Duration(i) * time.Second) })
		g := access.Grant{ID: "g" + name, Principal: oauth.Principal{Issuer: "test", Subject: name, Name: name}}
		if err := d.joined(ctx, &session{key: key}, g, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := d.people(ctx, key)
	if err != nil || len(list) != 2 || list[0].name != "anna" || list[0].pinned[0] != 2 || list[1].grantID != "gben" {
		t.Errorf("%+v, %v", list, err)
	}
	files, err := d.recent(ctx, list[0].userID, "other", 5)
	if err != nil || len(files) != 1 || string(files[0]) != strings.Repeat("a", 26) {
		t.Errorf("recent: %v, %v", files, err)
	}
	if files, err := d.recent(ctx, list[0].userID, files[0], 5); err != nil || len(files) != 0 {
		t.Errorf("recent without it: %v, %v", files, err)
	}
	if err := d.Forget(ctx, list[0].principal.Key()); err != nil {
		t.Fatal(err)
	}
	if list, err := d.people(ctx, key); err != nil || len(list) != 1 || list[0].name != "ben" {
		t.Errorf("after one was forgotten: %+v, %v", list, err)
	}
}
