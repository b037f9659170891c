package binary

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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
		d.Kill()
		d.Restart()
		app.refreshes()
	})
}

// TestOfficeOnAPhoneWithoutAProvider: people sign in with the name and password of their WebDAV server; the daemon is killed
// while somebody is asked, and before the code is redeemed; then the password is changed.
func TestOfficeOnAPhoneWithoutAProvider(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	s.Write(t, "Minutes/Report.docx", "first")
	d := daemon.Start(t, fmt.Sprintf("upstream: {url: %q, auth: user, roots: shared}\n%s", s.URL,
		strings.Replace(facade(t), "oauth: {", "oauth: {token_hint: true, expires_in_as_text: true, ", 1)))
	app := &phone{t: t, base: d.URL, p: withPassword(s)}
	app.pause = func() { d.Kill(); d.Restart() }
	app.signIn()
	app.pause = nil
	if app.context == "" || app.token != d.URL+"/oauth2/token" {
		t.Errorf("context %q, tokens at %q", app.context, app.token)
	}
	app.goesAllTheWay(func() string { return read(t, s.Dir, "Minutes/Report.docx") })
	d.Kill()
	d.Restart()
	app.refreshes()
	app.changesPassword(s)
}

// withPassword are the people of s.
func withPassword(s *upstream.Server) provider {
	return provider{Real: idp.Real{User: s.User, Password: s.Password}, officeID: "office", officeSecret: officeSecret, office: "https://localhost"}
}

// TestPhonesOfTwoBridges: two daemons share one store behind a load balancer, and every request of a sign-in goes to the
// other one; of many who show one code at once, one gets tokens; one daemon dies, and the other knows everything.
func TestPhonesOfTwoBridges(t *testing.T) {
	needDaemon(t)
	s := upstream.Apache(t)
	s.Write(t, "Minutes/Report.docx", "first")
	front := balance(t)
	config := postgresConfig(t, fmt.Sprintf("public_url: %q\ntrusted_proxies: [127.0.0.1]\nreplicas: true\nupstream: {url: %q, auth: user, roots: shared}\n%s",
		front.URL, s.URL, facade(t)))
	here, there := freeAddress(t), freeAddress(t)
	one := daemon.StartAt(t, config, here)
	daemon.StartAt(t, config, there)
	front.to(here, there)
	app := &phone{t: t, base: front.URL, p: withPassword(s)}
	app.signIn()
	app.goesAllTheWay(func() string { return read(t, s.Dir, "Minutes/Report.docx") })
	app.refreshes()

	app.getCode()
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		other := *app
		wg.Go(func() {
			if other.redeem() == http.StatusOK {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n > 1 {
		t.Errorf("one code was good %d times", n)
	}
	app.signIn()
	one.Kill()
	front.to(there)
	var boot wopi.BootstrapInfo
	app.ask("GET", &boot)
	if status := app.renew(app.refresh); status != http.StatusOK {
		t.Errorf("refresh at the one that is left: %d", status)
	}
}

// A balancer sends each request to the next daemon.
type balancer struct {
	*httptest.Server
	targets atomic.Pointer[[]*url.URL]
	next    atomic.Int64
}

func balance(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	b.Server = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		list := *b.targets.Load()
		r.SetURL(list[int(b.next.Add(1))%len(list)])
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	t.Cleanup(b.Close)
	return b
}

// to sends requests to these addresses from now on.
func (b *balancer) to(list ...string) {
	var targets []*url.URL
	for _, address := range list {
		targets = append(targets, &url.URL{Scheme: "http", Host: address})
	}
	b.targets.Store(&targets)
}

// renew exchanges a refresh token.
func (a *phone) renew(token string) int {
	a.t.Helper()
	return a.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// refreshes is what becomes of tokens.
func (a *phone) refreshes() {
	a.t.Helper()
	var boot wopi.BootstrapInfo
	first, stolen := a.bearer, a.refresh
	if status := a.renew(a.refresh); status != http.StatusOK || a.bearer == first {
		a.t.Fatalf("refresh: %d", status)
	}
	a.ask("GET", &boot)
	if status := a.renew(a.refresh); status != http.StatusOK {
		a.t.Fatalf("refresh: %d", status)
	}
	if got := mustStatus(a.t, a.file); got != http.StatusOK {
		a.t.Errorf("the document before the theft: %d", got)
	}
	if status := a.renew(stolen); status != http.StatusBadRequest {
		a.t.Errorf("a refresh token whose successor was used: %d", status)
	}
	if resp, _ := a.do("GET"); resp.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("after the theft: %d", resp.StatusCode)
	}
	if got := mustStatus(a.t, a.file); got != http.StatusUnauthorized {
		a.t.Errorf("the document after the theft: %d", got)
	}
	if a.signIn(); a.asked {
		a.t.Error("asked a second time")
	}
	a.ask("GET", &boot)
	if status := a.redeem(); status != http.StatusBadRequest {
		a.t.Errorf("a code for the second time: %d", status)
	}
	if resp, _ := a.do("GET"); resp.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("after the code was shown again: %d", resp.StatusCode)
	}
}

// changesPassword: Office is told to sign in again, and what the old password had let in stays out.
func (a *phone) changesPassword(s *upstream.Server) {
	a.t.Helper()
	a.signIn()
	old := *a
	root := []string{wopi.HeaderEcosystemOperation, "GET_ROOT_CONTAINER"}
	var boot wopi.BootstrapInfo
	a.ask("POST", &boot, root...)
	s.ChangePassword(a.t, "a new one")
	if resp, _ := a.do("POST", root...); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
		a.t.Errorf("with the old password: %d", resp.StatusCode)
	}
	a.p.Password = s.Password
	if a.signIn(); !a.asked {
		a.t.Error("not asked after the password was changed")
	}
	a.ask("POST", &boot, root...)
	if resp, _ := old.do("POST", root...); resp.StatusCode != http.StatusUnauthorized {
		a.t.Errorf("what the old password let in: %d", resp.StatusCode)
	}
	if status := old.renew(old.refresh); status != http.StatusBadRequest {
		a.t.Errorf("its refresh token: %d", status)
	}
}
