package config

import (
	"strings"
	"testing"
)

func TestEditorsOfTheDocsAPI(t *testing.T) {
	c, err := loadDocs(t, `editors: [{url: "https://docs.home.example", jwt_secret_file: /run/secret, jwt_header: AuthorizationJwt, api: docs}]`)
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Editors[0]; e.API != "docs" || e.JWTSecretFile != "/run/secret" || e.JWTHeader != "AuthorizationJwt" {
		t.Errorf("%+v", e)
	}
	for yaml, want := range map[string]string{
		`{url: "https://d.example", api: docs}`:                                                "editors[0].jwt_secret_file: is required with api: docs",
		`{url: "https://d.example", api: rest}`:                                                "editors[0].api: \"rest\" is not one of auto, wopi, docs",
		`{url: "https://d.example", api: wopi, jwt_secret_file: /x}`:                           "editors[0].api: wopi needs no jwt_secret_file",
		`{url: "https://d.example", jwt_header: X}`:                                            "editors[0].jwt_header: needs jwt_secret_file",
		`{url: "https://d.example", jwt_secret_file: /x, jwt_header: "Authorization: Bearer"}`: "editors[0].jwt_header: \"Authorization: Bearer\" is not the name of a header",
	} {
		if _, err := loadDocs(t, "editors: ["+yaml+"]"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}

func loadDocs(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Load(write(t, text), nil, nil)
}
