package dav

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const u150 = "urn:uuid:150852e2-3847-42d5-8cbe-0f4f296f26cf"

func TestIf(t *testing.T) {
	token := func(s LockToken) Condition { return Condition{Token: s} }
	etag := func(s ETag) Condition { return Condition{ETag: s} }
	not := func(c Condition) Condition { c.Not = true; return c }
	for _, c := range []struct {
		name, in string
		want     If
		printed  string // "" as in
	}{
		{"RFC 4918 10.4.6, no-tag production",
			`(<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2> ["I am an ETag"]) (["I am another ETag"])`,
			If{{"", []Condition{token("urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2"), etag(`"I am an ETag"`)}},
				{"", []Condition{etag(`"I am another ETag"`)}}}, ""},
		{"RFC 4918 10.4.7, using Not",
			`(Not <` + u150 + `> <urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092>)`,
			If{{"", []Condition{not(token(u150)), token("urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092")}}}, ""},
		{"RFC 4918 10.4.8, causing a condition to always evaluate to true",
			`(<` + u150 + `>) (Not <DAV:no-lock>)`,
			If{{"", []Condition{token(u150)}}, {"", []Condition{not(token("DAV:no-lock"))}}}, ""},
		{"RFC 4918 10.4.9, tagged list, COPY",
			"</resource1>\n (<" + u150 + `> [W/"A weak ETag"]) (["strong ETag"])`,
			If{{"/resource1", []Condition{token(u150), etag(`W/"A weak ETag"`)}}, {"/resource1", []Condition{etag(`"strong ETag"`)}}},
			"</resource1> (<" + u150 + `> [W/"A weak ETag"]) (["strong ETag"])`},
		{"RFC 4918 10.4.10, matching lock tokens with collection locks",
			"<http://www.example.com/specs/> (<" + u150 + ">)",
			If{{"http://www.example.com/specs/", []Condition{token(u150)}}}, ""},
		{"RFC 4918 10.4.11, matching ETags on unmapped URLs",
			`</specs/rfc2518.doc> (["4217"])`,
			If{{"/specs/rfc2518.doc", []Condition{etag(`"4217"`)}}}, ""},
		{"RFC 4918 10.4.11, Not",
			`</specs/rfc2518.doc> (Not ["4217"])`,
			If{{"/specs/rfc2518.doc", []Condition{not(etag(`"4217"`))}}}, ""},
		{"two tags", `<http://a/> (<t:1>) <http://b/> (<t:2> ["e"])`,
			If{{"http://a/", []Condition{token("t:1")}}, {"http://b/", []Condition{token("t:2"), etag(`"e"`)}}}, ""},
		{"bare number as a token (x/net)", `(<1795194497>)`, If{{"", []Condition{token("1795194497")}}}, ""},
		{"bracket and parenthesis inside an entity tag", `(["a])(b"])`, If{{"", []Condition{etag(`"a])(b"`)}}}, ""},
		{"no spaces at all", `(Not<t:1>["e"])(<t:2>)`,
			If{{"", []Condition{not(token("t:1")), etag(`"e"`)}}, {"", []Condition{token("t:2")}}}, `(Not <t:1> ["e"]) (<t:2>)`},
		{"not in lower case", `(not <t:1>)`, If{{"", []Condition{not(token("t:1"))}}}, `(Not <t:1>)`},
	} {
		got, err := ParseIf(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, %v", c.name, got, err)
			continue
		}
		want := c.printed
		if want == "" {
			want = c.in
		}
		if s := got.String(); s != want {
			t.Errorf("%s: prints as %q", c.name, s)
		}
	}
}

func TestParseIfRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                     "",
		"spaces":                    "  ",
		"a tag alone":               "<http://a/>",
		"two tags in a row":         "<http://a/> <http://b/> (<t:1>)",
		"a tag after untagged":      "(<t:1>) <http://a/> (<t:2>)",
		"empty list":                "()",
		"unclosed list":             "(<t:1>",
		"unclosed token":            "(<t:1",
		"unclosed tag":              "<http://a/ (<t:1>)",
		"unclosed entity tag":       `(["a)`,
		"entity tag without quotes": `([a])`,
		"bracket not closed":        `(["a")`,
		"text after":                "(<t:1>) x",
		"Not alone":                 "(Not)",
		"empty token":               "(<>)",
		"control character":         "(<t:\x01>)",
		"space in a token":          "(<t: 1>)",
		"too long":                  "(<t:" + strings.Repeat("a", 20<<10) + ">)",
		"too many lists":            strings.Repeat("(<t:1>)", 65),
		"too many conditions":       "(" + strings.Repeat("<t:1>", 65) + ")",
		"nested":                    "((<t:1>))",
	} {
		if got, err := ParseIf(in); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: got %v, %v; want ErrSyntax", name, got, err)
		}
	}
}

func TestEmptyIfListsFailClosed(t *testing.T) {
	for name, i := range map[string]If{
		"list without conditions": {{}},
		"condition of nothing":    {{Conditions: []Condition{{}}}},
		"Not of nothing":          {{Conditions: []Condition{{Not: true}}}},
	} {
		if got := i.String(); got != "(<DAV:no-lock>)" {
			t.Errorf("%s: prints as %q, which may hold", name, got)
		}
	}
}

// What is printed reads back as the same.
func TestIfReadsBack(t *testing.T) {
	condition := rapid.Custom(func(t *rapid.T) Condition {
		c := Condition{Not: rapid.Bool().Draw(t, "not")}
		if rapid.Bool().Draw(t, "token") {
			c.Token = LockToken(rapid.StringMatching(`[!-;=?-~]{1,40}`).Draw(t, "uri"))
		} else {
			c.ETag, _ = ParseETag(`"` + rapid.StringMatching(`[!#-~]{0,20}`).Draw(t, "tag") + `"`)
		}
		return c
	})
	rapid.Check(t, func(t *rapid.T) {
		tagged := rapid.Bool().Draw(t, "tagged")
		var value If
		for range rapid.IntRange(1, 5).Draw(t, "lists") {
			l := IfList{Conditions: rapid.SliceOfN(condition, 1, 5).Draw(t, "conditions")}
			if tagged {
				l.Tag = rapid.SampledFrom([]string{"http://a/", "http://b/x", "/c"}).Draw(t, "tag")
			}
			value = append(value, l)
		}
		got, err := ParseIf(value.String())
		if err != nil || !reflect.DeepEqual(got, value) {
			t.Fatalf("%q: %v, %v", value.String(), got, err)
		}
	})
}

func FuzzParseIf(f *testing.F) {
	for _, s := range []string{`(<t:1> ["e"])`, `<http://a/> (Not <t:1>) <http://b/> ([W/"x"])`, `(Not["]"])`, `()`, `(<t>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseIf(s)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatalf("error is not ErrSyntax: %v", err)
			}
			return
		}
		printed := got.String()
		if strings.ContainsAny(printed, "\r\n") {
			t.Fatalf("%q prints with a line break", s)
		}
		again, err := ParseIf(printed)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%q prints as %q, which is %v, %v", s, printed, again, err)
		}
	})
}
