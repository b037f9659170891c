package conform

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed testdata/TestCases.xml testdata/CsppCheckFileInfoSchema.json testdata/CsppPlusCheckFileInfoSchema.json
var testdata embed.FS

// MicrosoftCases returns Microsoft's TestCases.xml.
func MicrosoftCases() []byte {
	data, err := testdata.ReadFile("testdata/TestCases.xml")
	if err != nil {
		return nil // it is embedded
	}
	return data
}

// A Suite is a parsed file of cases.
type Suite struct {
	Groups  []Group
	prereqs map[string]*testCase
}

// A Group is a number of cases with the same prereqs.
type Group struct {
	Name    string
	Delays  bool // has cases that wait: never played
	prereqs []string
	cases   []*testCase
}

type testCase struct {
	name, category, failMessage string
	requests, cleanup           []*request
}

// ParseSuite reads a file of cases. Everything unknown in it is an error: what is
// not understood cannot be passed.
func ParseSuite(data []byte) (*Suite, error) {
	root, err := parseElements(data)
	if err != nil {
		return nil, err
	}
	if root.name != "WopiValidation" {
		return nil, fmt.Errorf("conform: <%s> is not <WopiValidation>", root.name)
	}
	s := &Suite{prereqs: map[string]*testCase{}}
	resources := readResources(root.list("Resources"))
	for _, e := range root.list("PrereqCases") {
		c, err := readCase(e, resources)
		if err != nil {
			return nil, err
		}
		s.prereqs[c.name] = c
	}
	for _, e := range root.children {
		if e.name != "TestGroup" {
			continue
		}
		g, err := s.readGroup(e, resources)
		if err != nil {
			return nil, err
		}
		s.Groups = append(s.Groups, g)
	}
	if len(s.Groups) == 0 {
		return nil, errors.New("conform: no groups")
	}
	return s, nil
}

// readResources makes the contents: they are not files but the words by which
// the suite names them.
func readResources(list []*element) map[string][]byte {
	resources := map[string][]byte{}
	for _, e := range list {
		id, name, path := e.attrs["Id"], e.attrs["Name"], e.attrs["FilePath"]
		resources[id] = []byte(id + path + name)
		if name == "ZeroByteFile.wopitest" {
			resources[id] = []byte{}
		}
	}
	return resources
}

func (s *Suite) readGroup(e *element, resources map[string][]byte) (Group, error) {
	delays, err := e.flag("HasDelay", false)
	if err != nil {
		return Group{}, err
	}
	g := Group{Name: e.attrs["Name"], Delays: delays}
	for _, p := range e.list("PrereqTests") {
		name := strings.TrimSpace(p.text)
		if s.prereqs[name] == nil {
			return Group{}, fmt.Errorf("conform: group %s needs %s, which is not there", g.Name, name)
		}
		g.prereqs = append(g.prereqs, name)
	}
	for _, t := range e.list("TestCases") {
		c, err := readCase(t, resources)
		if err != nil {
			return Group{}, err
		}
		g.cases = append(g.cases, c)
	}
	return g, nil
}

func readCase(e *element, resources map[string][]byte) (*testCase, error) {
	c := &testCase{name: e.attrs["Name"], category: e.attrs["Category"], failMessage: e.attrs["FailMessage"]}
	if e.name != "TestCase" || c.name == "" || !slices.Contains(Categories(), c.category) || c.category == "All" {
		return nil, fmt.Errorf("conform: <%s Name=%q Category=%q> is not a case", e.name, c.name, c.category)
	}
	for _, list := range []struct {
		name string
		into *[]*request
	}{{"Requests", &c.requests}, {"CleanupRequests", &c.cleanup}} {
		for _, r := range e.list(list.name) {
			q, err := readRequest(r, resources)
			if err != nil {
				return nil, fmt.Errorf("%w (case %s)", err, c.name)
			}
			*list.into = append(*list.into, q)
		}
	}
	if len(c.requests) == 0 {
		return nil, fmt.Errorf("conform: case %s has no requests", c.name)
	}
	return c, nil
}

// Categories returns what -category may be.
func Categories() []string {
	return []string{"All", "WopiCore", "OfficeOnline", "OfficeNativeClient", "WopiCoauth"}
}

// selected says whether a case is played when category is asked for: WopiCore
// always is.
func (c *testCase) selected(category string) bool {
	return category == "All" || c.category == "WopiCore" || c.category == category
}

func readRequest(e *element, resources map[string][]byte) (*request, error) {
	q := &request{kind: e.name, attrs: e.attrs}
	if !slices.Contains(kinds(), q.kind) && !slices.Contains(coauthKinds(), q.kind) {
		return nil, fmt.Errorf("conform: unknown request: %s", q.kind)
	}
	if id, ok := e.attrs["ResourceId"]; ok {
		if q.body, ok = resources[id]; !ok {
			return nil, fmt.Errorf("conform: unknown resource: %s", id)
		}
	}
	if b := e.child("RequestBody"); b != nil {
		q.body = []byte(b.text)
	}
	if slices.Contains(coauthKinds(), q.kind) {
		return q, nil
	}
	var err error
	if q.mutators, err = readMutators(e.list("Mutators")); err != nil {
		return nil, err
	}
	for _, st := range e.list("SaveState") {
		s := savedState{name: st.attrs["Name"], source: st.attrs["Source"], header: st.attrs["SourceType"] == "Header"}
		if st.name != "State" || s.name == "" || s.source == "" {
			return nil, fmt.Errorf("conform: bad state in %s", q.kind)
		}
		q.states = append(q.states, s)
	}
	q.validators = []validator{{"ResponseCodeValidator", expectCode("200")}}
	if v := e.child("Validators"); v != nil {
		q.validators, err = readValidators(v.children, resources)
	}
	return q, err
}
