package conform

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"davwopi/bridge/wopi"
)

// A validator judges one answer. Check returns why it is wrong; nothing means that
// it is right.
type validator struct {
	name  string
	check func(*exchange, state) []string
}

func readValidators(list []*element, resources map[string][]byte) ([]validator, error) {
	var validators []validator
	for _, e := range list {
		v, err := readValidator(e, resources)
		if err != nil {
			return nil, err
		}
		validators = append(validators, v)
	}
	return validators, nil
}

func readValidator(e *element, resources map[string][]byte) (validator, error) {
	v := validator{name: e.name}
	var err error
	switch e.name {
	case "ResponseCodeValidator":
		v.check = expectCode(e.attrs["ExpectedCode"])
	case "ResponseHeaderValidator":
		v.check, err = expectHeader(e)
	case "LockMismatchValidator":
		v.check = expectLockMismatch(e.attrs["ExpectedLock"])
	case "ResponseContentValidator":
		v.check, err = expectContent(e, resources)
	case "JsonSchemaValidator":
		v.check, err = expectSchema(e.attrs["Schema"])
	case "JsonResponseContentValidator":
		v.check, err = expectJSON(e)
	case "Or", "And":
		var inner []validator
		inner, err = readValidators(e.children, resources)
		v.check = combine(e.name == "Or", inner)
	case "FramesValidator":
		v.check = func(*exchange, state) []string { return []string{"frames of CSPP Plus are not played"} }
	default:
		err = fmt.Errorf("conform: unknown validator: %s", e.name)
	}
	return v, err
}

// judge runs every validator, those that every request has included.
func (q *request) judge(x *exchange, saved state) []string {
	if x.err != nil {
		return []string{"no whole answer: " + x.err.Error()}
	}
	var reasons []string
	if length := x.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(x.body)) {
		reasons = append(reasons, fmt.Sprintf("ContentLength: header says %s, body has %d bytes", length, len(x.body)))
	}
	for _, v := range q.validators {
		for _, reason := range v.check(x, saved) {
			reasons = append(reasons, v.name+": "+reason)
		}
	}
	return reasons
}

func expectCode(want string) func(*exchange, state) []string {
	return func(x *exchange, _ state) []string {
		if strconv.Itoa(x.status) != want {
			return []string{fmt.Sprintf("got status %d, want %s", x.status, want)}
		}
		return nil
	}
}

// expectLockMismatch wants a 409 with the lock. An empty lock may be said by no
// header at all.
func expectLockMismatch(want string) func(*exchange, state) []string {
	return func(x *exchange, _ state) []string {
		var reasons []string
		if x.status != http.StatusConflict {
			reasons = append(reasons, fmt.Sprintf("got status %d, want 409", x.status))
		}
		values := x.header.Values(wopi.HeaderLock)
		got := strings.Join(values, ",")
		switch {
		case want != "" && len(values) == 0:
			reasons = append(reasons, "X-WOPI-Lock is missing, want "+strconv.Quote(want))
		case !strings.EqualFold(got, want):
			reasons = append(reasons, fmt.Sprintf("got X-WOPI-Lock %q, want %q", got, want))
		}
		return reasons
	}
}

func expectHeader(e *element) (func(*exchange, state) []string, error) {
	required, err := e.flag("IsRequired", false)
	if err != nil {
		return nil, err
	}
	match, err := e.flag("ShouldMatch", true)
	if err != nil {
		return nil, err
	}
	name, comparator := e.attrs["Header"], e.attrs["Comparator"]
	return func(x *exchange, saved state) []string {
		values := x.header.Values(name)
		if len(values) == 0 {
			if required {
				return []string{name + " is missing"}
			}
			return nil
		}
		got, want := strings.Join(values, ","), saved.expected(e)
		if comparator != "" && comparator != "=" {
			return compareNumbers(name, got, comparator, want)
		}
		if want == nil {
			return nil
		}
		if strings.EqualFold(got, *want) == match {
			return nil
		}
		if match {
			return []string{fmt.Sprintf("got %s %q, want %q", name, got, *want)}
		}
		return []string{fmt.Sprintf("got %s %q, want anything but %q", name, got, *want)}
	}, nil
}

// expected returns the value that an element expects: of a state if that is not
// empty, else the one given; nil if there is none.
func (s state) expected(e *element) *string {
	if key := e.attrs["ExpectedStateKey"]; key != "" {
		if value := s[key]; value != nil && *value != "" {
			return value
		}
	}
	return e.optional("ExpectedValue")
}

func compareNumbers(name, got, comparator string, want *string) []string {
	wrong := func() []string {
		w := "nothing"
		if want != nil {
			w = *want
		}
		return []string{fmt.Sprintf("got %s %q, want %s %s", name, got, comparator, w)}
	}
	if want == nil {
		return wrong()
	}
	a, err := strconv.ParseInt(got, 10, 32)
	if err != nil {
		return wrong()
	}
	b, err := strconv.ParseInt(*want, 10, 32)
	if err != nil {
		return wrong()
	}
	holds := map[string]bool{">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b}
	if !holds[comparator] {
		return wrong()
	}
	return nil
}

func expectContent(e *element, resources map[string][]byte) (func(*exchange, state) []string, error) {
	want := []byte(e.attrs["ExpectedBodyContent"])
	if id, ok := e.attrs["ExpectedResourceId"]; ok {
		if want, ok = resources[id]; !ok {
			return nil, fmt.Errorf("conform: unknown resource: %s", id)
		}
	}
	return func(x *exchange, _ state) []string {
		if !bytes.Equal(x.body, want) {
			return []string{fmt.Sprintf("got %d bytes %.80q, want %d bytes %.80q", len(x.body), x.body, len(want), want)}
		}
		return nil
	}, nil
}

func combine(or bool, inner []validator) func(*exchange, state) []string {
	return func(x *exchange, saved state) []string {
		var all []string
		for _, v := range inner {
			reasons := v.check(x, saved)
			if or && len(reasons) == 0 {
				return nil
			}
			for _, reason := range reasons {
				all = append(all, v.name+": "+reason)
			}
		}
		return all
	}
}
