package house

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// mayImport says which rooms each room may look into (DESIGN 3). "test/..." and
// test files are not bound by it, except that only tests may import test.
var mayImport = map[string]string{
	"cmd/davwopi": "bridge bridge/access bridge/bootstrap bridge/containers bridge/discovery bridge/docsapi bridge/doctor bridge/ecosystem bridge/endpoint bridge/files bridge/history bridge/locks bridge/metrics bridge/rehearse bridge/saves bridge/textedit bridge/web bridge/words " +
		"config davbackend davbackend/dav davbackend/localdav davbackend/profile idmap idmap/sqldb oauth oauth/facade",
	"config": "",

	"bridge":            "bridge/access bridge/endpoint davbackend davbackend/dav oauth",
	"bridge/files":      "bridge/endpoint bridge/access bridge/locks bridge/saves bridge/wopi davbackend davbackend/dav idmap idmap/sqldb",
	"bridge/containers": "bridge/endpoint bridge/access bridge/locks bridge/saves bridge/wopi davbackend/dav idmap",
	"bridge/ecosystem":  "bridge/endpoint bridge/wopi idmap",
	"bridge/bootstrap":  "bridge/endpoint bridge/access bridge/wopi davbackend/dav idmap oauth",
	"bridge/docsapi":    "bridge/endpoint bridge/access bridge/locks bridge/saves bridge/wopi davbackend davbackend/dav idmap idmap/sqldb oauth",
	"bridge/web":        "bridge/endpoint bridge/access bridge/discovery bridge/history bridge/locks bridge/saves bridge/wopi bridge/words davbackend davbackend/dav idmap idmap/sqldb oauth oauth/facade",
	"bridge/metrics":    "bridge/access bridge/discovery bridge/endpoint bridge/locks bridge/proof bridge/saves davbackend/dav idmap",
	"bridge/doctor":     "bridge/access bridge/discovery bridge/proof bridge/wopi bridge/words davbackend davbackend/dav davbackend/profile",
	"bridge/textedit":   "bridge/discovery bridge/endpoint bridge/wopi bridge/words idmap",
	"bridge/endpoint":   "bridge/access bridge/discovery bridge/locks bridge/proof bridge/saves bridge/wopi bridge/words davbackend davbackend/dav idmap idmap/sqldb",
	"bridge/rehearse":   "bridge/access bridge/locks bridge/saves bridge/wopi bridge/words davbackend davbackend/dav davbackend/profile idmap idmap/sqldb oauth",
	"bridge/saves":      "bridge/access bridge/locks bridge/wopi davbackend davbackend/dav idmap idmap/sqldb",
	"bridge/locks":      "bridge/access bridge/wopi davbackend davbackend/dav idmap idmap/sqldb",
	"bridge/access":     "davbackend davbackend/dav idmap idmap/sqldb oauth",
	"bridge/discovery":  "bridge/proof bridge/wopi",
	"bridge/proof":      "bridge/wopi",
	"bridge/history":    "idmap idmap/sqldb",
	"bridge/wopi":       "",
	"bridge/words":      "",

	"davbackend":          "davbackend/dav",
	"davbackend/localdav": "davbackend/dav idmap/sqldb",
	"davbackend/profile":  "davbackend davbackend/dav idmap/sqldb",
	"davbackend/dav":      "",
	"idmap":               "davbackend/dav idmap/sqldb",
	"idmap/sqldb":         "",
	"oauth":               "idmap/sqldb",
	"oauth/facade":        "idmap/sqldb oauth",
}

// livesIn says where each outside library may be used.
var livesIn = map[string]string{
	"github.com/gorilla/mux":              "bridge bridge/bootstrap bridge/containers bridge/docsapi bridge/doctor bridge/ecosystem bridge/files bridge/web bridge/textedit",
	"github.com/prometheus/client_golang": "bridge/metrics",
	"github.com/rs/zerolog":               "bridge cmd/davwopi",
	"github.com/coreos/go-oidc/v3":        "oauth",
	"golang.org/x/oauth2":                 "oauth",
	"github.com/go-jose/go-jose/v4":       "bridge/docsapi oauth test/idp",
	"golang.org/x/crypto":                 "cmd/davwopi",
	"golang.org/x/net":                    "davbackend/localdav",
	"github.com/patrickmn/go-cache":       "bridge/discovery oauth davbackend",
	"github.com/jackc/pgx/v5":             "idmap/sqldb",
	"modernc.org/sqlite":                  "idmap/sqldb",
	"go.yaml.in/yaml/v3":                  "config",
	"golang.org/x/sync":                   "bridge/discovery oauth davbackend",
	"golang.org/x/time":                   "oauth cmd/davwopi",
	"github.com/fsnotify/fsnotify":        "davbackend",
	"golang.org/x/sys":                    "davbackend idmap/sqldb davbackend/localdav bridge/doctor bridge/saves",
	"golang.org/x/text":                   "davbackend davbackend/dav bridge/web bridge/words",
}

