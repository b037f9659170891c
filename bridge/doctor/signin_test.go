package doctor_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/bridge/doctor"
)

// TestSignInProvider: what the check-up says of a provider, one fault at a time.
func TestSignInProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(m map[string]any)
		answer http.HandlerFunc
		phones bool
		want   string // "check severity: a part of the text"
	}{
		"as it should be":        {phones: true, want: "sign_in ok: Registered there must be the redirect URI https://docs/signin/callback"},
		"another issuer":         {change: func(m map[string]any) { m["issuer"] = m["issuer"].(string) + "/" }, want: "sign_in error: to the last character"},
		"no keys":                {change: func(m map[string]any) { delete(m, "jwks_uri") }, want: "sign_in error: with which keys it signs"},
		"a shared secret only":   {change: func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} }, want: "sign_in error: shared secret only"},
		"no sign-out":            {change: func(m map[string]any) { delete(m, "end_session_endpoint") }, want: "sign_out hint: still signed in there"},
		"taken apart by phones":  {change: func(m map[string]any) { m["token_endpoint"] = "https://x/token?p=b2c" }, phones: true, want: "phones error: takes them apart"},
		"phones do not come":     {change: func(m map[string]any) { m["token_endpoint"] = "https://x/token?p=b2c" }, want: "sign_in ok: answers"},
		"not found":              {answer: http.NotFound, want: "sign_in error: (status 404)"},
		"a page":                 {answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, want: "sign_in error: no OpenID Connect metadata"},
		"it hangs up":            {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: "sign_in error: does not answer"},
		"it says who to pretend": {change: func(m map[string]any) { m["issuer"] = "x\n  y: z" }, want: "sign_in error: to the last character"},
	} {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.answer != nil {
					tt.answer(w, r)
					return
				}
				m := map[string]any{"issuer": server.URL, "authorization_endpoint": server.URL + "/a", "token_endpoint": server.URL + "/t",
					"jwks_uri": server.URL + "/k", "end_session_endpoint": server.URL + "/e"}
				if tt.change != nil {
					tt.change(m)
				}
				_ = json.NewEncoder(w).Encode(m)
			}))
			defer server.Close()
			r := newRig(t)
			r.SignIn = &doctor.SignIn{Issuer: server.URL, Name: "Example ID", Callback: "https://docs/signin/callback", Gone: "https://docs/signedout",
				Phones: tt.phones, HTTP: server.Client().Transport}
			var told []string
			for _, f := range r.examine().Findings {
				line := fmt.Sprintf("%s %s: %s", f.Check, f.Severity, f.Text)
				told = append(told, line)
				head, part, _ := strings.Cut(tt.want, ": ")
				if strings.HasPrefix(line, head+": ") && strings.Contains(line, part) {
					if pasted := len(f.Paste) > 0; pasted != (name == "another issuer") {
						t.Errorf("to paste: %v", f.Paste)
					}
					return
				}
			}
			t.Errorf("no %q among\n%s", tt.want, strings.Join(told, "\n"))
		})
	}
}
