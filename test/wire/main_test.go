package wire

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// TestMain puts the many small databases of these tests into memory where it can:
// what a power cut leaves is not asked here.
func TestMain(m *testing.M) {
	undo := func() {}
	if dir, err := os.MkdirTemp("/dev/shm", "davwopi-wire-"); err == nil {
		undo = func() { os.RemoveAll(dir) }
		os.Setenv("TMPDIR", dir)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"),
		goleak.Cleanup(func(code int) {
			undo()
			os.Exit(code)
		}))
}

// everything says that nothing is left to chance: all combinations, for minutes.
var everything = os.Getenv("DAVWOPI_WIRE") == "all"

// seed decides which of too many combinations are played; it is printed.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n, err := strconv.ParseUint(os.Getenv("DAVWOPI_WIRE_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64()
	}
	t.Logf("DAVWOPI_WIRE_SEED=%d plays this again", n)
	return rand.New(rand.NewPCG(n, n))
}
