package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAdmins(t *testing.T) {
	c, err := Load("", []string{"DAVWOPI_ADMINS=jo, ann"}, nil)
	if err != nil || !slices.Equal(c.Admins, []string{"jo", "ann"}) {
		t.Errorf("%v %v", c, err)
	}
	file := filepath.Join(t.TempDir(), "davwopi.yaml")
	if err := os.WriteFile(file, []byte("admins: [jo, '*', '']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Load(file, nil, nil)
	for _, want := range []string{`admins[1]: "*" is no sign-in name`, `admins[2]: "" is no sign-in name`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
