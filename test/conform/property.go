package conform

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A property judges one value of a JSON answer. Found is false if it is not there.
type property struct {
	name  string
	check func(v any, found bool, saved state) string
}

// expectJSON wants a JSON object in which every property is right, or, with
// ShouldExist=false, no body at all.
func expectJSON(e *element) (func(*exchange, state) []string, error) {
	exist, err := e.flag("ShouldExist", true)
	if err != nil {
		return nil, err
	}
	var properties []property
	for _, c := range e.children {
		p, err := readProperty(c)
		if err != nil {
			return nil, err
		}
		properties = append(properties, p)
	}
	return func(x *exchange, saved state) []string {
		switch {
		case len(x.body) == 0 && exist:
			return []string{fmt.Sprintf("no body (status %d)", x.status)}
		case len(x.body) == 0:
			return nil
		case !exist:
			return []string{fmt.Sprintf("got %d bytes, want no body", len(x.body))}
		}
		object, err := parseObject(x.body)
		if err != nil {
			return []string{fmt.Sprintf("not a JSON object (status %d): %v: %.80q", x.status, err, x.body)}
		}
		var reasons []string
		for _, p := range properties {
			v, found := lookup(object, p.name)
			if reason := p.check(v, found, saved); reason != "" {
				reasons = append(reasons, p.name+": "+reason)
			}
		}
		return reasons
	}, nil
}

func readProperty(e *element) (property, error) {
	p := property{name: e.attrs["Name"]}
	required, err := e.flag("IsRequired", false)
	if err != nil {
		return p, err
	}
	switch e.name {
	case "BooleanProperty", "IntegerProperty", "LongProperty":
		p.check, err = expectNumber(e, required)
	case "StringProperty":
		p.check, err = expectString(e, required)
	case "StringRegexProperty":
		p.check, err = expectRegex(e, required)
	case "AbsoluteUrlProperty":
		p.check, err = expectURL(e, required)
	case "ArrayProperty":
		p.check = expectArray(e, required)
	case "ArrayLengthProperty":
		p.check, err = expectLength(e, required)
	case "ResponseBodyProperty":
		p.check = func(any, bool, state) string { return "tables of CSPP Plus are not played" }
	default:
		err = fmt.Errorf("conform: unknown property: %s", e.name)
	}
	if p.name == "" && err == nil {
		err = fmt.Errorf("conform: %s without a name", e.name)
	}
	return p, err
}

// empty is the rule for values that are not there or say nothing.
func empty(required bool) string {
	if required {
		return "is missing or empty"
	}
	return ""
}

// expectNumber is for Booleans and integers: without an expected value anything
// goes, except that times must be believable.
func expectNumber(e *element, required bool) (func(any, bool, state) string, error) {
	convert := func(v any) (any, error) { return toBool(v) }
	switch e.name {
	case "IntegerProperty":
		convert = func(v any) (any, error) { return toInt(v, 32) }
	case "LongProperty":
		convert = func(v any) (any, error) { return toInt(v, 64) }
	}
	if given := e.optional("ExpectedValue"); given != nil {
		if _, err := convert(*given); err != nil {
			return nil, fmt.Errorf("conform: %s: %w", e.name, err)
		}
	}
	isTime := slices.Contains([]string{"AccessTokenExpiry", "ServerTime", "AccessTokenValidFrom"}, e.attrs["Name"])
	return func(v any, found bool, saved state) string {
		if !found || isEmpty(v) {
			return empty(required)
		}
		want, ok := expectedAs(e, saved, convert)
		if !ok {
			if isTime {
				return believable(v)
			}
			return ""
		}
		got, err := convert(v)
		if err != nil {
			return err.Error()
		}
		if got != want {
			return fmt.Sprintf("got %v, want %v", got, want)
		}
		return ""
	}, nil
}

// expectedAs converts the saved value, or if it does not convert the given one.
func expectedAs(e *element, saved state, convert func(any) (any, error)) (any, bool) {
	if value := saved[e.attrs["ExpectedStateKey"]]; value != nil {
		if want, err := convert(*value); err == nil {
			return want, true
		}
	}
	if given := e.optional("ExpectedValue"); given != nil {
		want, err := convert(*given)
		return want, err == nil
	}
	return nil, false
}

