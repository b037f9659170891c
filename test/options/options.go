// Package options writes the operator's page of every configuration key from the comments of
// the struct that is read: they are the manual, and nothing is written twice.
//
// It reads the sources of config. `go generate ./config` writes deploy/docs/CONFIGURATION.md,
// a test here compares it, and another one gives each example to the program.
package options

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// A page collects the keys. types are the structs of config, by name.
type page struct {
	types map[string]*ast.TypeSpec
	docs  map[string]string
	out   strings.Builder
}

const head = `# Configuration

Every key of ` + "`davwopi.yaml`" + `, in its place in the file. Keys that are not inside a list can also be given as the
variable that is named: a flag wins over a variable, a variable over the file, the file over the default. Whatever is wrong is
said at once, with its key: ` + "`davwopi config check`" + `. Durations are written like 20s, 5m, 24h; sizes like 500M, 4G.

An example is a value that the program takes, not what it recommends; a test tries each.
This page is made from the comments of the program (` + "`go generate ./config`" + `).
`

// Markdown is the page, from the sources in dir.
func Markdown(dir string) (string, error) {
	p := &page{types: map[string]*ast.TypeSpec{}, docs: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("options: no sources in %s: %w", dir, fs.ErrNotExist)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return "", fmt.Errorf("options: %w", err)
		}
		p.collect(parsed)
	}
	p.out.WriteString(head)
	p.keys("Config", "", false)
	return p.out.String(), nil
}

func (p *page) collect(file *ast.File) {
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if t, ok := s.(*ast.TypeSpec); ok {
				if _, ok := t.Type.(*ast.StructType); ok {
					p.types[t.Name.Name] = t
					p.docs[t.Name.Name] = g.Doc.Text()
				}
			}
		}
	}
}

// keys writes the fields of a struct below prefix. listed: each is in a list, and has no variable.
func (p *page) keys(name, prefix string, listed bool) {
	for _, f := range p.types[name].Type.(*ast.StructType).Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
		key := tag.Get("yaml")
		if key == "" {
			continue
		}
		inner, list := typeName(f.Type)
		spec, isStruct := p.types[inner]
		isStruct = isStruct && hasKeys(spec)
		path := prefix + key
		if prefix == "" {
			fmt.Fprintf(&p.out, "\n## `%s`\n", path)
		} else {
			fmt.Fprintf(&p.out, "\n### `%s`\n", path)
		}
		text := sentence(f.Doc.Text(), f.Names[0].Name, path)
		switch {
		case isStruct && list:
			fmt.Fprintf(&p.out, "\n%s\n", text)
			if key == "upstreams" {
				break // the keys of upstream
			}
			p.keys(inner, path+"[].", true)
		case isStruct:
			fmt.Fprintf(&p.out, "\n%s\n", text)
			p.keys(inner, path+".", listed)
		default:
			p.scalar(path, text, tag, listed || isMap(f.Type))
		}
	}
}

func (p *page) scalar(path, text string, tag reflect.StructTag, listed bool) {
	if !strings.Contains(text, "Default") && !strings.Contains(text, "equired") {
		text += " Default none."
	}
	fmt.Fprintf(&p.out, "\n%s\n", text)
	var more []string
	if values := tag.Get("values"); values != "" {
		more = append(more, "One of `"+strings.ReplaceAll(values, ",", "`, `")+"`.")
	}
	more = append(more, "Example `"+Example(path, tag.Get("beside"), tag.Get("example"))+"`.")
	if !listed {
		more = append(more, "Variable `DAVWOPI_"+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))+"`.")
	}
	fmt.Fprintf(&p.out, "\n%s\n", strings.Join(more, " "))
}

// Example is the line of YAML that gives the key at path a value. beside are other keys of
// the same entry of a list, without which it would be none.
func Example(path, beside, value string) string {
	key, rest, deeper := strings.Cut(path, ".")
	if deeper {
		value = Example(rest, beside, value)
		if beside != "" && !strings.Contains(rest, ".") {
			value = beside + ", " + value
		}
		value = "{" + value + "}"
	}
	if name, ok := strings.CutSuffix(key, "[]"); ok {
		return name + ": [" + value + "]"
	}
	return key + ": " + value
}

var goName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]* `)

// sentence is a field's comment with the key in the place of the field's name.
func sentence(doc, field, path string) string {
	text := strings.TrimSpace(doc)
	if rest, ok := strings.CutPrefix(text, field+" "); ok && goName.MatchString(text) {
		text = "`" + path + "` " + rest
	}
	return strings.Join(strings.Fields(text), " ")
}

// typeName is the name of a type of config, and whether it is a list of it.
func typeName(e ast.Expr) (name string, list bool) {
	switch t := e.(type) {
	case *ast.ArrayType:
		name, _ = typeName(t.Elt)
		return name, true
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name, false
	}
	return "", false
}

func isMap(e ast.Expr) bool {
	_, ok := e.(*ast.MapType)
	return ok
}

func hasKeys(t *ast.TypeSpec) bool {
	fields := t.Type.(*ast.StructType).Fields.List
	return len(fields) > 0 && fields[0].Tag != nil && strings.Contains(fields[0].Tag.Value, "yaml:")
}
