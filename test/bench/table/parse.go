package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// order is that of the parts on the page.
var order = []string{"load", "large", "soak", "listing", "ids", "rooms"}

var titles = map[string]string{
	"load": "Operations beside the bare request", "large": "Large documents", "soak": "Many open documents", "listing": "A folder of 20,000 files",
	"ids": "IDs, and the start of the daemon", "rooms": "The rooms by themselves",
}

var intros = map[string]string{
	"load": "Each operation through the daemon and the bare request to the same server, by turns in one run; p50 and p99 as the client sees them. " +
		"Bare are PROPFIND with the same body, GET, PUT, LOCK, LOCK with If, UNLOCK, and PROPFIND of Depth 1; the embedded server is asked at its `/dav/`, with an app password. " +
		"Open is CheckFileInfo and GetFile. Each person has a document, but for \"together\": there all have the same. Requests are those to the server that one operation took. " +
		"Failed are rounds of the whole cycle: CheckFileInfo, GetFile; RefreshLock, GetLock, PutFile; Lock, Unlock.",
	"large":   "The same with documents that are streamed, and what the daemon had in memory meanwhile.",
	"soak":    "Each document is saved once a minute (24 KiB), its lock is refreshed every fifth, and the editor looks at it every second. The requests are signed as Collabora signs them. Memory, goroutines and open files are the medians of six samples in each minute.",
	"listing": "The first page of 500 in a browser, and the children as an editor gets them: at first, when nothing is known about the files, and again after a restart. Bare is a PROPFIND of Depth 1.",
	"ids":     "SQLite, with as many files as the line Size says. Cold is with nothing in the kernel's page cache.",
	"rooms":   "`go test -bench` of each room.",
}

// A part is what one run of some benchmarks printed.
type part struct {
	name  string
	keys  map[string]string // lines such as "date: 2026-11-29"
	lines []line
}

// A line is one benchmark: the middle of all its runs, for each unit.
type line struct {
	pkg     string // its room, "" test/bench
	name    []string
	figures map[string]float64
}

var (
	processors = regexp.MustCompile(`-\d+$`)
	key        = regexp.MustCompile(`^([a-z]+): (.*)$`)
)

// parse reads the format of Go's benchmarks.
func parse(name, text string) (part, error) {
	p := part{name: name, keys: map[string]string{}}
	pkg := ""
	runs := map[string]map[string][]float64{}
	for row := range strings.Lines(text) {
		row = strings.TrimSpace(row)
		if m := key.FindStringSubmatch(row); m != nil {
			if p.keys[m[1]] == "" {
				p.keys[m[1]] = m[2]
			}
			if m[1] == "pkg" {
				pkg = strings.TrimPrefix(strings.TrimPrefix(m[2], "davwopi/"), "test/bench")
			}
			continue
		}
		full, figures, ok := measured(row)
		if !ok {
			continue
		}
		id := pkg + " " + full
		if runs[id] == nil {
			runs[id] = map[string][]float64{}
			p.lines = append(p.lines, line{pkg: pkg, name: strings.Split(full, "/"), figures: map[string]float64{}})
		}
		for unit, value := range figures {
			runs[id][unit] = append(runs[id][unit], value)
		}
	}
	if len(p.lines) == 0 {
		return p, fmt.Errorf("%s: there is no line of a benchmark", name)
	}
	for _, l := range p.lines {
		for unit, values := range runs[l.pkg+" "+strings.Join(l.name, "/")] {
			slices.Sort(values)
			l.figures[unit] = values[len(values)/2]
		}
	}
	return p, nil
}

// measured is a line "BenchmarkName-2 1 12.5 ns/op 3 trips".
func measured(row string) (name string, figures map[string]float64, ok bool) {
	fields := strings.Fields(row)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return "", nil, false
	}
	figures = map[string]float64{}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return "", nil, false
		}
		figures[fields[i+1]] = value
	}
	return processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), ""), figures, true
}

// group is the heading that the line stands below.
func (l line) group() string {
	if l.pkg != "" {
		return l.pkg
	}
	switch depth := l.depth(); depth {
	case 1:
		return l.name[0]
	case 2:
		return l.name[0] + ": " + l.name[1]
	default:
		return l.name[0] + ": " + l.name[1] + ", " + l.name[2]
	}
}

// depth is how much of the name is in the heading.
func (l line) depth() int {
	switch {
	case l.pkg != "":
		return 0
	case len(l.name) > 3 && l.name[2] == "Memory":
		return 3
	case len(l.name) > 2:
		return 2
	}
	return 1
}

// rest is what of the name is not in the heading.
func (l line) rest() string { return strings.Join(l.name[min(l.depth(), len(l.name)):], "/") }

// groups are all headings, in the order of their first lines.
func (p part) groups() []string {
	var all []string
	for _, l := range p.lines {
		if g := l.group(); !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
}

func (p part) of(group string) []line {
	var all []line
	for _, l := range p.lines {
		if l.group() == group {
			all = append(all, l)
		}
	}
	return all
}
