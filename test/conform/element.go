package conform

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An element is one XML element of the suite. Order of children is kept, text
// is as it stands, with white space.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     string
}

const maxSuiteDepth = 32

func parseElements(data []byte) (*element, error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	top := &element{}
	stack := []*element{top}
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("conform: %w", err)
		}
		here := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: map[string]string{}}
			for _, a := range t.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			here.children = append(here.children, e)
			if stack = append(stack, e); len(stack) > maxSuiteDepth {
				return nil, errors.New("conform: suite is too deep")
			}
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			here.text += string(t)
		}
	}
	if len(top.children) != 1 {
		return nil, errors.New("conform: not one document")
	}
	return top.children[0], nil
}

// child returns the first child of that name, or nil.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// list returns the children of the child of that name.
func (e *element) list(name string) []*element {
	if c := e.child(name); c != nil {
		return c.children
	}
	return nil
}

// flag reads a Boolean attribute: true, false, 1, 0, whatever the case.
func (e *element) flag(name string, missing bool) (bool, error) {
	value, ok := e.attrs[name]
	if !ok {
		return missing, nil
	}
	switch strings.ToLower(value) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("conform: %s %s=%q is not a Boolean", e.name, name, value)
}

// optional returns an attribute, nil if it is missing.
func (e *element) optional(name string) *string {
	if value, ok := e.attrs[name]; ok {
		return &value
	}
	return nil
}
