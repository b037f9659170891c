package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"golang.org/x/net/html"

	"davwopi/bridge/words"
)

// pageFiles are the parts of pages that are not Go: views and scripts.
var pageFiles = []string{"bridge/web/views/*.html", "bridge/web/assets/*.js", "bridge/textedit/assets/*.html", "bridge/textedit/assets/*.js"}

// A say is one place where a string is used.
type say struct {
	where     string
	key       string   // up to its last full stop, where the rest is put together
	beginning bool     // that
	args      []string // names, sorted; nil not known
	marked    bool     // said as HTML
}

// A sentence is a string of the catalogue: its wordings by plural form.
type sentence struct {
	forms []string
	many  bool
}

func sentences(l *words.Language) map[string]sentence {
	out := make(map[string]sentence)
	for key, v := range l.ScriptWords("") {
		switch v := v.(type) {
		case string:
			out[key] = sentence{[]string{v}, false}
		case map[string]string:
			out[key] = sentence{slices.Collect(maps.Values(v)), true}
		}
	}
	return out
}

var (
	argument = regexp.MustCompile(`\{([^}]*)\}`)
	mark     = regexp.MustCompile(`<[^>]*>`)
	allowed  = regexp.MustCompile(`^</?(b|bdi|code|kbd|a)>$|^<br>$|^<a href="\{[a-z_]+\}">$`)
)

// arguments are the names of all forms, sorted; n, which chooses the form, is one.
func (s sentence) arguments() []string {
	names := map[string]bool{}
	if s.many {
		names["n"] = true
	}
	for _, form := range s.forms {
		for _, m := range argument.FindAllStringSubmatch(form, -1) {
			names[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (s sentence) marks() []string {
	found := mark.FindAllString(s.forms[0], -1)
	slices.Sort(found)
	return found
}

// TestEveryLanguageSaysTheSame: the same keys, arguments and marks as in English, all the
// forms that the language has, and nothing that could break a page.
func TestEveryLanguageSaysTheSame(t *testing.T) {
	all := words.All()
	english := sentences(all[0])
	if len(all) < 2 || all[0].Tag() != "en" || len(english) < 100 {
		t.Fatalf("%d languages, %d strings", len(all), len(english))
	}
	for _, l := range all {
		own := sentences(l)
		for key, s := range own {
			e, ok := english[key]
			if !ok {
				t.Errorf("%s: %s is not in English", l.Tag(), key)
				continue
			}
			if !slices.Equal(s.arguments(), e.arguments()) {
				t.Errorf("%s: %s has the arguments %v, in English %v", l.Tag(), key, s.arguments(), e.arguments())
			}
			if !slices.Equal(s.marks(), e.marks()) {
				t.Errorf("%s: %s has the marks %v, in English %v", l.Tag(), key, s.marks(), e.marks())
			}
			if want := l.Forms(); s.many && len(s.forms) != len(want) {
				t.Errorf("%s: %s has %d forms, not %v", l.Tag(), key, len(s.forms), want)
			}
			if s.many != e.many {
				t.Errorf("%s: %s has forms only in one language", l.Tag(), key)
			}
			for _, form := range s.forms {
				checkWording(t, l.Tag()+": "+key, form)
			}
		}
		for key := range english {
			if _, ok := own[key]; !ok {
				t.Errorf("%s: %s is missing", l.Tag(), key)
			}
		}
	}
}

func checkWording(t *testing.T, where, form string) {
	t.Helper()
	for _, m := range mark.FindAllString(form, -1) {
		if !allowed.MatchString(m) {
			t.Errorf("%s: the mark %s", where, m)
		}
	}
	if rest := mark.ReplaceAllString(form, ""); strings.ContainsAny(rest, "<>&\"\u2028\u2029") {
		t.Errorf("%s: %q could be taken for markup", where, form)
	}
	if form != strings.TrimSpace(form) || strings.Contains(form, "  ") || form == "" {
		t.Errorf("%s: blanks in %q", where, form)
	}
}

// TestEveryStringIsThereAndUsed: what is said is in the catalogue and gets its arguments;
// what is in the catalogue is said.
func TestEveryStringIsThereAndUsed(t *testing.T) {
	english := sentences(words.All()[0])
	used := map[string]bool{}
	for _, s := range says(t, english) {
		found := false
		for key, sentence := range english {
			if key == s.key && !s.beginning || s.beginning && strings.HasPrefix(key, s.key) {
				found, used[key] = true, true
				if s.args != nil && !s.beginning && !slices.Equal(s.args, sentence.arguments()) {
					t.Errorf("%s: %s gets %v and wants %v", s.where, key, s.args, sentence.arguments())
				}
				if len(sentence.marks()) > 0 && !s.marked {
					t.Errorf("%s: %s has marks and is said as text", s.where, key)
				}
			}
		}
		if !found {
			t.Errorf("%s: %s is in no catalogue", s.where, s.key)
		}
	}
	if len(used) < 100 {
		t.Fatalf("only %d strings are used: the search is wrong", len(used))
	}
	for key := range english {
		if !used[key] {
			t.Errorf("%s is not used", key)
		}
	}
}

// says finds where strings are used. In Go that is [words.Say] and Language.Say, whose
// words may have marks: a page decides how it says them.
func says(t *testing.T, english map[string]sentence) []say {
	t.Helper()
	var out []say
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.room, "bridge") && !strings.HasPrefix(s.room, "cmd") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				out = append(out, saidInGo(s.path, call)...)
			}
			return true
		})
	}
	for _, pattern := range pageFiles {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".js") {
				out = append(out, saidInScript(name, string(text), english)...)
			} else {
				out = append(out, saidInView(t, name, string(text))...)
			}
		}
	}
	return out
}

