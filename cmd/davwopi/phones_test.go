package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"davwopi/config"
)

// TestAProgramsSecretIsLong: wrong ones are counted by peer only, so that a short one could be guessed.
func TestAProgramsSecretIsLong(t *testing.T) {
	for text, good := range map[string]int{
		"0123456789abcdef\n\n fedcba9876543210 \n": 2,
		"0123456789abcdef\nshort\n":                0,
		"\n":                                       0,
	} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := secretsOf(config.OAuthClient{SecretFile: file})
		if len(list) != good || (err == nil) != (good > 0) || err != nil && strings.Contains(err.Error(), "short") {
			t.Errorf("%q: %d, %v", text, len(list), err)
		}
	}
}
