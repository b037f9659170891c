package history

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

const file = idmap.FileID("aaaaaaaaaaaaaaaaaaaaaaaaaa")

func add(t *testing.T, h *History, events ...Event) {
	t.Helper()
	for _, e := range events {
		if e.File == "" {
			e.File = file
		}
		if err := h.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// told is a history in short: kind, person and count, the latest first.
func told(t *testing.T, h *History, file idmap.FileID, limit int) string {
	t.Helper()
	all, err := h.Of(t.Context(), file, limit)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		if e.At.IsZero() || e.Last.Before(e.At) || e.File != file {
			t.Errorf("%+v", e)
		}
		out = append(out, fmt.Sprintf("%s %s %d", e.Kind, e.Name, e.Times))
	}
	return strings.Join(out, ", ")
}

func TestADocumentsHistory(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h, err := New(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		ann := func(k Kind) Event { return Event{Kind: k, UserID: "a", Name: "Ann"} }
		ben := func(k Kind) Event { return Event{Kind: k, UserID: "b", Name: "Ben"} }
		first := ann(Opened)
		first.Once = "7"
		add(t, h, first, first, ann(Saved), ann(Saved), first, ann(Saved), ben(Saved), ann(Saved), ann(Closed))
		add(t, h, Event{File: "b", Kind: Renamed, UserID: "a", Name: "Ann", Detail: "new.txt"})
		if got, want := told(t, h, file, 100), "closed Ann 1, saved Ann 1, saved Ben 1, saved Ann 3, opened Ann 1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := told(t, h, file, 2); got != "closed Ann 1, saved Ann 1" {
			t.Errorf("the newest two: %s", got)
		}
		if all, _ := h.Of(t.Context(), "b", 5); len(all) != 1 || all[0].Detail != "new.txt" {
			t.Errorf("%+v", all)
		}
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	db := sqldbtest.New(t)
	h, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	add(t, h, Event{File: "b", Kind: Saved})
	for i := range Kept + 5 {
		add(t, h, Event{Kind: Renamed, Detail: fmt.Sprint(i)})
	}
	all, err := h.Of(t.Context(), file, 10*Kept)
	if err != nil || len(all) != Kept || all[0].Detail != fmt.Sprint(Kept+4) || all[Kept-1].Detail != "5" {
		t.Errorf("%d events, %v", len(all), err)
	}
	if got := told(t, h, "b", 9); got != "saved  1" {
		t.Errorf("the other document: %s", got)
	}
	add(t, h, Event{File: "c", Kind: Saved, Name: strings.Repeat("ü", maxText), Detail: "a\x00b"})
	all, err = h.Of(t.Context(), "c", 1)
	if err != nil || len(all[0].Name) != maxText || !utf8.ValidString(all[0].Name) || all[0].Detail != "ab" {
		t.Errorf("%d bytes, %v", len(all[0].Name), err)
	}
}

func TestOldEventsAreForgotten(t *testing.T) {
	db := sqldbtest.New(t)
	h, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	add(t, h, Event{Kind: Opened}, Event{Kind: Closed})
	err = db.Write(t.Context(), func(tx sqldb.Queryer) error {
		_, err := tx.Exec(t.Context(), `UPDATE history_event SET last = last - ? WHERE kind = 'opened'`, Age.Milliseconds()+1)
		return err
	})
	if err == nil {
		err = h.Clean(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := told(t, h, file, 9); got != "closed  1" {
		t.Error(got)
	}
}