func saidInGo(where string, call *ast.CallExpr) []say {
	called := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		called = f.Sel.Name
	case *ast.Ident: // in bridge/words itself
		called = f.Name
	}
	if called != "Say" || len(call.Args) == 0 {
		return nil
	}
	s := say{where: where, marked: true, args: []string{}}
	switch key := call.Args[0].(type) {
	case *ast.BasicLit:
		s.key = unquoted(key)
	case *ast.BinaryExpr: // "beginning." + rest
		if lit, ok := key.X.(*ast.BasicLit); ok {
			s.key, s.beginning = unquoted(lit), true
		}
	}
	if s.key == "" {
		return nil
	}
	for i := 1; i < len(call.Args); i += 2 {
		if lit, ok := call.Args[i].(*ast.BasicLit); ok && call.Ellipsis == token.NoPos {
			s.args = append(s.args, unquoted(lit))
		} else {
			s.args = nil
			break
		}
	}
	slices.Sort(s.args)
	return []say{s}
}

func unquoted(lit *ast.BasicLit) string {
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return "" // a number: no key
	}
	return s
}

// saidInView finds t and th in a view.
func saidInView(t *testing.T, name, text string) []say {
	t.Helper()
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		t.Fatal(err)
	}
	var out []say
	for _, one := range trees {
		everyCommand(one.Root, func(c *parse.CommandNode) {
			f, ok := c.Args[0].(*parse.IdentifierNode)
			if !ok || f.Ident != "t" && f.Ident != "th" || len(c.Args) < 2 {
				return
			}
			s := say{where: fmt.Sprintf("%s: {{%s}}", name, c), marked: f.Ident == "th", args: []string{}}
			switch key := c.Args[1].(type) {
			case *parse.StringNode:
				s.key = key.Text
			case *parse.PipeNode: // (print "beginning." .Rest)
				if args := key.Cmds[0].Args; len(args) > 1 && args[0].String() == "print" {
					s.key, s.beginning = args[1].(*parse.StringNode).Text, true
				}
			default: // a Text
				return
			}
			for i := 2; i < len(c.Args); i += 2 {
				s.args = append(s.args, c.Args[i].(*parse.StringNode).Text)
			}
			slices.Sort(s.args)
			out = append(out, s)
		})
	}
	return out
}

