package words

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed languages
var files embed.FS

// Script is the part of a page that says words from its element with the ID "words".
//
//go:embed words.js
var Script []byte

// A Language says everything in one language. It is safe for concurrent use.
type Language struct {
	tag     language.Tag
	strings map[string]entry
	numbers *message.Printer
	months  []string
}

// An entry is what a key stands for: one wording, or one for each plural form.
type entry struct {
	forms map[plural.Form]wording // the only one is under Other
	many  bool                    // chosen by n
}

// A wording is text and the names of arguments in turn: the first is text.
type wording []string

// languages are all catalogues, English first. They are part of the program, so a fault
// in one is a fault of the build, which every test finds.
var languages = sync.OnceValue(func() []*Language {
	names, err := fs.Glob(files, "languages/*.txt")
	if err != nil {
		panic(err) // the pattern is well formed
	}
	var list []*Language
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		l, err := read(strings.TrimSuffix(path.Base(name), ".txt"), string(text))
		if err != nil {
			panic(err)
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *Language) int {
		rank := func(l *Language) int { return map[bool]int{true: 0, false: 1}[l.tag == language.English] }
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.Tag(), b.Tag()))
	})
	return list
})

// All are the languages that there are, English first.
func All() []*Language { return slices.Clone(languages()) }

// read reads one catalogue: lines of KEY = WORDING and comments.
func read(name, text string) (*Language, error) {
	tag, err := language.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("words: %s.txt: %w", name, err)
	}
	l := &Language{tag: tag, strings: make(map[string]entry), numbers: message.NewPrinter(tag)}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := l.add(line); err != nil {
			return nil, fmt.Errorf("words: %s.txt:%d: %w", name, i+1, err)
		}
	}
	if l.months = strings.Fields(l.Say("date.months")); len(l.months) != 12 {
		return nil, fmt.Errorf("words: %s.txt: date.months names %d months", name, len(l.months))
	}
	return l, nil
}

var forms = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other}

func (l *Language) add(line string) error {
	key, text, ok := strings.Cut(line, " = ")
	if !ok {
		return fmt.Errorf("%q is not KEY = WORDS", line)
	}
	form, many := plural.Other, false
	if name, f, found := strings.Cut(key, "["); found {
		if form, many = forms[strings.TrimSuffix(f, "]")]; !many {
			return fmt.Errorf("%q: no such form", key)
		}
		key = name
	}
	e, again := l.strings[key]
	if _, taken := e.forms[form]; taken || again && e.many != many {
		return fmt.Errorf("%q stands here twice", key)
	}
	if !again {
		e = entry{make(map[plural.Form]wording), many}
	}
	w, err := split(text)
	if err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	e.forms[form] = w
	l.strings[key] = e
	return nil
}

// split cuts a string at its arguments.
func split(text string) (wording, error) {
	var w wording
	for {
		before, rest, found := strings.Cut(text, "{")
		w = append(w, before)
		if !found {
			return w, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.ContainsAny(name, " {") {
			return nil, fmt.Errorf("an argument in it is not {name}")
		}
		w, text = append(w, name), after
	}
}

// Tag is the language for an HTML lang attribute.
func (l *Language) Tag() string { return l.tag.String() }

// Name is what the language calls itself.
func (l *Language) Name() string { return l.Say("language.name") }

// wording is the string of a key, in the form that its n asks for. Of what is nowhere the
// key is said: a test finds all such.
func (l *Language) wording(key string, args []any) wording {
	e, ok := l.strings[key]
	if !ok {
		return wording{key}
	}
	form := plural.Other
	if n, counted := whole(argument(args, "n")); e.many && counted {
		form = l.form(n)
	}
	if w, ok := e.forms[form]; ok {
		return w
	}
	return e.forms[plural.Other]
}

// Forms are the names of the plural forms that whole numbers have in this language.
func (l *Language) Forms() []string {
	var out []string
	for n := int64(0); n < 1000; n++ {
		for name, form := range forms {
			if form == l.form(n) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// form is the plural form of a whole number.
func (l *Language) form(n int64) plural.Form {
	return plural.Cardinal.MatchPlural(l.tag, int(max(n, -n)%10_000_000), 0, 0, 0, 0)
}

// argument is the value of a name; nil if it was not given.
func argument(args []any, name string) any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return nil
}
