package locks

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// full is a row with something in every column.
func full() *row {
	return &row{
		file: file, phase: held, lock: Lock{ID: `{"S":"x","F":4}`, Expires: noon.Add(Life)}, editing: 7, since: noon,
		actor: Actor{Member: "m", Editor: docs, Office: wopi.OnlyOffice, UserID: "u", Name: "Änne via davwopi"},
		space: 3, upstream: "main", pinned: []byte{0, 1, 2}, path: dav.Path("/ä/b.docx"), token: "opaquelocktoken:x", nonce: "n",
		granted: noon.Add(time.Hour), lost: true, holder: "Zoe", takingUntil: noon.Add(time.Second),
		next: noon.Add(time.Minute), tries: 5,
	}
}

func TestRowComesBackAsItWas(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		r := full()
		ok(t, h.swap(ctx, nil, r, nil))
		if got := h.row(file); !reflect.DeepEqual(got, r) {
			t.Fatalf("inserted %+v\nread %+v", r, got)
		}
		next := *r
		next.lock.ID, next.tries, next.lost, next.pinned = "B", 0, false, []byte{9}
		ok(t, h.swap(ctx, r, &next, nil))
		if got := h.row(file); !reflect.DeepEqual(got, &next) {
			t.Fatalf("updated %+v\nread %+v", &next, got)
		}
	})
}

func TestSwapRefusesWhatIsNotAsItWas(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		r := full()
		ok(t, h.swap(ctx, nil, r, nil))
		if err := h.swap(ctx, nil, full(), nil); !errors.Is(err, errRaced) {
			t.Errorf("a second insert: %v", err)
		}
		old, next := *r, *r
		next.lock.ID = "B"
		ok(t, h.swap(ctx, r, &next, nil))
		late := old
		late.lock.ID = "C"
		if err := h.swap(ctx, &old, &late, nil); !errors.Is(err, errRaced) {
			t.Errorf("an update of an old row: %v", err)
		}
		if err := h.swap(ctx, &old, nil, nil); !errors.Is(err, errRaced) {
			t.Errorf("a removal of an old row: %v", err)
		}
		if got := h.row(file).lock.ID; got != "B" {
			t.Errorf("lock ID %q, want B", got)
		}
		// A row that was removed and made again is another row.
		ok(t, h.swap(ctx, &next, nil, nil))
		again := full()
		ok(t, h.swap(ctx, nil, again, nil))
		if err := h.swap(ctx, &next, nil, nil); !errors.Is(err, errRaced) {
			t.Errorf("a removal of the row before: %v", err)
		}
	})
}

func TestSwapAndWhatBelongsToItAreOne(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		broken := errors.New("broken")
		err := h.swap(ctx, nil, full(), func(sqldb.Queryer) error { return broken })
		if !errors.Is(err, broken) || h.row(file) != nil {
			t.Errorf("%v, row %+v", err, h.row(file))
		}
	})
}

func TestOneOfManySwapsWins(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		r := full()
		ok(t, h.swap(ctx, nil, r, nil))
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				next := *r
				switch err := h.swap(ctx, r, &next, nil); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, errRaced):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d won", won.Load())
		}
	})
}

func TestExpiredAndOldThingsAreSweptAway(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		f := h.file("a.docx", "hello")
		ok(t, h.Read(ctx, f, anna, 1))
		ok(t, h.Lock(ctx, h.target(f), anna, "A"))
		ok(t, h.Unlock(ctx, h.target(f), anna, "A"))
		g := h.file("b.docx", "hello")
		ok(t, h.Lock(ctx, h.target(g), anna, "A")) // never unlocked
		h.clock.forward(Life)
		h.tend()
		if h.count("locks_row") != 0 {
			t.Error("an expired row stays")
		}
		h.clock.forward(8 * 24 * time.Hour)
		h.tend() // the lost one is ended
		h.clock.forward(8 * 24 * time.Hour)
		h.tend()
		for _, table := range []string{"locks_editing", "locks_editing_id", "locks_member", "locks_read", "locks_lease", "locks_intent"} {
			if n := h.count(table); n != 0 {
				t.Errorf("%d rows stay in %s", n, table)
			}
		}
	})
}