// A source is one Go file of the tree.
type source struct {
	path string // from the root, with slashes
	room string
	test bool
	text []byte
	file *ast.File
}

func (s source) imports() []string {
	var list []string
	for _, i := range s.file.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

// sources reads every Go file of the tree.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		file, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		list = append(list, source{rel, path.Dir(rel), strings.HasSuffix(rel, "_test.go"), text, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d Go files found: the walk is wrong", len(list))
	}
	return list
}

// isTestRoom tells rooms that no release needs.
func isTestRoom(room string) bool {
	return room == "test" || strings.HasPrefix(room, "test/") || room == "idmap/sqldb/sqldbtest"
}

func TestArrowsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || isTestRoom(s.room) {
			continue
		}
		allowed, known := mayImport[s.room]
		if !known {
			t.Errorf("%s: the room %s is not in mayImport", s.path, s.room)
			continue
		}
		for _, i := range s.imports() {
			other, ours := strings.CutPrefix(i, "davwopi/")
			if ours && !slices.Contains(strings.Fields(allowed), other) {
				t.Errorf("%s: %s may not look into %s", s.path, s.room, other)
			}
		}
	}
}

func TestOutsideLibrariesHaveTheirRooms(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports() {
			if !strings.Contains(strings.SplitN(i, "/", 2)[0], ".") || s.test || isTestRoom(s.room) {
				continue
			}
			where, known := "", false
			for library, rooms := range livesIn {
				if i == library || strings.HasPrefix(i, library+"/") {
					where, known = rooms, true
				}
			}
			if !known {
				t.Errorf("%s: %s is in no room of livesIn", s.path, i)
			} else if !slices.Contains(strings.Fields(where), s.room) {
				t.Errorf("%s: %s does not live in %s", s.path, i, s.room)
			}
		}
	}
}

func TestEveryRoomSaysWhatItOwns(t *testing.T) {
	docs := map[string]string{}
	rooms := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		rooms[s.room] = true
		if s.file.Doc != nil {
			docs[s.room] += s.file.Doc.Text()
		}
	}
	for room := range rooms {
		if docs[room] == "" {
			t.Errorf("%s has no package comment", room)
		}
		if isTestRoom(room) || strings.HasPrefix(room, "cmd/") {
			continue
		}
		for _, want := range []string{"own", "not own", "# Why it is so", "20"} {
			if !strings.Contains(docs[room], want) {
				t.Errorf("%s: its doc.go does not say %q", room, want)
			}
		}
	}
}

func TestForbiddenNames(t *testing.T) {
	forbidden := []string{"internal", "pkg", "util", "utils", "common", "helper", "helpers", "models", "service", "manager"}
	for _, s := range sources(t) {
		for _, part := range strings.Split(s.room, "/") {
			if slices.Contains(forbidden, part) {
				t.Errorf("%s: no room may be called %s", s.path, part)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	allowed := strings.Fields("cmd bridge davbackend idmap oauth config test deploy go.mod go.sum Dockerfile README.md " +
		"Makefile LICENSE CHANGELOG.md .ci .golangci.yml .git .gitignore .dockerignore")
	// What a user of the default configuration makes in the tree.
	made := []string{"documents", "davwopi-data", "davwopi.yaml", "davwopi", "screenshots", "dist"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) && !slices.Contains(made, e.Name()) {
			t.Errorf("%s is not in the owner's frame", e.Name())
		}
	}
}

func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if string(formatted) != string(s.text) {
			t.Errorf("%s is not formatted: gofmt -w %s", s.path, s.path)
		}
	}
}

func TestNothingIsLeftUndone(t *testing.T) {
	// Written apart, so that this file does not find itself.
	marks := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", `panic("contract` + `")`}
	for _, s := range sources(t) {
		for _, mark := range marks {
			if strings.Contains(string(s.text), mark) {
				t.Errorf("%s: %s", s.path, mark)
			}
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || isTestRoom(s.room) || s.room == "cmd/davwopi" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverIsExported(d) && d.Doc == nil {
					t.Errorf("%s: %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no comment", s.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return ast.IsExported(name)
}

// TestLongFiles keeps files on a few screens. An exception says why in the file.
func TestLongFiles(t *testing.T) {
	const most = 400
	for _, s := range sources(t) {
		if n := strings.Count(string(s.text), "\n"); !s.test && n > most {
			t.Errorf("%s has %d lines, more than %d: split it by thought", s.path, n, most)
		}
	}
}
