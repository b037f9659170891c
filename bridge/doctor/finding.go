package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Severity says how bad a finding is.
type Severity string

// From the worst to the best; doc.go says what each means.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Hint    Severity = "hint"
	OK      Severity = "ok"
)

var ranks = map[Severity]int{Error: 0, Warning: 1, Hint: 2, OK: 3}

// A Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`           // one of doc.go's list
	About    string   `json:"about,omitempty"` // which upstream, editor, address or folder
	Text     string   `json:"text"`            // one line, for a home user
	Paste    []Paste  `json:"paste,omitempty"`
}

// A Paste is a text to put into somebody's configuration.
type Paste struct {
	Where string `json:"where"` // "davwopi.yaml", "nginx, in the server block of ..."
	Text  string `json:"text"`  // may have several lines
}

// A Report is one examination.
type Report struct {
	At       time.Time `json:"at"`
	Version  string    `json:"version"`
	Running  bool      `json:"running"`
	Findings []Finding `json:"findings"` // worst first
}

// Count is how many findings have that severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// With is the report with more findings.
func (r Report) With(more ...Finding) Report {
	r.Findings = sorted(append(more, r.Findings...))
	return r
}

// sorted puts the worst first and keeps the order of the checks otherwise.
func sorted(list []Finding) []Finding {
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(ranks[a.Severity], ranks[b.Severity]) })
	return list
}

// finding makes one. A text never holds line breaks, whatever its arguments hold.
func finding(s Severity, check, about, format string, args ...any) Finding {
	return Finding{Severity: s, Check: check, About: about, Text: oneLine(fmt.Sprintf(format, args...))}
}

// with adds texts to paste, as pairs of where and what.
func (f Finding) with(pairs ...string) Finding {
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Paste = append(f.Paste, Paste{Where: pairs[i], Text: pairs[i+1]})
	}
	return f
}

// oneLine leaves nothing that could move a terminal's cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s)
}
