package binary

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/idp"
	"davwopi/test/office"
)

// A provider is one to sign in at.
type provider struct {
	idp.Real
	id, secret             string // of davwopi there
	officeID, officeSecret string
	office                 string // redirect of Office
	listen                 string
}

// freeAddress is a loopback address on which nothing listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eachProvider runs f with every provider that there is: the two real ones, each with opaque and with signed access
// tokens, or the one that OIDC_TEST_ISSUER names. There, http://OIDC_TEST_LISTEN/signin/callback is registered as the
// redirect URI of OIDC_TEST_CLIENT_ID, and https://localhost as that of OIDC_TEST_OFFICE_ID, which may be the same;
// OIDC_TEST_AUDIENCE is in the tokens of the latter, and OIDC_TEST_USER has OIDC_TEST_PASSWORD.
func eachProvider(t *testing.T, f func(t *testing.T, p provider)) {
	if issuer := os.Getenv("OIDC_TEST_ISSUER"); issuer != "" {
		env := func(name string) string { return os.Getenv("OIDC_TEST_" + name) }
		f(t, provider{
			Real: idp.Real{Issuer: issuer, User: env("USER"), Password: env("PASSWORD"), Audience: env("AUDIENCE")},
			id:   env("CLIENT_ID"), secret: env("CLIENT_SECRET"),
			officeID: cmp.Or(env("OFFICE_ID"), env("CLIENT_ID")), officeSecret: cmp.Or(env("OFFICE_SECRET"), env("CLIENT_SECRET")),
			office: "https://localhost", listen: env("LISTEN"),
		})
		return
	}
	for name, c := range map[string]struct {
		start     func(testing.TB, idp.Options) *idp.Real
		jwt, post bool
	}{
		"zitadel, opaque tokens": {idp.Zitadel, false, false},
		"zitadel, signed tokens": {idp.Zitadel, true, false},
		"panva, opaque tokens":   {idp.Panva, false, true},
		"panva, signed tokens":   {idp.Panva, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := freeAddress(t)
			real := c.start(t, idp.Options{
				Redirect: "http://" + listen + "/signin/callback", Office: "https://localhost", Gone: "http://" + listen + "/signedout",
				API: "https://files.example.test", JWT: c.jwt, Post: c.post,
			})
			f(t, provider{*real, "davwopi", "s3cret", "office", "0ffice", "https://localhost", listen})
		})
	}
}

// config is a bridge whose people sign in at p.
func (p provider) config(more string) string {
	return fmt.Sprintf(`sign_in: {oidc: {issuer: %q, name: Example ID, client_id: %q, client_secret: %[3]q}}
oauth: {mode: direct, provider_id: TPExample, bearer: {audiences: [%[4]q], allowed_clients: [%[5]q], client_id: %[5]q, client_secret: %[6]q}}
%[7]s`, p.Issuer, p.id, p.secret, p.Audience, p.officeID, p.officeSecret, more)
}

var (
	editLink   = regexp.MustCompile(`href="(/edit/[a-z2-7]{26})"`)
	pageToken  = regexp.MustCompile(`name="access_token" value="([^"]+)"`)
	wopiSource = regexp.MustCompile(`WOPISrc=([^&"]+)`)
)

// TestSignInAtARealProvider: a person signs in, edits, signs out, and is asked again at the provider.
func TestSignInAtARealProvider(t *testing.T) {
	needDaemon(t)
	eachProvider(t, func(t *testing.T, p provider) {
		d := daemon.StartAt(t, p.config(""), p.listen)
		d.Write("Report.txt", "first")
		v := idp.NewVisitor(t, p.User, p.Password, "")
		list := v.Go(d.URL + "/")
		m := editLink.FindStringSubmatch(list.Body)
		if list.Status != http.StatusOK || m == nil || !strings.Contains(list.Body, "Sign out") {
			t.Fatalf("after sign-in: %s", list)
		}
		edit := v.Go(d.URL + m[1])
		token, source := pageToken.FindStringSubmatch(edit.Body), wopiSource.FindStringSubmatch(edit.Body)
		if token == nil || source == nil {
			t.Fatalf("no host page: %s", edit)
		}
		src, err := url.QueryUnescape(source[1])
		if err != nil {
			t.Fatal(err)
		}
		c := &office.Client{WOPISrc: src, AccessToken: token[1]}
		must2(t)(c.Lock(t.Context(), "L"))
		must2(t)(c.PutFile(t.Context(), "L", []byte("second"), nil))
		must2(t)(c.Unlock(t.Context(), "L"))
		if got := d.Read("Report.txt"); got != "second" {
			t.Errorf("on disk: %q", got)
		}
		// A killed daemon remembers who is signed in.
		d.Kill()
		d.Restart()
		if got := v.Go(d.URL + "/"); got.URL.Path != "/" || !strings.Contains(got.Body, "Report.txt") {
			t.Errorf("after a restart: %s", got)
		}
		out := v.Post(d.URL+"/signout", nil)
		to, ok := strings.CutPrefix(out.Header.Get("Refresh"), "1; url=")
		if !ok || !strings.HasPrefix(to, p.Issuer) {
			t.Fatalf("sign-out: %q %s", out.Header.Get("Refresh"), out)
		}
		if ask := v.Go(to); strings.Contains(ask.Body, `action="`+p.Issuer) { // it wants to be sure
			v.Confirm(ask, "logout", "yes")
		}
		v.Password = "no longer known"
		v.User = ""
		if got := v.Look(d.URL + "/"); strings.HasPrefix(got.URL.String(), d.URL) {
			t.Errorf("signed in again without being asked: %s", got)
		}
	})
}

