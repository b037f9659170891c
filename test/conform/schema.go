package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A schema is the part of JSON Schema draft 4 that the suite's schemas use. A
// keyword beyond it is an error when the schema is read.
type schema struct {
	Type       types              `json:"type"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	OneOf      []*schema          `json:"oneOf"`
	Not        *schema            `json:"not"`
	Enum       []any              `json:"enum"`
	Format     string             `json:"format"`
	MaxLength  *int               `json:"maxLength"`
	Minimum    *float64           `json:"minimum"`
	Items      *schema            `json:"items"`

	Additional  *bool  `json:"additionalProperties"`
	Dialect     string `json:"$schema"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

// types is one name of a type or a list of them.
type types []string

// UnmarshalJSON takes both.
func (t *types) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = types{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*t = list
	return nil
}

func readSchema(name string) (*schema, error) {
	data, err := testdata.ReadFile("testdata/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("conform: unknown schema: %s", name)
	}
	dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
	dec.DisallowUnknownFields()
	var s schema
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("conform: schema %s: %w", name, err)
	}
	if s.Additional != nil && !*s.Additional {
		return nil, fmt.Errorf("conform: schema %s forbids additional properties", name)
	}
	return &s, nil
}

// expectSchema wants a body that the schema describes. Schemas of CSPP Plus alone
// are not carried: only cases that are not played use them.
func expectSchema(name string) (func(*exchange, state) []string, error) {
	if name == "CoauthTableSchema" || name == "GetChunkedFileResponseSchema" {
		return func(*exchange, state) []string { return []string{name + " of CSPP Plus is not played"} }, nil
	}
	s, err := readSchema(name)
	if err != nil {
		return nil, err
	}
	return func(x *exchange, _ state) []string {
		if len(x.body) == 0 {
			return []string{"no body"}
		}
		v, err := parseJSON(x.body)
		if err != nil {
			return []string{"not JSON: " + err.Error()}
		}
		var reasons []string
		for _, err := range s.check(v, "") {
			reasons = append(reasons, err.Error())
		}
		return reasons
	}, nil
}

// check returns everything that is wrong with v, which stands at path.
func (s *schema) check(v any, path string) []error {
	var wrong []error
	fail := func(format string, args ...any) {
		wrong = append(wrong, errors.New(strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...)))
	}
	if len(s.Type) > 0 && !slices.ContainsFunc(s.Type, func(name string) bool { return hasType(v, name) }) {
		fail("%s is not of type %s", show(v), strings.Join(s.Type, " or "))
		return wrong
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(e any) bool { return e == v }) {
		fail("%s is not one of %s", show(v), show(s.Enum))
	}
	if s.Not != nil && len(s.Not.check(v, path)) == 0 {
		fail("must not be there")
	}
	if len(s.OneOf) > 0 {
		if n := s.countOf(v, path); n != 1 {
			fail("%s fits %d of the allowed forms", show(v), n)
		}
	}
	switch v := v.(type) {
	case string:
		if s.MaxLength != nil && utf8.RuneCountInString(v) > *s.MaxLength {
			fail("%s is longer than %d", show(v), *s.MaxLength)
		}
		if !hasFormat(v, s.Format) {
			fail("%s is not a %s", show(v), s.Format)
		}
	case json.Number:
		if f, err := v.Float64(); s.Minimum != nil && (err != nil || f < *s.Minimum) {
			fail("%s is below %v", v, *s.Minimum)
		}
	case []any:
		for i, item := range v {
			if s.Items != nil {
				wrong = append(wrong, s.Items.check(item, fmt.Sprintf("%s[%d]", path, i))...)
			}
		}
	case map[string]any:
		wrong = append(wrong, s.checkObject(v, path)...)
	}
	return wrong
}

func (s *schema) countOf(v any, path string) (n int) {
	for _, form := range s.OneOf {
		if len(form.check(v, path)) == 0 {
			n++
		}
	}
	return n
}

func (s *schema) checkObject(v map[string]any, path string) []error {
	var wrong []error
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			wrong = append(wrong, fmt.Errorf("%s is missing", name))
		}
	}
	for name, rule := range s.Properties {
		if value, ok := v[name]; ok {
			wrong = append(wrong, rule.check(value, strings.TrimPrefix(path+"."+name, "."))...)
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return wrong
}

func hasType(v any, want string) bool {
	switch v := v.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	case json.Number:
		return want == "number" || want == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}

func hasFormat(s, format string) bool {
	switch format {
	case "uri":
		return absolute(s)
	case "date-time":
		_, err := parseTime(s)
		return err == nil
	}
	return true
}
