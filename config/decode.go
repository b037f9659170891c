package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	typeURL      = reflect.TypeFor[URL]()
	typeNetwork  = reflect.TypeFor[Network]()
	typeSecret   = reflect.TypeFor[Secret]()
	typeSize     = reflect.TypeFor[Size]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeEditor   = reflect.TypeFor[Editor]()
	typeState    = reflect.TypeFor[State]()
)

func isScalar(t reflect.Type) bool {
	switch t {
	case typeURL, typeNetwork, typeSecret, typeSize, typeDuration:
		return true
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.String || t.Kind() == reflect.Bool || t.Kind() == reflect.Int
}

// fieldOf finds the field of struct v with that YAML key, and the values that its
// tag allows.
func fieldOf(v reflect.Value, key string) (field reflect.Value, values string, ok bool) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Tag.Get("yaml") == key {
			return v.Field(i), f.Tag.Get("values"), true
		}
	}
	return reflect.Value{}, "", false
}

// scalarKeys are the key paths that have an environment variable: all scalars
// that are not inside a list.
func scalarKeys() map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	var walk func(prefix string, t reflect.Type)
	walk = func(prefix string, t reflect.Type) {
		for i := range t.NumField() {
			f := t.Field(i)
			path := prefix + f.Tag.Get("yaml")
			switch {
			case isScalar(f.Type), f.Type.Kind() == reflect.Slice && elemIsText(f.Type):
				keys[path] = f.Type
			case f.Type.Kind() == reflect.Struct:
				if short(f.Type) != "" {
					keys[path] = f.Type
				}
				walk(path+".", f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return keys
}

// elemIsText tells lists that can be written as one text, comma by comma.
func elemIsText(t reflect.Type) bool { return isScalar(t.Elem()) || t.Elem() == typeEditor }

// short is the field that a struct's value means where it is one text; "" for most.
func short(t reflect.Type) string {
	switch t {
	case typeEditor:
		return "URL"
	case typeState:
		return "Dir"
	}
	return ""
}

// node decodes n into v, noting every fault.
func (r *reader) node(path string, n *yaml.Node, v reflect.Value, values string) {
	if n.Kind == yaml.AliasNode {
		r.fault(path, "aliases are not supported (line %d)", n.Line)
		return
	}
	if field := short(v.Type()); field != "" && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		r.scalar(path, n.Value, v.FieldByName(field), "")
		return
	}
	switch {
	case isScalar(v.Type()):
		if n.Kind != yaml.ScalarNode {
			r.fault(path, "wants one value, not a list or a map (line %d)", n.Line)
			return
		}
		if v.Type() == typeSecret && r.exposed != "" && n.Value != "" {
			r.fault(path, "stands in %s, which everybody on this machine may read: chmod 600 it, or put the secret in a file of its own or in the variable %s", r.exposed, Variable(path))
		}
		r.scalar(path, n.Value, v, values)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.fault(path, "wants a list (line %d)", n.Line)
			return
		}
		list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			r.node(fmt.Sprintf("%s[%d]", path, i), item, list.Index(i), values)
		}
		v.Set(list)
	case v.Kind() == reflect.Map:
		r.mapping(path, n, v)
	default:
		r.object(path, n, v)
	}
}

func (r *reader) mapping(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.fault(path, "wants a map (line %d)", n.Line)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i+1].Kind != yaml.ScalarNode {
			r.fault(join(path, n.Content[i].Value), "wants one value (line %d)", n.Line)
			continue
		}
		v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), reflect.ValueOf(n.Content[i+1].Value))
	}
}

func (r *reader) object(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // "upstream:" with nothing below it
	}
	if n.Kind != yaml.MappingNode {
		r.fault(path, "wants keys and values (line %d)", n.Line)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		at := join(path, key)
		if seen[key] {
			r.fault(at, "is there twice (line %d)", n.Content[i].Line)
			continue
		}
		seen[key] = true
		f, values, ok := fieldOf(v, key)
		if !ok {
			r.fault(at, "unknown key (line %d); allowed here: %s", n.Content[i].Line, strings.Join(keysOf(v.Type()), ", "))
			continue
		}
		r.node(at, n.Content[i+1], f, values)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// scalar gives v the value that text means.
func (r *reader) scalar(path, text string, v reflect.Value, values string) {
	if v.Kind() == reflect.Slice {
		var list = reflect.MakeSlice(v.Type(), 0, 4)
		for _, part := range strings.Split(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			item := reflect.New(v.Type().Elem()).Elem()
			r.scalar(path, part, item, values)
			list = reflect.Append(list, item)
		}
		v.Set(list)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if field := short(v.Type()); field != "" {
		v = v.FieldByName(field)
	}
	if values != "" && !oneOf(text, values) {
		r.fault(path, "%q is not one of %s", text, strings.ReplaceAll(values, ",", ", "))
		return
	}
	if err := assign(text, v); err != nil {
		r.fault(path, "%v", err)
	}
}

func oneOf(text, values string) bool {
	for _, v := range strings.Split(values, ",") {
		if v == text {
			return true
		}
	}
	return false
}

func assign(text string, v reflect.Value) error {
	switch v.Type() {
	case typeURL:
		u, err := parseURL(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(u))
	case typeNetwork:
		n, err := parseNetwork(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(n))
	case typeSecret:
		v.Set(reflect.ValueOf(Secret{text}))
	case typeSize:
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		v.SetInt(n)
	case typeDuration:
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration such as 20s, 5m or 24h", text)
		}
		v.SetInt(int64(d))
	default:
		if v.Kind() == reflect.Int {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is not a number", text)
			}
			v.SetInt(int64(n))
			return nil
		}
		if v.Kind() == reflect.Bool {
			if text != "true" && text != "false" {
				return fmt.Errorf("%q is not true or false", text)
			}
			v.SetBool(text == "true")
			return nil
		}
		v.SetString(text)
	}
	return nil
}

func parseURL(text string) (URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return URL{}, fmt.Errorf("%q is not a URL that begins with http:// or https://", redact(text))
	case u.User != nil:
		return URL{}, fmt.Errorf("must not hold a user name or password; use user and password_file")
	case u.RawQuery != "" || u.Fragment != "":
		return URL{}, fmt.Errorf("%q must not have ? or #", text)
	}
	return URL{u}, nil
}

// redact cuts what may be a password out of a text that is not a URL.
func redact(text string) string {
	if _, after, ok := strings.Cut(text, "@"); ok {
		return "...@" + after
	}
	return text
}

func parseNetwork(text string) (Network, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return Network{p.Masked()}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return Network{}, fmt.Errorf("%q is not an address or a network such as 10.0.0.0/8", text)
	}
	return Network{netip.PrefixFrom(a, a.BitLen())}, nil
}

func parseSize(text string) (int64, error) {
	number, factor := text, int64(1)
	for suffix, f := range map[string]int64{"k": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if s, ok := strings.CutSuffix(text, suffix); ok {
			number, factor = s, f
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<50)/factor {
		return 0, fmt.Errorf("%q is not a size such as 500M or 4G", text)
	}
	return n * factor, nil
}
