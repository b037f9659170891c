package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"davwopi/config"
)

// onboardingConfig is a configuration whose addresses are known.
func onboardingConfig(t *testing.T, yaml string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "davwopi.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Listening(c.Listen)
	return c
}

func (r onboardingResult) row(t *testing.T, property string) sheetRow {
	t.Helper()
	for _, row := range r.Sheet {
		if row.Property == property {
			return row
		}
	}
	t.Fatalf("the sheet lacks %q", property)
	return sheetRow{}
}

// TestTheSheet: every field of Microsoft's form, from the configuration; what is missing is said.
func TestTheSheet(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "office-secret")
	if err := os.WriteFile(secret, []byte("never to be seen in a sheet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := onboardingConfig(t, `
public_url: https://docs.example.test/files
wopi_url: http://inside:8880
privacy_url: https://docs.example.test/privacy
upstream: {url: https://nas.example.test/dav/, auth: user, roots: shared}
oauth: {provider_id: TPExample, clients: [{id: office, secret_file: `+secret+`}], url_schemes: {ios: [mynas], android: ['103', test.mynas, test.mynas.Auth]}}
`)
	out := onboardingResult{Sheet: sheetOf(c, "My NAS"), Checks: tenChecks(c, nil)}
	for property, want := range map[string][]string{
		"Localized Provider Name": {"My NAS"}, "BootstrapperUri": {"https://docs.example.test/files/wopibootstrapper"}, "Client ID": {"office"},
		"Client App Name": {"Office"}, "RedirectUri": {"https://localhost", "ms-word-tp:", "ms-excel-tp:", "ms-powerpoint-tp:", "ms-officemobile-tp:"},
		"ProviderId": {"TPExample"}, "TrustedDomain": {"docs.example.test"}, "SupportRefresh": {"True"},
		"SiteUrl": {"https://docs.example.test/files"}, "Privacy statement": {"https://docs.example.test/privacy"},
		"UrlSchemes":                   {`{"Android":["103","test.mynas","test.mynas.Auth"],"iOS":["mynas"]}`},
		"Expiry of tokens":             {"access token: 1 hour; refresh token: 90 days, or 30 days without use; it changes at every use"},
		"Is the redirect URI checked?": {"yes, to the last character; a code goes nowhere else"},
	} {
		if row := out.row(t, property); !slices.Equal(row.Values, want) || row.Fault != "" {
			t.Errorf("%s: %q, want %q", property, row, want)
		}
	}
	if icons := out.row(t, "Icon Locations").Values; len(icons) != 6 || icons[2] != "https://docs.example.test/files/static/logo-48.png" {
		t.Errorf("icons %q", icons)
	}
	if n := out.faults(); n != 0 {
		t.Errorf("%d faults", n)
	}
	for i, check := range out.Checks {
		if check.Number != i+1 || check.Title == "" || check.Shows == "" || check.ByHand == "" {
			t.Errorf("%d: %+v", i, check)
		}
	}
	if got := out.Checks[9].Shows; !strings.Contains(got, "refuses the old password") {
		t.Errorf("after a change of password: %s", got)
	}
	c.Upstreams[0].Auth = "service"
	if got := tenChecks(c, nil)[9].Shows; !strings.Contains(got, "does not hear of it") {
		t.Errorf("after a change of password, with one account for all: %s", got)
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := writeOnboarding(dir, out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"onboarding.txt", "manual-validation.txt", "icon-48.png", "icon-64.png", "icon-80.png", "icon-96.png"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(text) == 0 || strings.Contains(string(text), "never to be seen") {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

// TestWhatMicrosoftWouldNotTake is said beside its line, and counted.
func TestWhatMicrosoftWouldNotTake(t *testing.T) {
	c := onboardingConfig(t, `oauth: {clients: [{id: office, secret_sha256: ['`+strings.Repeat("0", 64)+`']}]}`)
	out := onboardingResult{Sheet: sheetOf(c, ""), Checks: tenChecks(c, map[string]trial{
		"bootstrap": {"bootstrap", trialWrong, "answered 500"}, "browsing": {"browsing", notTried, "no token"},
	})}
	for property, want := range map[string]string{
		"BootstrapperUri": "https only", "ProviderId": "oauth.provider_id", "Privacy statement": "privacy_url", "People sign in": "sign_in.oidc",
	} {
		if row := out.row(t, property); !strings.Contains(row.Fault, want) {
			t.Errorf("%s: %q", property, row.Fault)
		}
	}
	if n := out.faults(); n != 5 { // bootstrap is a part of two checks
		t.Errorf("%d faults", n)
	}
	var text strings.Builder
	if err := out.print(&text); err != nil || !strings.Contains(text.String(), "!! phones come by https only") || !strings.Contains(text.String(), "answered 500") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestTheSheetOfDirectMode names the provider where it decides.
func TestTheSheetOfDirectMode(t *testing.T) {
	c := onboardingConfig(t, `
public_url: https://docs.example.test
sign_in: {oidc: {issuer: https://id.example.test, client_id: davwopi, client_secret: x}}
oauth: {mode: direct, provider_id: TPExample, bearer: {audiences: [files], allowed_clients: [office-client], scopes: [files.read]}}
`)
	out := onboardingResult{Sheet: sheetOf(c, ""), Checks: tenChecks(c, nil)}
	if got := out.row(t, "TrustedDomain").Values; !slices.Equal(got, []string{"docs.example.test", "id.example.test"}) {
		t.Errorf("%q", got)
	}
	if got := out.row(t, "Client ID"); !slices.Equal(got.Values, []string{"office-client"}) || got.Fault != "" {
		t.Errorf("%+v", got)
	}
	if got := out.row(t, "Scope").Values; !slices.Equal(got, []string{"files.read"}) {
		t.Errorf("%q", got)
	}
}
