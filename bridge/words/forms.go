package words

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"golang.org/x/text/number"
)

// Size is a number of bytes, as an argument of a string.
type Size int64

// whole is a value as a whole number, if it is one.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// Number is a whole number for people.
func (l *Language) Number(n int64) string { return l.numbers.Sprint(number.Decimal(n)) }

func (l *Language) decimal(f float64) string {
	return l.numbers.Sprint(number.Decimal(f, number.MaxFractionDigits(1), number.MinFractionDigits(1)))
}

// Size is a number of bytes in the units that file managers use; "" for a negative one,
// which is not known.
func (l *Language) Size(n int64) string {
	if n < 0 {
		return ""
	}
	if n < 1024 {
		return l.Say("size.B", "count", n)
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"KB", "MB", "GB", "TB", "PB"} {
		if f /= 1024; f < 999.5 {
			break
		}
	}
	if f < 9.95 {
		return l.Say("size."+unit, "count", f)
	}
	return l.Say("size."+unit, "count", int64(f+0.5))
}

// When is a time in the server's zone, "" for the zero one; the page's script turns it
// into the browser's own.
func (l *Language) When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.Local()
	return l.Say("date.when", "day", l.Day(t), "clock", t.Format("15:04"))
}

// Day is the day of a time in its own zone.
func (l *Language) Day(t time.Time) string {
	return l.Say("date.day", "day", t.Format("2"), "month", l.months[t.Month()-1], "year", t.Format("2006"))
}

// A Date is a day, as an argument of a string: in the server's zone, its month in full.
type Date time.Time

func (l *Language) date(d Date) string {
	t := time.Time(d).Local()
	months := strings.Fields(l.Say("date.full_months")) // twelve, as a test knows
	return l.Say("date.day", "day", t.Format("2"), "month", months[t.Month()-1], "year", t.Format("2006"))
}

// Wait is a duration as people say it.
func (l *Language) Wait(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return l.Say("wait.seconds", "n", int(max(d, time.Second).Seconds()))
	case d < 2*time.Hour:
		return l.Say("wait.minutes", "n", int(d.Minutes()+0.5))
	case d < 48*time.Hour:
		return l.Say("wait.hours", "n", int(d.Hours()+0.5))
	}
	return l.Say("wait.days", "n", int(d.Hours()/24+0.5))
}

// Names is a list of names in one line.
func (l *Language) Names(list []string) string {
	isolated := make([]string, len(list))
	for i, name := range list {
		isolated[i] = isolate(name)
	}
	return l.list(isolated)
}

func (l *Language) list(parts []string) string {
	n := len(parts)
	if n < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:n-1], l.Say("list.comma")+" ") + " " + l.Say("list.and") + " " + parts[n-1]
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Funcs are the functions of a view in this language; doc.go shows their use.
func (l *Language) Funcs() template.FuncMap {
	return template.FuncMap{
		"t": func(what any, args ...any) (string, error) {
			text, err := asText(what, args)
			return l.Text(text), err
		},
		"th": func(what any, args ...any) (template.HTML, error) {
			text, err := asText(what, args)
			return l.HTML(text), err
		},
		"bytes": l.Size, "when": l.When, "stamp": stamp, "names": l.Names, "lang": l.Tag,
		"number": func(n any) string { return l.plain(n) },
		"size":   func(n int64) Size { return Size(n) },
		"scriptWords": func(beginnings ...string) map[string]any {
			return l.ScriptWords(beginnings...)
		},
	}
}

// asText is what a view wants said: a key with arguments, or a Text.
func asText(what any, args []any) (Text, error) {
	switch what := what.(type) {
	case string:
		return Say(what, args...), nil
	case Text:
		if len(args) == 0 {
			return what, nil
		}
	}
	return nil, fmt.Errorf("words: %T cannot be said with %d arguments", what, len(args))
}

// ScriptWords are the strings whose keys begin in one of these ways, for [Script]: a
// wording, or wordings by the names of their plural forms.
func (l *Language) ScriptWords(beginnings ...string) map[string]any {
	out := make(map[string]any)
	for key, e := range l.strings {
		for _, begin := range beginnings {
			if !strings.HasPrefix(key, begin) {
				continue
			}
			if !e.many {
				out[key] = e.forms[forms["other"]].String()
				continue
			}
			byName := make(map[string]string)
			for name, form := range forms {
				if w, ok := e.forms[form]; ok {
					byName[name] = w.String()
				}
			}
			out[key] = byName
		}
	}
	return out
}

// String is the wording as it stands in the catalogue.
func (w wording) String() string {
	var b strings.Builder
	for i, part := range w {
		if i%2 == 1 {
			part = "{" + part + "}"
		}
		b.WriteString(part)
	}
	return b.String()
}
