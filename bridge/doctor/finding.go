package doctor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"davwopi/bridge/words"
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

// A Finding is one thing that was looked at. Text is what Said says, in English until
// [Report.In] has said it in another language.
type Finding struct {
	Severity Severity   `json:"severity"`
	Check    string     `json:"check"`           // one of doc.go's list
	About    string     `json:"about,omitempty"` // which upstream, editor, address or folder
	Said     words.Text `json:"-"`
	Text     string     `json:"text"` // one line, for a home user
	Paste    []Paste    `json:"paste,omitempty"`
}

// A Paste is a text to put into somebody's configuration. Where is what Said says, as in a
// [Finding].
type Paste struct {
	Said  words.Text `json:"-"`
	Where string     `json:"where"` // "davwopi.yaml", "nginx, in the server block of ..."
	Text  string     `json:"text"`  // may have several lines
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

// In is the report in a language.
func (r Report) In(l *words.Language) Report {
	r.Findings = slices.Clone(r.Findings)
	for i, f := range r.Findings {
		r.Findings[i] = f.in(l)
	}
	return r
}

// sorted puts the worst first and keeps the order of the checks otherwise.
func sorted(list []Finding) []Finding {
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(ranks[a.Severity], ranks[b.Severity]) })
	return list
}

// finding makes one.
func finding(s Severity, check, about string, said words.Text) Finding {
	return Finding{Severity: s, Check: check, About: about, Said: said}.in(english())
}

// with adds texts to paste.
func (f Finding) with(more ...Paste) Finding {
	f.Paste = append(f.Paste, more...)
	return f.in(english())
}

// in is the finding in a language. A text never holds line breaks, whatever its arguments
// hold.
func (f Finding) in(l *words.Language) Finding {
	f.Text = oneLine(l.Text(f.Said))
	f.Paste = slices.Clone(f.Paste)
	for i, p := range f.Paste {
		f.Paste[i].Where = oneLine(l.Text(p.Said))
	}
	return f
}

func english() *words.Language { return words.All()[0] }

// yaml is something for our own configuration.
func yaml(text string) Paste { return Paste{Said: words.Plain("davwopi.yaml"), Text: text} }

// terminal is a command.
func terminal(text string) Paste { return Paste{Said: words.Say("paste.terminal"), Text: text} }

// oneLine leaves nothing that could move a terminal's cursor, and no blanks at the ends.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s))
}