// everyCommand calls f for each command below a node.
func everyCommand(n parse.Node, f func(*parse.CommandNode)) {
	pipe := func(p *parse.PipeNode) {
		if p != nil {
			for _, c := range p.Cmds {
				everyCommand(c, f)
			}
		}
	}
	branch := func(p *parse.PipeNode, list, other *parse.ListNode) {
		pipe(p)
		everyCommand(list, f)
		if other != nil {
			everyCommand(other, f)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, one := range n.Nodes {
			everyCommand(one, f)
		}
	case *parse.ActionNode:
		pipe(n.Pipe)
	case *parse.TemplateNode:
		pipe(n.Pipe)
	case *parse.PipeNode:
		pipe(n)
	case *parse.IfNode:
		branch(n.Pipe, n.List, n.ElseList)
	case *parse.RangeNode:
		branch(n.Pipe, n.List, n.ElseList)
	case *parse.WithNode:
		branch(n.Pipe, n.List, n.ElseList)
	case *parse.CommandNode:
		f(n)
		for _, a := range n.Args {
			everyCommand(a, f)
		}
	}
}

var (
	scriptSay   = regexp.MustCompile(`\bsay\('([a-z][A-Za-z0-9_.]*)'( \+)?(?:, ?\{([^{}]*)\})?(\)?)`)
	scriptText  = regexp.MustCompile(`'([a-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+)'`)
	scriptField = regexp.MustCompile(`^\s*(\w+)\s*(?::|$)`)
)

// saidInScript finds say(...) in a script, and keys that reach it in other ways.
func saidInScript(name, text string, english map[string]sentence) []say {
	var out []say
	for _, m := range scriptSay.FindAllStringSubmatch(text, -1) {
		s := say{where: name + ": " + m[0], key: m[1], beginning: m[2] != ""}
		if m[4] != "" && !strings.ContainsAny(m[3], "(") { // no call in it, whose commas would be taken for ours
			s.args = []string{}
			for _, field := range strings.Split(m[3], ",") {
				if f := scriptField.FindStringSubmatch(field); f != nil {
					s.args = append(s.args, f[1])
				}
			}
			slices.Sort(s.args)
		}
		out = append(out, s)
	}
	for _, m := range scriptText.FindAllStringSubmatch(text, -1) {
		if _, ok := english[m[1]]; ok {
			out = append(out, say{where: name, key: m[1]})
		}
	}
	return out
}

// ownWords are words in views and scripts that are the same in every language: names of
// products, and what is typed.
var ownWords = []string{
	"use strict", "Ctrl+S", "UTF-8 with BOM", "not UTF-8",
	"allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation allow-downloads allow-modals",
}

// TestViewsSayNothingOfTheirOwn: what people read comes from a catalogue.
func TestViewsSayNothingOfTheirOwn(t *testing.T) {
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	word := regexp.MustCompile(`\pL{2,}`)
	quoted := regexp.MustCompile("'(?:[^'\\\\\n]|\\\\.)*'|`(?:[^`\\\\]|\\\\.)*`|\"(?:[^\"\\\\\n]|\\\\.)*\"")
	spoken := regexp.MustCompile(`\pL{2,} \pL{2,}`)
	comment := regexp.MustCompile(`(?m)(^|\s)//.*$`)
	for _, pattern := range pageFiles {
		names, _ := filepath.Glob(filepath.Join(root, pattern)) // the patterns are well formed
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".js") {
				for _, m := range quoted.FindAllString(comment.ReplaceAllString(string(text), ""), -1) {
					if m = m[1 : len(m)-1]; spoken.MatchString(m) && !slices.Contains(ownWords, m) && !strings.ContainsAny(m, ".#[]<>:;=/$") {
						t.Errorf("%s says %q by itself", name, m)
					}
				}
				continue
			}
			for _, said := range readable(t, action.ReplaceAllString(string(text), "")) {
				if word.MatchString(said) && !slices.Contains(ownWords, strings.TrimSpace(said)) {
					t.Errorf("%s says %q by itself", name, said)
				}
			}
		}
	}
}

// readable are the texts of a page that somebody reads or hears, but for code.
func readable(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	z := html.NewTokenizer(strings.NewReader(page))
	silent := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			return out
		case html.TextToken:
			switch silent {
			case "":
				out = append(out, string(z.Text()))
			case "noscript": // whose contents are text to the tokenizer
				out = append(out, readable(t, string(z.Text()))...)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			if slices.Contains([]string{"pre", "code", "script", "style", "noscript"}, token.Data) {
				silent = token.Data
			}
			for _, a := range token.Attr {
				if slices.Contains([]string{"title", "alt", "placeholder", "aria-label", "aria-description", "label"}, a.Key) {
					out = append(out, a.Val)
				}
			}
		case html.EndTagToken:
			if token := z.Token(); token.Data == silent {
				silent = ""
			}
		}
	}
}
