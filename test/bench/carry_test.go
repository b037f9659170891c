package bench

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// BenchmarkCarry takes all IDs out of one state and into another, once.
func BenchmarkCarry(b *testing.B) {
	l := newLarge(b)
	file := filepath.Join(b.TempDir(), "ids.jsonl")
	b.Run("Export", func(b *testing.B) {
		once(b, func() {
			f, err := os.Create(file)
			if err != nil {
				b.Fatal(err)
			}
			c, err := l.m.Export(b.Context(), f)
			if err != nil || c.Resources < int64(l.files) {
				b.Fatal(c, err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		}, l.files)
	})
	b.Run("Import", func(b *testing.B) {
		db, err := sqldb.Open(b.Context(), filepath.Join(b.TempDir(), "state.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		m, err := idmap.New(b.Context(), db)
		if err != nil {
			b.Fatal(err)
		}
		once(b, func() {
			if c, err := m.Import(b.Context(), func() (io.ReadCloser, error) { return os.Open(file) }); err != nil {
				b.Fatal(c, err)
			}
		}, l.files)
	})
}

// once runs f a single time, whatever -benchtime says, and reports how many files a
// second it carried and by how much the memory grew at its peak.
func once(b *testing.B, f func(), files int) {
	b.Helper()
	debug.FreeOSMemory()
	before, _ := resident(b, os.Getpid())
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // begins the peak anew, where that is allowed
	began := time.Now()
	f()
	took := time.Since(began)
	_, peak := resident(b, os.Getpid())
	for b.Loop() { // counts the rounds, which mean nothing here
	}
	b.ReportMetric(float64(files)/took.Seconds(), "files/s")
	b.ReportMetric(float64(peak-before)/(1<<20), "MiB-peak")
}
