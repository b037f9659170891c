package locks

import (
	"context"
	"errors"
	"testing"
	"time"

	"davwopi/idmap/sqldb"
)

// TestLinger: who takes a lease over learns until when an upload into place may be under
// way, also after others had it; who is given one does not wait.
func TestLinger(t *testing.T) {
	eachDB(t, func(t *testing.T, h *house) {
		ctx := context.Background()
		linger := func(x *Lease) error {
			return h.DB.Write(ctx, func(tx sqldb.Queryer) error { return x.Linger(ctx, tx, time.Minute) })
		}
		x, err := h.Lease(ctx, file, "put", 0)
		ok(t, err)
		ok(t, linger(x))
		x.Release()
		x, err = h.Lease(ctx, file, "put", 0)
		ok(t, err)
		if !x.Quiet.IsZero() {
			t.Errorf("it was given back, and is quiet until %v", x.Quiet)
		}
		ok(t, linger(x))
		h.clock.forward(21 * time.Second)
		y, err := h.Lease(ctx, file, "put", 0)
		ok(t, err)
		now, err := h.now(ctx)
		ok(t, err)
		if left := y.Quiet.Sub(now); left != 59*time.Second {
			t.Errorf("quiet for %v", left)
		}
		if err := linger(x); !errors.Is(err, ErrStale) {
			t.Errorf("whoever was taken over: %v", err)
		}
		y.Release()
		z, err := h.Lease(ctx, file, "put", 0)
		ok(t, err)
		if !z.Quiet.Equal(y.Quiet) {
			t.Errorf("the next one is told %v, not %v", z.Quiet, y.Quiet)
		}
		z.Release()
		x.Release()
	})
}

// TestNothingIsMovedUnderAnUpload: a file that an upload may still land on is neither
// moved nor deleted: what comes late would make it anew where it was.
func TestNothingIsMovedUnderAnUpload(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	target := h.target(h.file("a.docx", "hello"))
	x, err := h.Lease(ctx, target.File.ID, "put", 0)
	ok(t, err)
	ok(t, h.DB.Write(ctx, func(tx sqldb.Queryer) error { return x.Linger(ctx, tx, time.Minute) }))
	h.clock.forward(21 * time.Second)
	if _, err := h.Move(ctx, target, anna, nil, "/b.docx"); !errors.Is(err, ErrBusy) {
		t.Errorf("moving: %v", err)
	}
	if err := h.Delete(ctx, target, anna); !errors.Is(err, ErrBusy) {
		t.Errorf("deleting: %v", err)
	}
	h.clock.forward(time.Minute)
	if _, err := h.Move(ctx, target, anna, nil, "/b.docx"); err != nil {
		t.Errorf("moving when it is over: %v", err)
	}
	x.Release()
}

// TestAloneIsQuiet: the only process on a database knows that nothing of an earlier one
// is on its way.
func TestAloneIsQuiet(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	x, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	ok(t, h.DB.Write(ctx, func(tx sqldb.Queryer) error { return x.Linger(ctx, tx, time.Minute) }))
	ok(t, h.Alone(ctx))
	y, err := h.Lease(ctx, file, "put", 0)
	ok(t, err)
	if !y.Quiet.IsZero() {
		t.Errorf("quiet until %v", y.Quiet)
	}
	y.Release()
	x.Release()
}
