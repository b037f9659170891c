package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSharing(t *testing.T) {
	const fault = "sharing.anonymous: true needs an upstream with auth: service"
	for yaml, bad := range map[string]bool{
		"sharing: {anonymous: true}\n":  false,
		"sharing: {anonymous: false}\n": false,
		"upstream: {url: 'https://nas.test/', auth: service}\nsharing: {anonymous: true}\n":                                                                                           false,
		"upstream: {url: 'https://nas.test/', auth: user, roots: shared}\nsharing: {anonymous: true}\n":                                                                               true,
		"upstream: {url: 'https://nas.test/', auth: user, roots: shared}\nsharing: {anonymous: false}\n":                                                                              false,
		"upstreams:\n- {name: a, url: 'https://nas.test/', auth: user, roots: shared}\n- {name: b, url: 'https://other.test/'}\nsign_in: {upstream: a}\nsharing: {anonymous: true}\n": false,
	} {
		file := filepath.Join(t.TempDir(), "davwopi.yaml")
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil, nil)
		if bad != (err != nil && strings.Contains(err.Error(), fault)) || !bad && err != nil {
			t.Errorf("%s: %v", yaml, err)
		}
	}
	if c, err := Load("", []string{"DAVWOPI_SHARING_ANONYMOUS=true"}, nil); err != nil || !c.Sharing.Anonymous {
		t.Errorf("from the environment: %v", err)
	}
	if Default().Sharing.Anonymous {
		t.Error("links without sign-in must be asked for")
	}
}