// TestOfficeOnAPhone, direct mode: the scripted app asks without a token, takes the challenge apart as Office does, signs
// in at the provider itself, and goes all the way to a save.
func TestOfficeOnAPhone(t *testing.T) {
	needDaemon(t)
	eachProvider(t, func(t *testing.T, p provider) {
		d := daemon.StartAt(t, p.config(""), p.listen)
		d.Write("Minutes/Report.docx", "first")
		app := &phone{t: t, base: d.URL, p: p, scope: "openid"}
		app.signIn()
		app.goesAllTheWay(func() string { return d.Read("Minutes/Report.docx") })

		// The person changes the password, and the provider revokes what was given out before.
		app.signIn()
		if app.revoke() {
			if resp, _ := app.do("GET"); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("with a revoked token: %d", resp.StatusCode)
			}
		}
		app.signIn()
		var boot wopi.BootstrapInfo
		app.ask("GET", &boot)
	})
}

// goesAllTheWay is what somebody does who has added a place: look around, open, save, close; onDisk is the document's text.
func (a *phone) goesAllTheWay(onDisk func() string) {
	a.t.Helper()
	t, app := a.t, a
	var boot wopi.BootstrapInfo
	app.ask("GET", &boot)
	if boot.Bootstrap.UserId == "" || boot.Bootstrap.SignInName == "" {
		t.Fatalf("%+v", boot)
	}
	app.ask("POST", &boot, wopi.HeaderEcosystemOperation, "GET_ROOT_CONTAINER")
	var children struct {
		ChildContainers []wopi.Pointer
		ChildFiles      []wopi.ChildFile
	}
	app.get(suffix(boot.RootContainerInfo.ContainerPointer.Url, "children"), &children)
	app.get(suffix(children.ChildContainers[0].Url, "children"), &children)
	file, err := url.Parse(children.ChildFiles[0].Url)
	if err != nil {
		t.Fatal(err)
	}
	c := &office.Client{WOPISrc: file.Scheme + "://" + file.Host + file.Path, AccessToken: file.Query().Get("access_token")}
	var info wopi.CheckFileInfo
	if err := must2(t)(c.CheckFileInfo(t.Context())).JSON(&info); err != nil {
		t.Fatal(err)
	}
	if info.UserId != boot.Bootstrap.UserId || info.BaseFileName != "Report.docx" {
		t.Errorf("%+v", info)
	}
	locked := must2(t)(c.Lock(t.Context(), "L"))
	if got := must2(t)(c.GetFile(t.Context(), 1<<20)); string(got.Body) != "first" {
		t.Errorf("GetFile: %q", got.Body)
	}
	saved := must2(t)(c.PutFile(t.Context(), "L", []byte("second"), nil))
	if locked.Header.Get(wopi.HeaderItemVersion) == "" || saved.Header.Get(wopi.HeaderItemVersion) == locked.Header.Get(wopi.HeaderItemVersion) {
		t.Errorf("versions %q, %q", locked.Header.Get(wopi.HeaderItemVersion), saved.Header.Get(wopi.HeaderItemVersion))
	}

	// Neither kind of token is good where the other is.
	wrong := &office.Client{WOPISrc: c.WOPISrc, AccessToken: a.bearer}
	status(t, http.StatusUnauthorized, office.Answer{Status: mustStatus(t, wrong)}, nil)
	if resp, _ := app.send("GET", app.base+"/wopibootstrapper", "Authorization", "Bearer "+c.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a WOPI token at the bootstrapper: %d", resp.StatusCode)
	}

	// Its WOPI token ends; the provider's gives another one, and the lock is still its own.
	c.AccessToken = "wbd_over"
	status(t, http.StatusUnauthorized, office.Answer{Status: mustStatus(t, c)}, nil)
	app.ask("POST", &boot, wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, c.WOPISrc)
	c.AccessToken = boot.AccessTokenInfo.AccessToken
	a.file = c
	must2(t)(c.Unlock(t.Context(), "L"))
	if got := onDisk(); got != "second" {
		t.Errorf("on disk: %q", got)
	}
}

func mustStatus(t *testing.T, c *office.Client) int {
	t.Helper()
	a, err := c.CheckFileInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a.Status
}

// suffix puts a segment before the query of an address.
func suffix(address, segment string) string { return strings.Replace(address, "?", "/"+segment+"?", 1) }

