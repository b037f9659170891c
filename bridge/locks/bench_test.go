package locks

import (
	"testing"

	"davwopi/bridge/wopi"
)

// BenchmarkLock is a lock and its release, with its shadow on a server in process, and a
// refresh, which asks no server.
func BenchmarkLock(b *testing.B) {
	h := newHouse(b)
	f := h.file("a.odt", "old")
	target := h.target(f)
	b.Run("Lock and Unlock", func(b *testing.B) {
		for b.Loop() {
			if err := h.Lock(b.Context(), target, anna, "A"); err != nil {
				b.Fatal(err)
			}
			if err := h.Unlock(b.Context(), target, anna, "A"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("RefreshLock", func(b *testing.B) {
		if err := h.Lock(b.Context(), target, anna, "A"); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := h.Refresh(b.Context(), target, anna, wopi.LockID("A")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