// believable wants a time in milliseconds within ten years of now.
func believable(v any) string {
	n, err := toInt(v, 64)
	if err != nil {
		return err.Error()
	}
	if away := time.Since(time.UnixMilli(n)).Abs(); away > 3653*24*time.Hour {
		return fmt.Sprintf("%d is not a time in milliseconds", n)
	}
	return ""
}

func expectString(e *element, required bool) (func(any, bool, state) string, error) {
	ignoreCase, err := e.flag("IgnoreCase", false)
	if err != nil {
		return nil, err
	}
	same, ends := func(a, b string) bool { return a == b }, strings.HasSuffix
	if ignoreCase {
		same = strings.EqualFold
		ends = func(s, suffix string) bool { return strings.HasSuffix(strings.ToLower(s), strings.ToLower(suffix)) }
	}
	return func(v any, found bool, saved state) string {
		if !found || isEmpty(v) {
			return empty(required)
		}
		got, ok := text(v)
		want, suffix := saved.expected(e), e.optional("EndsWith")
		if !ok {
			if want == nil && suffix == nil {
				return ""
			}
			return show(v) + " is not a string"
		}
		if want != nil && !same(got, *want) {
			return fmt.Sprintf("got %q, want %q", got, *want)
		}
		if suffix != nil && !ends(got, *suffix) {
			return fmt.Sprintf("%q does not end with %q", got, *suffix)
		}
		return ""
	}, nil
}

// expectRegex fails for null and "" whatever it should match.
func expectRegex(e *element, required bool) (func(any, bool, state) string, error) {
	pattern := e.attrs["ExpectedValue"]
	ignoreCase, err := e.flag("IgnoreCase", false)
	if err != nil {
		return nil, err
	}
	if ignoreCase {
		pattern = "(?i)" + pattern
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	match, err := e.flag("ShouldMatch", true)
	if err != nil {
		return nil, err
	}
	return func(v any, found bool, _ state) string {
		if !found {
			return empty(required)
		}
		got, ok := text(v)
		if !ok || got == "" {
			return "is null or empty; leave it out"
		}
		if expression.MatchString(got) == match {
			return ""
		}
		if match {
			return fmt.Sprintf("%q does not match %s", got, pattern)
		}
		return fmt.Sprintf("%q must not match %s", got, pattern)
	}, nil
}

func expectURL(e *element, required bool) (func(any, bool, state) string, error) {
	token, err := e.flag("MustIncludeAccessToken", false)
	if err != nil {
		return nil, err
	}
	return func(v any, found bool, _ state) string {
		if !found || isEmpty(v) {
			return empty(required)
		}
		got, ok := text(v)
		if !ok || !absolute(got) {
			return show(v) + " is not an absolute URL"
		}
		lower := strings.ToLower(got)
		if token && !strings.Contains(lower, "?access_token=") && !strings.Contains(lower, "&access_token=") {
			return "has no access_token"
		}
		return ""
	}, nil
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != ""
}

func expectArray(e *element, required bool) func(any, bool, state) string {
	return func(v any, found bool, _ state) string {
		if !found || isEmpty(v) {
			return empty(required)
		}
		want := e.optional("ContainsValue")
		if want == nil {
			return ""
		}
		list, ok := v.([]any)
		if !ok {
			return show(v) + " is not an array"
		}
		for _, member := range list {
			if got, ok := text(member); ok && strings.EqualFold(got, *want) {
				return ""
			}
		}
		return fmt.Sprintf("%s does not contain %q", show(v), *want)
	}
}

func expectLength(e *element, required bool) (func(any, bool, state) string, error) {
	want := 0
	if given := e.optional("ExpectedValue"); given != nil {
		var err error
		if want, err = strconv.Atoi(*given); err != nil {
			return nil, fmt.Errorf("conform: ArrayLengthProperty: %w", err)
		}
	}
	return func(v any, found bool, _ state) string {
		list, ok := v.([]any)
		if !found || !ok {
			return empty(required)
		}
		if len(list) != want {
			return fmt.Sprintf("has %d elements, want %d", len(list), want)
		}
		return ""
	}, nil
}
