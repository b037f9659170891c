package config

import (
	"slices"
	"strings"
	"testing"
)

func TestFrameAncestors(t *testing.T) {
	c, err := Load("", []string{"DAVWOPI_FRAME_ANCESTORS=https://Portal.example.org/, http://intranet:8080"}, nil)
	if err != nil || !slices.Equal(c.Ancestors(), []string{"https://portal.example.org", "http://intranet:8080"}) {
		t.Errorf("%v %v", c, err)
	}
	for value, want := range map[string]string{
		"https://portal.example.org/intranet": "wants scheme, host and port only",
		"https://*.example.org":               "wildcards",
		"*":                                   "frame_ancestors[0]",
		"'self'":                              "frame_ancestors[0]",
		"javascript://x":                      "frame_ancestors[0]",
		"https://a.example.org; script-src *": "frame_ancestors[0]",
		"https://a.example.org https://b":     "frame_ancestors[0]",
	} {
		if _, err := Load("", []string{"DAVWOPI_FRAME_ANCESTORS=" + value}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}
