package saves

import "testing"

// TestNearlyFull: on a small disk a twentieth is kept free, on a large one 8 GiB, and never
// less than 256 MiB.
func TestNearlyFull(t *testing.T) {
	const mib, gib, tib = 1 << 20, 1 << 30, 1 << 40
	for _, c := range []struct {
		free, total uint64
		full        bool
	}{
		{256 * mib, 4 * gib, false},
		{256*mib - 1, 4 * gib, true}, // though it is more than a twentieth
		{5 * gib, 100 * gib, false},
		{5*gib - 1, 100 * gib, true},
		{8 * gib, 160 * gib, false},
		{8*gib - 1, 160 * gib, true},
		{8 * gib, 4 * tib, false},
		{8*gib - 1, 4 * tib, true},
		{0, 0, true},
	} {
		if got := (room{free: c.free, total: c.total}).nearlyFull(); got != c.full {
			t.Errorf("%d of %d free: %v", c.free, c.total, got)
		}
	}
}
