package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// A Fault is one thing that is wrong, at a key path.
type Fault struct {
	Path    string // key path, e.g. upstreams[1].url; "" for the file itself
	Message string // what is wrong and what is allowed
}

// String is one line for a person.
func (f Fault) String() string {
	if f.Path == "" {
		return f.Message
	}
	return f.Path + ": " + f.Message
}

// Faults is everything that is wrong, in the order of key paths. It is the error
// of [Load].
type Faults []Fault

// Error lists all faults, a line each.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return "config: " + strings.Join(lines, "\nconfig: ")
}

// Overrides are flags: key path to value. They win over everything.
type Overrides map[string]string

// Load reads the defaults, then file (which may be "" for none), then the
// environment (KEY=VALUE as os.Environ gives it), then the overrides, and checks
// the whole. The error is [Faults] and lists everything that is wrong; a
// configuration is returned only without faults.
func Load(file string, environ []string, over Overrides) (*Config, error) {
	c := Default()
	r := &reader{}
	if file != "" {
		r.file(c, file)
	}
	r.environment(c, environ)
	r.overrides(c, over)
	r.check(c)
	if len(r.faults) > 0 {
		sort.SliceStable(r.faults, func(i, j int) bool { return r.faults[i].Path < r.faults[j].Path })
		return nil, r.faults
	}
	return c, nil
}

type reader struct {
	faults  Faults
	exposed string // the file that is read, if everybody on this machine may read it
}

func (r *reader) fault(path, format string, args ...any) {
	r.faults = append(r.faults, Fault{path, fmt.Sprintf(format, args...)})
}

func (r *reader) file(c *Config, file string) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxFile {
		r.fault("", "%s is larger than %d bytes", file, maxFile)
		return
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		r.fault("", "there is no file %s", file)
		return
	} else if err != nil {
		r.fault("", "cannot read %s: %v", file, err)
		return
	}
	if Exposed(file, info.Mode()) {
		r.exposed = file
		defer func() { r.exposed = "" }()
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		r.fault("", "%s is not YAML: %v%s", file, err, tabHint(text))
		return
	}
	if len(doc.Content) == 0 {
		return // an empty file
	}
	r.node("", doc.Content[0], reflect.ValueOf(c).Elem(), "")
}

// tabHint says what nobody sees in an editor: that a line of a text that is not YAML begins
// with a tab. "" if none does.
func tabHint(text []byte) string {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
			return fmt.Sprintf("; line %d is indented with a tab, and YAML wants spaces", n)
		}
	}
	return ""
}

// otherVariables lists variables that carry a value too secret for a key.
var otherVariables = map[string]bool{"DAVWOPI_CONFIG": true, "DAVWOPI_SECRET_KEY": true}

func (r *reader) environment(c *Config, environ []string) {
	known := scalarKeys()
	byVariable := map[string]string{}
	for path := range known {
		byVariable[Variable(path)] = path
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "DAVWOPI_") || strings.HasPrefix(name, "DAVWOPI_TEST_") ||
			name == "DAVWOPI_SCREENSHOTS" || otherVariables[name] {
			continue
		}
		path, ok := byVariable[name]
		if !ok {
			r.fault(name, "no key has this variable")
			continue
		}
		r.set(c, path, value)
	}
}

func (r *reader) overrides(c *Config, over Overrides) {
	for path, value := range over {
		r.set(c, path, value)
	}
}

// set gives the scalar key at path a text value.
func (r *reader) set(c *Config, path, value string) {
	v := reflect.ValueOf(c).Elem()
	tag := ""
	for _, key := range strings.Split(path, ".") {
		f, t, ok := fieldOf(v, key)
		if !ok {
			r.fault(path, "unknown key")
			return
		}
		v, tag = f, t
	}
	r.scalar(path, value, v, tag)
}

// Variable is the name of the environment variable of the scalar key at path.
func Variable(path string) string {
	return "DAVWOPI_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
