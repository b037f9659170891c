// Command table writes test/bench/RESULTS.md out of what the benchmarks printed, which
// lies in test/bench/results, a file for each part of test/scripts/bench.sh. What it says
// of the numbers of DESIGN.md 13 is in demands.go.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	folder = "test/bench/results"
	target = "test/bench/RESULTS.md"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func write() error {
	var parts []part
	for _, name := range order {
		text, err := os.ReadFile(filepath.Join(folder, name+".txt"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		p, err := parse(name, string(text))
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	var b bytes.Buffer
	render(&b, parts)
	return os.WriteFile(target, b.Bytes(), 0o644)
}

// render writes the page.
func render(b *bytes.Buffer, parts []part) {
	b.WriteString("# What was measured\n\n`make bench` has written this page out of [results](results). Why it is so, and what was tried, is said in [NOTES.md](NOTES.md).\n\n")
	rows := [][]string{}
	for _, p := range parts {
		rows = append(rows, []string{p.name, p.keys["date"], p.keys["commit"], p.keys["machine"], p.keys["load"]})
	}
	grid(b, []string{"part", "date", "commit", "machine", "load before and after"}, rows)
	b.WriteString("\n## The numbers of DESIGN.md 13\n\n")
	grid(b, []string{"what", "wanted", "measured", "reached"}, judged(parts))
	for _, p := range parts {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", titles[p.name], intros[p.name])
		for _, group := range p.groups() {
			fmt.Fprintf(b, "\n### %s\n\n", group)
			header, rows := p.table(group)
			grid(b, header, rows)
		}
	}
}

// grid writes a Markdown table.
func grid(b *bytes.Buffer, header []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, r := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(r, " | "))
	}
}

// table is one group's lines. Of the load each has the daemon's figures beside the bare
// ones; of all others there is a column for each unit.
func (p part) table(group string) (header []string, rows [][]string) {
	lines := p.of(group)
	if strings.HasPrefix(group, "Load") || strings.HasPrefix(group, "Large") {
		if !strings.HasSuffix(group, "Memory") {
			return beside(lines)
		}
	}
	var units []string
	for _, l := range lines {
		for unit := range l.figures {
			if !slices.Contains(units, unit) {
				units = append(units, unit)
			}
		}
	}
	slices.Sort(units)
	for _, l := range lines {
		row := []string{l.rest()}
		for _, unit := range units {
			value, ok := l.figures[unit]
			cell := ""
			if ok {
				cell = plain(value)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return append([]string{""}, units...), rows
}

// beside shows times as "through the daemon / past it".
func beside(lines []line) (header []string, rows [][]string) {
	for _, l := range lines {
		f := l.figures
		row := []string{l.rest(), "", "", "", "", plain(f["trips"]), fmt.Sprintf("%s of %s", plain(f["failed"]), plain(f["failed"]+f["rounds"])), plain(f["bare-failed"])}
		if f["rounds"] > 0 {
			row[1], row[2] = span(f["p50-µs"])+" / "+span(f["bare-p50-µs"]), times(f["ratio-p50"])
			row[3], row[4] = span(f["p99-µs"])+" / "+span(f["bare-p99-µs"]), times(f["ratio-p99"])
		}
		rows = append(rows, row)
	}
	return []string{"operation/size/people", "p50 / bare", "ratio", "p99 / bare", "ratio", "requests", "failed", "bare failed"}, rows
}

// span is a time with three digits.
func span(µs float64) string {
	switch {
	case µs >= 1e6:
		return three(µs/1e6) + " s"
	case µs >= 1e3:
		return three(µs/1e3) + " ms"
	}
	return three(µs) + " µs"
}

func times(ratio float64) string { return fmt.Sprintf("%.2f", ratio) }

func three(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// plain is a figure without digits that say nothing.
func plain(v float64) string {
	switch {
	case v == float64(int64(v)):
		return fmt.Sprint(int64(v))
	case v >= 1000 || v <= -1000:
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
