package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A figure is what was measured, and in which unit.
type figure struct {
	unit  string
	value float64
}

// tell reports what was measured before, as a line of its own.
func tell(b *testing.B, name string, figures ...figure) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportMetric(0, "ns/op") // 0 is not shown: nothing was done here
		for _, f := range figures {
			b.ReportMetric(f.value, f.unit)
		}
	})
}

// report reports the middle and the hundredth-slowest round.
func report(b *testing.B, all []time.Duration) {
	b.Helper()
	p50, p99 := percentiles(all)
	b.ReportMetric(p50, "p50-µs")
	b.ReportMetric(p99, "p99-µs")
}

// percentiles are the middle and the hundredth-slowest, in microseconds.
func percentiles(all []time.Duration) (p50, p99 float64) {
	slices.Sort(all)
	micros := func(part float64) float64 {
		return float64(all[int(part*float64(len(all)-1))]) / float64(time.Microsecond)
	}
	return micros(0.5), micros(0.99)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// labelled is the value of a label of a figure, if it begins so.
func labelled(name, begins, label string) (string, bool) {
	rest, ok := strings.CutPrefix(name, begins)
	if !ok {
		return "", false
	}
	_, rest, ok = strings.Cut(","+rest, ","+label+`="`)
	if !ok {
		return "", false
	}
	value, _, ok := strings.Cut(rest, `"`)
	return value, ok
}

// resident is the resident memory of a process now, and its peak, in bytes.
func resident(b *testing.B, pid int) (now, peak int64) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			now = kib << 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			peak = kib << 10
		}
	}
	return now, peak
}
