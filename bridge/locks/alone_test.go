package locks

import (
	"errors"
	"testing"
	"time"
)

func TestAloneEndsTheLeasesOfACrash(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "a")
	dead, err := h.Lease(t.Context(), f, "put", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lease(t.Context(), f, "put", 0); !errors.Is(err, ErrBusy) {
		t.Fatalf("the lease does not hold: %v", err)
	}
	if err := h.Alone(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	fresh, err := h.Lease(t.Context(), f, "put", 0)
	if err != nil || time.Since(begin) > 5*time.Second {
		t.Fatalf("after %s: %v", time.Since(begin), err)
	}
	defer fresh.Release()
	if fresh.Serial <= dead.Serial {
		t.Errorf("serial %d does not follow %d", fresh.Serial, dead.Serial)
	}
	if err := dead.Check(t.Context()); !errors.Is(err, ErrStale) {
		t.Errorf("the dead holder still may write: %v", err)
	}
	dead.Release()
}
