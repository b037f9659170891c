package house

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"davwopi/config"
)

// TestReadmeNamesEveryOption compares the README's table of options with the
// configuration, both ways.
func TestReadmeNamesEveryOption(t *testing.T) {
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	inReadme := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			if key, _, ok := strings.Cut(rest, "` |"); ok {
				inReadme[key] = true
			}
		}
	}
	inConfig := map[string]bool{}
	collectKeys("", reflect.TypeFor[config.Config](), inConfig)
	for key := range inConfig {
		if !inReadme[key] {
			t.Errorf("README.md: the table of options lacks `%s`", key)
		}
	}
	for key := range inReadme {
		if !inConfig[key] {
			t.Errorf("README.md: there is no key `%s`", key)
		}
	}
}

// collectKeys lists the key paths of t; entries of lists as list[].key.
func collectKeys(prefix string, t reflect.Type, keys map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		inner := f.Type
		path := prefix + key
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct && hasKeys(inner.Elem()) {
			if key != "upstreams" { // its entries are those of upstream
				collectKeys(path+"[].", inner.Elem(), keys)
			}
			keys[path] = true
			continue
		}
		if inner.Kind() == reflect.Struct && hasKeys(inner) {
			collectKeys(path+".", inner, keys)
			continue
		}
		keys[path] = true
	}
}

func hasKeys(t reflect.Type) bool {
	return t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}
