package discovery_test

import (
	"strings"
	"testing"

	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
)

const src = "https://bridge.example.test/wopi/files/f_7Yq2mB"
const escaped = "https%3A%2F%2Fbridge.example.test%2Fwopi%2Ffiles%2Ff_7Yq2mB"

func TestActionURL(t *testing.T) {
	for _, tt := range []struct {
		name, template string
		office         wopi.Office
		params         discovery.Params
		want           string
	}{
		{"the example of the reference", "https://word.example/we/frame.aspx?<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&><wopisrc=WOPI_SOURCE&><x=NEW_THING&>", wopi.Microsoft,
			discovery.Params{WOPISrc: src, UI: "de-DE"}, "https://word.example/we/frame.aspx?ui=de-DE&rs=de-DE&wopisrc=" + escaped + "&"},
		{"no bracket for WOPISrc: it is appended", "https://cool.example/browser/1/cool.html?", wopi.Collabora,
			discovery.Params{WOPISrc: src}, "https://cool.example/browser/1/cool.html?WOPISrc=" + escaped},
		{"appended to an address without a query", "https://oos.example/frame.aspx", wopi.Microsoft,
			discovery.Params{WOPISrc: src}, "https://oos.example/frame.aspx?WOPISrc=" + escaped},
		{"appended to an address with a query", "https://oos.example/frame.aspx?a=1", wopi.Microsoft,
			discovery.Params{WOPISrc: src}, "https://oos.example/frame.aspx?a=1&WOPISrc=" + escaped},
		{"Collabora's language is lang", "https://cool.example/cool.html?", wopi.Collabora,
			discovery.Params{WOPISrc: src, UI: "de"}, "https://cool.example/cool.html?WOPISrc=" + escaped + "&lang=de"},
		{"Collabora knows no session context", "https://cool.example/cool.html?", wopi.Collabora,
			discovery.Params{WOPISrc: src, Session: "s"}, "https://cool.example/cool.html?WOPISrc=" + escaped},
		{"a session context without a bracket is appended", "https://oos.example/f.aspx?<wopisrc=WOPI_SOURCE&>", wopi.Microsoft,
			discovery.Params{WOPISrc: src, Session: "tab 1&x"}, "https://oos.example/f.aspx?wopisrc=" + escaped + "&sc=tab%201%26x"},
		{"the language of data is its own", "https://o.example/?<ui=UI_LLCC&><rs=DC_LLCC&><wopisrc=WOPI_SOURCE>", wopi.Microsoft,
			discovery.Params{WOPISrc: src, UI: "en-US", Data: "de-DE"}, "https://o.example/?ui=en-US&rs=de-DE&wopisrc=" + escaped},
		{"a bracket without = is dropped", "https://o.example/?<junk><wopisrc=WOPI_SOURCE>", wopi.Microsoft,
			discovery.Params{WOPISrc: src}, "https://o.example/?wopisrc=" + escaped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := discovery.Action{URLSrc: tt.template, Office: tt.office}
			if got := a.URL(tt.params); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestEveryPlaceholder(t *testing.T) {
	for _, tt := range []struct {
		placeholder, value string
		params             discovery.Params
	}{
		{"UI_LLCC", "de-DE", discovery.Params{UI: "de-DE"}},
		{"DC_LLCC", "de-AT", discovery.Params{Data: "de-AT"}},
		{"WOPI_SOURCE", escaped, discovery.Params{WOPISrc: src}},
		{"DISABLE_CHAT", "1", discovery.Params{NoChat: true}},
		{"BUSINESS_USER", "1", discovery.Params{Business: true}},
		{"HOST_SESSION_ID", "h%2F1", discovery.Params{HostSession: "h/1"}},
		{"SESSION_CONTEXT", "s", discovery.Params{Session: "s"}},
		{"EMBEDDED", "true", discovery.Params{Embedded: true}},
		{"FULLSCREEN", "true", discovery.Params{Fullscreen: true}},
		{"RECORDING", "true", discovery.Params{Recording: true}},
		{"THEME_ID", "2", discovery.Params{Theme: "2"}},
		{"DISABLE_ASYNC", "true", discovery.Params{NoAsync: true}},
		{"DISABLE_BROADCAST", "true", discovery.Params{NoBroadcast: true}},
		{"PERFSTATS", "true", discovery.Params{PerfStats: true}},
		{"ACTIVITY_NAVIGATION_ID", "c12", discovery.Params{Activity: "c12"}},
		{"VALIDATOR_TEST_CATEGORY", "OfficeOnline", discovery.Params{Category: "OfficeOnline"}},
	} {
		t.Run(tt.placeholder, func(t *testing.T) {
			a := discovery.Action{URLSrc: "https://o.example/?<p=" + tt.placeholder + "&>"}
			if got := a.URL(tt.params); !strings.Contains(got, "?p="+tt.value+"&") {
				t.Errorf("got %s", got)
			}
			if got := a.URL(discovery.Params{}); strings.Contains(got, "p=") {
				t.Errorf("empty, but %s", got)
			}
		})
	}
}
