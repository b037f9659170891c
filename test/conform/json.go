package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// parseJSON reads one JSON value, numbers as they are written. A byte order mark
// is allowed.
func parseJSON(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the value")
	}
	return v, nil
}

// parseObject reads a JSON object.
func parseObject(body []byte) (map[string]any, error) {
	v, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is not an object")
	}
	return object, nil
}

// lookup follows the subset of JSONPath that the suite uses: a, a.b, a[0].b and
// a[-1:].b, the last being the last element.
func lookup(object map[string]any, path string) (any, bool) {
	var v any = object
	for step := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(step, "[")
		member, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = member[name]; !ok {
			return nil, false
		}
		if !indexed {
			continue
		}
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, false
		}
		index = strings.TrimSuffix(index, "]")
		if index == "-1:" {
			v = list[len(list)-1]
			continue
		}
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(list) {
			return nil, false
		}
		v = list[i]
	}
	return v, true
}

// isEmpty says that a value is null, "", [] or {}.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// text converts a value to the string that .NET makes of it; false for arrays,
// objects and null.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	}
	return "", false
}

// toBool converts as leniently as .NET: true, "true", 1.
func toBool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case json.Number:
		f, err := v.Float64()
		return f != 0, err
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, fmt.Errorf("%s is not a Boolean", show(v))
}

// toInt converts as leniently as .NET: 1, "1", true.
func toInt(v any, bits int) (int64, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, bits); err == nil {
			return n, nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, bits); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s is not an integer of %d bits", show(v), bits)
}

// show is a value for a message.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if len(b) > 120 {
		b = append(b[:117:117], "..."...)
	}
	return string(b)
}

// save evaluates the states that a request keeps. Whatever goes wrong is null.
func (q *request) save(x *exchange, saved state) {
	object, err := parseObject(x.body)
	for _, s := range q.states {
		saved[s.name] = nil
		switch {
		case s.header:
			if value := x.header.Get(s.source); value != "" {
				saved[s.name] = &value
			}
		case err == nil:
			if v, ok := lookup(object, s.source); ok {
				if value, ok := text(v); ok {
					saved[s.name] = &value
				}
			}
		}
	}
}
