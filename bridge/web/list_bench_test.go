package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// BenchmarkFolder shows a folder of 20,000 files on the embedded server: the first
// page while nothing is known about it, and when all pages were shown before. Beside
// the time, it reports by how much the heap grew at most, in MiB.
func BenchmarkFolder(b *testing.B) {
	const files = 20000
	for _, known := range []bool{false, true} {
		b.Run(map[bool]string{false: "first", true: "again"}[known], func(b *testing.B) {
			b.ReportAllocs()
			var grew uint64
			for range b.N {
				b.StopTimer()
				h := newHouse(b, nil)
				folder := filepath.Join(h.up.Dir, "many")
				if err := os.Mkdir(folder, 0o755); err != nil {
					b.Fatal(err)
				}
				for i := range files {
					if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("Scan of the letter %d, page 2.txt", i)), nil, 0o644); err != nil {
						b.Fatal(err)
					}
				}
				person := h.person("anna")
				address := "/folder/" + person.get("/").id(b, "many")
				if known {
					for page := range files / 500 {
						person.get(fmt.Sprintf("%s?page=%d", address, page+1))
					}
				}
				runtime.GC()
				peak := watchHeap()
				b.StartTimer()
				page := person.get(address).body
				b.StopTimer()
				grew += peak()
				if !strings.Contains(page, "page 1 of 40") {
					b.Fatalf("not the list: %.2000s", page)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(grew)/float64(b.N)/(1<<20), "MiB-heap")
		})
	}
}

// watchHeap looks at the heap until the function that it returns is called, which
// returns by how many bytes it grew at most.
func watchHeap() func() uint64 {
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before, stop, done := heap(), make(chan struct{}), make(chan uint64)
	go func() {
		most := before
		for {
			most = max(most, heap())
			select {
			case <-stop:
				done <- most - before
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