// A phone is the Office app of a phone, with the Microsoft server that fetches its tokens.
type phone struct {
	t    *testing.T
	base string // of the bridge
	p    provider

	scope                string // of the authorization request
	authorization, token string // as the challenge names them
	bearer, refresh      string
	code                 string // used
	context              string // sc, which comes back with everything, "" none
	asked                bool   // the last sign-in was asked about

	pause func()         // before the person says yes, and before Microsoft's server redeems the code; nil nothing
	file  *office.Client // the document that was saved
}

// do asks the bootstrapper.
func (a *phone) do(method string, header ...string) (*http.Response, []byte) {
	a.t.Helper()
	header = append([]string{"Authorization", "Bearer " + a.bearer}, header...)
	if a.context != "" {
		header = append(header, wopi.HeaderSessionContext, a.context)
	}
	return a.send(method, a.base+"/wopibootstrapper", header...)
}

func (a *phone) send(method, address string, header ...string) (*http.Response, []byte) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, address, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, body
}

func (a *phone) ask(method string, into any, header ...string) {
	a.t.Helper()
	resp, body := a.do(method, header...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		a.t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		a.t.Fatal(err)
	}
}

func (a *phone) get(address string, into any) {
	a.t.Helper()
	resp, body := a.send("GET", address)
	if err := json.Unmarshal(body, into); err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%d, %v: %s", resp.StatusCode, err, body)
	}
}

// signIn gets a token: the challenge, the provider's pages, the token endpoint.
func (a *phone) signIn() {
	a.t.Helper()
	a.getCode()
	if a.pause != nil {
		a.pause()
	}
	if status := a.redeem(); status != http.StatusOK {
		a.t.Fatalf("no token: %d", status)
	}
}

// redeem exchanges the code.
func (a *phone) redeem() int {
	a.t.Helper()
	return a.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {a.code}, "redirect_uri": {a.p.office}})
}

// getCode is the way to the code.
func (a *phone) getCode() {
	a.t.Helper()
	a.bearer = ""
	resp, _ := a.do("GET")
	challenge := resp.Header.Values("WWW-Authenticate")
	if resp.StatusCode != http.StatusUnauthorized || len(challenge) != 1 {
		a.t.Fatalf("without a token: %d %q", resp.StatusCode, challenge)
	}
	// As the app takes it apart: every "Bearer" away, then at "," and "=".
	parts := map[string]string{}
	for _, pair := range strings.Split(strings.ReplaceAll(challenge[0], "Bearer", ""), ",") {
		sides := strings.Split(pair, "=")
		if len(sides) != 2 {
			a.t.Fatalf("the app takes %q apart wrongly", challenge[0])
		}
		parts[strings.TrimSpace(sides[0])] = strings.Trim(sides[1], `"`)
	}
	a.authorization, a.token = parts["authorization_uri"], parts["tokenIssuance_uri"]
	if parts["providerId"] != "TPExample" {
		a.t.Errorf("%v", parts)
	}
	q := url.Values{"client_id": {a.p.officeID}, "redirect_uri": {a.p.office}, "response_type": {"code"}, "scope": {a.scope},
		"rs": {"en-US"}, "build": {"16.0.1"}, "platform": {"iOS"}, "unheard": {"of=1&2"}}
	v := idp.NewVisitor(a.t, a.p.User, a.p.Password, a.p.office)
	end := v.Go(a.authorization + "?" + q.Encode())
	if a.asked = strings.Contains(end.Body, "wants to come in"); a.asked {
		if a.pause != nil {
			a.pause()
		}
		end = v.Confirm(end, "answer", "yes")
	}
	back := end.URL.Query()
	if a.code = back.Get("code"); a.code == "" {
		a.t.Fatalf("no code: %s", end)
	}
	a.context, a.token = back.Get("sc"), cmp.Or(back.Get("tk"), a.token)
}

// exchange asks the token endpoint and keeps the tokens; it returns the status.
func (a *phone) exchange(form url.Values) int {
	a.t.Helper()
	form.Set("client_id", a.p.officeID)
	form.Set("client_secret", a.p.officeSecret)
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.token, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Microsoft Office Identity Service")
	if a.context != "" {
		r.Header.Set(wopi.HeaderSessionContext, a.context)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode
	}
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.Access == "" || !strings.EqualFold(tokens.Type, "bearer") {
		a.t.Fatalf("no token: %v", err)
	}
	a.bearer, a.refresh = tokens.Access, tokens.Refresh
	return answer.StatusCode
}

// revoke ends the token at the provider (RFC 7009); false where that changes nothing, because signed tokens are good until
// they end.
func (a *phone) revoke() bool {
	a.t.Helper()
	if strings.Count(a.bearer, ".") == 2 {
		return false
	}
	var said struct {
		Revocation string `json:"revocation_endpoint"`
	}
	a.get(strings.TrimSuffix(a.p.Issuer, "/")+"/.well-known/openid-configuration", &said)
	form := url.Values{"token": {a.bearer}, "client_id": {a.p.officeID}, "client_secret": {a.p.officeSecret}}
	answer, err := (&http.Client{Timeout: 10 * time.Second}).PostForm(said.Revocation, form)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		a.t.Fatalf("revoke: %d", answer.StatusCode)
	}
	return true
}
