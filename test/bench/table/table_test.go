package main

import (
	"bytes"
	"strings"
	"testing"
)

const load = `date: 2026-11-29
commit: abc
machine: two cores
load: 0.1
goos: linux
pkg: davwopi/test/bench
BenchmarkLoad/apache/CheckFileInfo/10KiB/1-2  1  500 p50-µs  900 p99-µs  400 bare-p50-µs  450 bare-p99-µs  1.25 ratio-p50  2 ratio-p99  1 trips  0 failed  0 bare-failed  5 rounds
BenchmarkLoad/apache/CheckFileInfo/100KiB/16-together-2  1  5000 p50-µs  9e6 p99-µs  400 bare-p50-µs  450 bare-p99-µs  12.5 ratio-p50  20 ratio-p99  0.0625 trips  1 failed  0 bare-failed  4 rounds
BenchmarkLoad/apache/GetLock/10KiB/1-2  1  2 trips  5 failed  0 bare-failed
BenchmarkLoad/apache/Memory/10KiB/1-2  1  30 before-MiB  41.5 peak-MiB
--- not a line
PASS
`

const ids = `pkg: davwopi/test/bench
BenchmarkIDs/WarmByPath-2  60000  12 ns/op  34 p50-µs
BenchmarkIDs/WarmByPath-2  60000  12 ns/op  90 p50-µs
BenchmarkIDs/WarmByPath-2  60000  12 ns/op  40 p50-µs
BenchmarkStart/Cold-2  7  98000 p50-µs
pkg: davwopi/bridge/proof
BenchmarkVerify-2  100  31000 ns/op
`

func TestRender(t *testing.T) {
	var parts []part
	for _, in := range [][2]string{{"load", load}, {"ids", ids}} {
		p, err := parse(in[0], in[1])
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	var b bytes.Buffer
	render(&b, parts)
	for _, row := range []string{
		"| load | 2026-11-29 | abc | two cores | 0.1 |",
		"### Load: apache\n",
		"### Load: apache, Memory\n",
		"| CheckFileInfo/10KiB/1 | 500 µs / 400 µs | 1.25 | 900 µs / 450 µs | 2.00 | 1 | 0 of 5 | 0 |",
		"| CheckFileInfo/100KiB/16-together | 5.00 ms / 400 µs | 12.50 | 9.00 s / 450 µs | 20.00 | 0.06 | 1 of 5 | 0 |",
		"| GetLock/10KiB/1 |  |  |  |  | 2 | 5 of 5 | 0 |",
		"|  | before-MiB | peak-MiB |", "| 10KiB/1 | 30 | 41.5 |",
		"| WarmByPath | 12 | 40 |", // the middle of three
		"### bridge/proof\n", "| Verify | 31000 |",
		"| CheckFileInfo against PROPFIND, p50 | at most 1.3 | apache/CheckFileInfo/10KiB/1 1.25 | yes |",
		"| requests of GetLock | at most 0 | apache/GetLock/10KiB/1 2 | **no** |",
		"| look-up by path, µs | at most 50 | WarmByPath 40 | yes |",
		"| start of the daemon, ms | at most 200 | Cold 98 | yes |",
		"| requests of RefreshLock | at most 0 |  | not measured |",
	} {
		if !strings.Contains(b.String(), row) {
			t.Errorf("there is no %q in\n%s", row, b.String())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "PASS\n", "BenchmarkX-2 1\n", "BenchmarkX-2 1 one ns/op\n"} {
		if p, err := parse("load", text); err == nil {
			t.Errorf("%q: %+v", text, p)
		}
	}
}
