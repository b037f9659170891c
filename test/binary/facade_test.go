package binary

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/idp"
	"davwopi/test/upstream"
)

const officeSecret = "0ffice-of-these-tests"

// facade is the configuration of our own endpoints for Office.
func facade(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "office-secrets")
	if err := os.WriteFile(file, []byte("a former one of 2025\n"+officeSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("oauth: {provider_id: TPExample, clients: [{id: office, secret_file: %q}]}\n", file)
}

// TestOfficeOnAPhoneByTheFacade: with the request that no provider takes, an empty scope and no state, all the way to a save;
// then refresh, a restart, a stolen refresh token, and a code that is shown again.
func TestOfficeOnAPhoneByTheFacade(t *testing.T) {
	needDaemon(t)
	eachProvider(t, func(t *testing.T, p provider) {
		p.officeID, p.officeSecret, p.office = "office", officeSecret, "https://localhost"
		d := daemon.StartAt(t, fmt.Sprintf("sign_in: {oidc: {issuer: %q, name: Example ID, client_id: %q, client_secret: %q}}\n%s",
			p.Issuer, p.id, p.secret, facade(t)), p.listen)
		d.Write("Minutes/Report.docx", "first")
		app := &phone{t: t, base: d.URL, p: p}
		app.signIn()
		app.goesAllTheWay(func() string { return d.Read("Minutes/Report.docx") })
		app.refreshes(d)
	})
}

// TestOfficeOnAPhoneWithoutAProvider: people sign in with the name and password of their WebDAV server.
func TestOfficeOnAPhoneWithoutAProvider(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	s.Write(t, "Minutes/Report.docx", "first")
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, auth: user, roots: shared}\n%s", s.URL, facade(t)))
	app := &phone{t: t, base: d.URL, p: provider{Real: idp.Real{User: s.User, Password: s.Password}, officeID: "office", officeSecret: officeSecret, office: "https://localhost"}}
	app.signIn()
	app.goesAllTheWay(func() string { return read(t, s.Dir, "Minutes/Report.docx") })
	app.refreshes(d)
}

// refreshes is what becomes of tokens.
func (a *phone) refreshes(d *daemon.Daemon) {
	a.t.Helper()
	var boot wopi.BootstrapInfo
	first, stolen := a.bearer, a.refresh
	renew := func(token string) int {
		a.t.Helper()
		return a.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	d.Kill()
	d.Restart()
	if status := renew(a.refresh); status != http.StatusOK || a.bearer == first {
		a.t.Fatalf("refresh: %d", status)
	}
	a.ask("GET", &boot)
	if status := renew(a.refresh); status != http.StatusOK {
		a.t.Fatalf("refresh: %d", status)
	}
	if status := renew(stolen); status != http.StatusBadRequest {
		a.t.Errorf("a refresh token whose successor was used: %d", status)
	}
	if resp, _ := a.do("GET"); resp.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("after the theft: %d", resp.StatusCode)
	}
	a.signIn() // without the question, this time
	a.ask("GET", &boot)
	if status := a.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {a.code}, "redirect_uri": {a.p.office}}); status != http.StatusBadRequest {
		a.t.Errorf("a code for the second time: %d", status)
	}
	if resp, _ := a.do("GET"); resp.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("after the code was shown again: %d", resp.StatusCode)
	}
}
