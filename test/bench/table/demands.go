package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A demand is one of DESIGN.md 13.
type demand struct {
	what  string
	lines string // of whole names: a regular expression
	unit  string
	most  float64 // reached if no line has more
}

var demands = []demand{
	{"requests of CheckFileInfo", `Load/[^/]+/CheckFileInfo/\w+/1`, "trips", 1},
	{"requests of GetFile (1, and one PROPFIND where GET's ETag is another)", `Load/[^/]+/GetFile/\w+/1`, "trips", 2},
	{"requests of Lock (3, 2 for lock files, 1 to announce)", `Load/[^/]+/Lock/\w+/1`, "trips", 6},
	{"requests of RefreshLock", `Load/[^/]+/RefreshLock/\w+/1`, "trips", 0},
	{"requests of GetLock", `Load/[^/]+/GetLock/\w+/1`, "trips", 0},
	{"requests of PutFile in place", `Load/(embedded|apache|apache\+20ms)/PutFile/\w+/1`, "trips", 3},
	{"requests of PutFile by temp and MOVE (5, a LOCK and a stamp anew)", `Load/rclone/PutFile/\w+/1`, "trips", 7},
	{"CheckFileInfo against PROPFIND, p50", `Load/[^/]+/CheckFileInfo/10KiB/1`, "ratio-p50", 1.3},
	{"GetFile of 100 KiB against GET, p50", `Load/[^/]+/GetFile/100KiB/1`, "ratio-p50", 1.1},
	{"GetFile of 1 GiB against GET, p50", `Large/[^/]+/GetFile/1GiB/1`, "ratio-p50", 1.1},
	{"PutFile of 100 KiB against PUT, p50", `Load/[^/]+/PutFile/100KiB/1`, "ratio-p50", 2.5},
	{"PutFile of 100 MiB against PUT, p50", `Large/[^/]+/PutFile/100MiB/1`, "ratio-p50", 1.3},
	{"resident while 1 GiB is read and saved, MiB", `Large/[^/]+/Memory/1GiB/1`, "peak-MiB", 64},
	{"resident with 1,000 open documents, MiB", `Soak/[^/]+/whole`, "peak-MiB", 128},
	{"resident at the last minute against the third", `Soak/[^/]+/whole`, "RSS-last/third", 1.1},
	{"goroutines at the last minute against the third", `Soak/[^/]+/whole`, "goroutines-last/third", 1.1},
	{"open files at the last minute against the third", `Soak/[^/]+/whole`, "files-last/third", 1.1},
	{"resident when idle, MiB", `Load/[^/]+/Memory/idle`, "now-MiB", 40},
	{"growth for a list of 20,000 files in a browser, MiB", `Listing/[^/]+/web/1/.*`, "growth-MiB", 16},
	{"growth for 20,000 children in an editor, MiB", `Listing/[^/]+/EnumerateChildren/.*`, "growth-MiB", 16},
	{"look-up by path, µs", `IDs/WarmByPath`, "p50-µs", 50},
	{"look-up by ID, µs", `IDs/WarmByID`, "p50-µs", 50},
	{"renaming a folder with a tenth of all files against an empty one", `IDs/Rename`, "ratio", 1.2},
	{"start of the daemon, ms", `Start/.*`, "p50-ms", 200},
}

// judged is a row for each demand.
func judged(parts []part) [][]string {
	var rows [][]string
	for _, d := range demands {
		var found []string
		reached := "yes"
		for _, p := range parts {
			for _, l := range p.lines {
				value, ok := d.of(l)
				if !ok {
					continue
				}
				found = append(found, fmt.Sprintf("%s %s", strings.Join(l.name[1:], "/"), plain(value)))
				if value > d.most {
					reached = "**no**"
				}
			}
		}
		if len(found) == 0 {
			reached = "not measured"
		}
		rows = append(rows, []string{d.what, "at most " + plain(d.most), strings.Join(found, "<br>"), reached})
	}
	return rows
}

// of is the line's figure, if the demand is about it.
func (d demand) of(l line) (float64, bool) {
	if l.pkg != "" || !regexp.MustCompile(`^(?:`+d.lines+`)$`).MatchString(strings.Join(l.name, "/")) {
		return 0, false
	}
	if value, ok := l.figures[d.unit]; ok {
		return value, true
	}
	if value, ok := l.figures[strings.Replace(d.unit, "ms", "µs", 1)]; ok && strings.HasSuffix(d.unit, "-ms") {
		return value / 1000, true
	}
	return 0, false
}
