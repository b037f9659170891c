package bootstrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/goleak"

	"davwopi/bridge/access"
	"davwopi/bridge/bootstrap"
	"davwopi/bridge/containers"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/oauth"
	"davwopi/test/rooms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var mira = oauth.Principal{Issuer: "https://id.example.test", Subject: "24/82#9", Name: "Mira: Holt", SignIn: "mira@example.test"}

// A phone asks the bootstrapper of a house.
type phone struct {
	t    *testing.T
	h    *rooms.House
	web  *httptest.Server
	fail error  // of the check
	sign string // authorization endpoint
	down bool   // the provider is not known
}

func newPhone(t *testing.T, upstreams []string, change func(*endpoint.Endpoint)) *phone {
	t.Helper()
	p := &phone{t: t, h: rooms.New(t, upstreams, change), sign: "https://id.example.test/authorize"}
	folders := &containers.Containers{Endpoint: p.h.Endpoint}
	r := mux.NewRouter()
	(&bootstrap.Bootstrapper{
		Endpoint: p.h.Endpoint, Info: folders.Info,
		Check: func(_ context.Context, shown bootstrap.Shown) (oauth.Principal, string, error) {
			switch {
			case p.fail != nil:
				return oauth.Principal{}, "", p.fail
			case shown.Token == "good" && shown.Peer != "" && shown.Context != "forged":
				return mira, access.PhonePrefix + "family", nil
			case shown.Token == "ben":
				return rooms.Ben, "", nil
			}
			return oauth.Principal{}, "", oauth.ErrBearer
		},
		Where: func(context.Context) (string, string, error) {
			if p.down {
				return "", "", oauth.ErrProvider
			}
			return p.sign, "https://id.example.test/token", nil
		},
		ProviderID: "TPExample",
		Schemes:    map[string][]string{"iOS": {"davwopi"}, "Android": {"1", "a.b", "a.b.Sign"}, "UWP": nil},
	}).Mount(r)
	p.web = httptest.NewServer(r)
	t.Cleanup(p.web.Close)
	return p
}

// do sends a request with headers, in pairs.
func (p *phone) do(method string, header ...string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.web.URL+"/wopibootstrapper", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := p.web.Client().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

// bootstrap is a request that succeeds.
func (p *phone) bootstrap(method string, header ...string) (info wopi.BootstrapInfo) {
	p.t.Helper()
	resp, body := p.do(method, header...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || json.Unmarshal([]byte(body), &info) != nil {
		p.t.Fatalf("%d %v\n%s", resp.StatusCode, resp.Header, body)
	}
	return info
}

var bearer = []string{"Authorization", "Bearer good"}

func with(header ...string) []string { return append(append([]string(nil), bearer...), header...) }

func TestBootstrap(t *testing.T) {
	p := newPhone(t, nil, nil)
	for _, in := range []string{"Bearer good", "Bearer: good", "bearer good"} {
		got := p.bootstrap("GET", "Authorization", in).Bootstrap
		if got.UserId != mira.UserID() || got.SignInName != "mira@example.test" || got.UserFriendlyName != "Mira: Holt" ||
			!strings.HasPrefix(got.EcosystemUrl, p.h.URLs.EcosystemSrc()+"?access_token=") {
			t.Errorf("%s: %+v", in, got)
		}
		if got := p.h.Get(got.EcosystemUrl, ""); got.Status != 200 {
			t.Errorf("the ecosystem: %d", got.Status)
		}
		if strings.ContainsAny(got.UserId, "\\/:*?\"<>|#{}^[]`%") {
			t.Errorf("UserId %q", got.UserId)
		}
	}
	for _, op := range []string{"", "NONSENSE"} {
		if got := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, op)...); got.Bootstrap.UserId == "" || got.RootContainerInfo != nil {
			t.Errorf("POST %q: %+v", op, got)
		}
	}
}

// TestWhoIsNotLetIn: 401 with exactly one challenge in the exact form; what is not about the person is not 401.
func TestWhoIsNotLetIn(t *testing.T) {
	p := newPhone(t, nil, nil)
	const want = `Bearer authorization_uri="https://id.example.test/authorize",tokenIssuance_uri="https://id.example.test/token",` +
		`providerId="TPExample",UrlSchemes="%7B%22Android%22%3A%5B%221%22%2C%22a.b%22%2C%22a.b.Sign%22%5D%2C%22iOS%22%3A%5B%22davwopi%22%5D%7D"`
	file := p.h.Open(p.h.At("/"), access.Grant{})
	_, wopiToken, _ := strings.Cut(file, "access_token=")
	for name, header := range map[string][]string{
		"nobody": nil, "blank": {"Authorization", ""}, "Basic": {"Authorization", "Basic YTpi"}, "an unknown token": {"Authorization", "Bearer bad"},
		"two headers": {"Authorization", "Bearer good", "Authorization", "Bearer good"}, "a WOPI token": {"Authorization", "Bearer " + wopiToken},
		"in the wrong header": {"X-Authorization", "Bearer good"}, "a context that is not its own": with(wopi.HeaderSessionContext, "forged"),
	} {
		for _, method := range []string{"GET", "POST"} {
			resp, body := p.do(method, header...)
			if got := resp.Header.Values("WWW-Authenticate"); resp.StatusCode != 401 || len(got) != 1 || got[0] != want || body != "" {
				t.Errorf("%s %s: %d %q %q", method, name, resp.StatusCode, got, body)
			}
		}
	}
	for _, c := range []struct {
		fail error
		want int
	}{
		{fmt.Errorf("x: %w", oauth.ErrProvider), 503}, {&oauth.TooManyError{RetryAfter: 3 * time.Second}, 429}, {errors.New("the database"), 500},
		{fmt.Errorf("x: %w", access.ErrNeedsSignIn), 401},
	} {
		p.fail = c.fail
		if resp, _ := p.do("GET", bearer...); resp.StatusCode != c.want || (c.want == 401) != (resp.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%v: %d", c.fail, resp.StatusCode)
		}
	}
	p.fail, p.down = nil, true
	if resp, _ := p.do("GET"); resp.StatusCode != 503 {
		t.Errorf("nobody knows where to sign in: %d", resp.StatusCode)
	}
	p.down = false
	for _, address := range []string{"https://id.example.test/authorize?p=b2c", "https://id.example.test/a,b", "https://id.example.test/a=b", ""} {
		p.sign = address
		if resp, _ := p.do("GET"); resp.StatusCode != 500 || resp.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%q, which Office would take apart: %d", address, resp.StatusCode)
		}
	}
	if resp, _ := p.do("DELETE", bearer...); resp.StatusCode != 405 {
		t.Errorf("DELETE: %d", resp.StatusCode)
	}
}

// TestPlainHTTP: the token is not taken where it can be read on the way.
func TestPlainHTTP(t *testing.T) {
	p := newPhone(t, nil, nil)
	for name, c := range map[string]struct {
		peer, proto string
		want        int
	}{
		"from this machine":     {"127.0.0.1:5", "http", 200},
		"also by IPv6":          {"[::1]:5", "http", 200},
		"over the network":      {"192.0.2.1:5", "http", 403},
		"a trusted proxy says":  {"192.0.2.1:0", "https", 200},
		"an unreadable address": {"@", "http", 403},
	} {
		r := httptest.NewRequest("GET", "/wopibootstrapper", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-Proto", c.proto)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		p.web.Config.Handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}

// TestGetRootContainer, and down from there to a save, as the phone does it.
func TestGetRootContainer(t *testing.T) {
	for _, upstreams := range [][]string{{"main"}, {"main", "nas"}} {
		p := newPhone(t, upstreams, nil)
		p.h.Servers["main"].Write(t, "a/x.docx", "x")
		got := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_ROOT_CONTAINER")...)
		root := got.RootContainerInfo
		want := "The main"
		if len(upstreams) > 1 {
			want = endpoint.TopName
		}
		if root == nil || root.ContainerPointer.Name != want || root.ContainerInfo == nil || root.ContainerInfo.Name != want {
			t.Fatalf("%+v", root)
		}
		var children struct{ ChildContainers []wopi.Pointer }
		p.h.Get(root.ContainerPointer.Url, "children").Into(t, &children)
		if len(upstreams) > 1 {
			p.h.Get(children.ChildContainers[0].Url, "children").Into(t, &children)
		}
		var files struct{ ChildFiles []wopi.ChildFile }
		p.h.Get(children.ChildContainers[0].Url, "children").Into(t, &files)
		file := files.ChildFiles[0].Url
		if got := p.h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 || got.Header.Get(wopi.HeaderItemVersion) == "" {
			t.Fatalf("Lock: %d", got.Status)
		}
	}
}

// TestGetNewAccessToken for a file and a container; what is not ours, not there or not for this person is 404.
func TestGetNewAccessToken(t *testing.T) {
	p := newPhone(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{{Who: []string{"ben"}, Path: "/a", Rights: 0}}
	})
	p.h.Servers["main"].Write(t, "a/x.docx", "x")
	file, folder := p.h.At("/a/x.docx"), p.h.At("/a")
	again := func(src string) []string {
		return with(wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, src)
	}
	for _, src := range []string{p.h.URLs.WOPISrc(file.ID), p.h.URLs.ContainerSrc(folder.ID)} {
		got := p.bootstrap("POST", again(src)...)
		left := time.Until(time.UnixMilli(got.AccessTokenInfo.AccessTokenExpiry))
		if got.Bootstrap.UserId == "" || left < access.DefaultTTL-time.Minute || left > access.DefaultTTL+time.Minute {
			t.Errorf("%s: %+v, good for %v", src, got, left)
		}
		if got := p.h.Get(src+"?access_token="+url.QueryEscape(got.AccessTokenInfo.AccessToken), ""); got.Status != 200 {
			t.Errorf("%s with the new token: %d", src, got.Status)
		}
	}
	one := p.bootstrap("POST", with(wopi.HeaderOverride, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, p.h.URLs.WOPISrc(file.ID))...)
	if got := p.h.Get(p.h.URLs.ContainerSrc(folder.ID)+"?access_token="+one.AccessTokenInfo.AccessToken, ""); got.Status != 401 {
		t.Errorf("a file's token for a folder: %d", got.Status)
	}
	for name, header := range map[string][]string{
		"no source":         again(""),
		"another host":      again("https://elsewhere.example/wopi/files/" + string(file.ID)),
		"our page":          again(p.h.URLs.HostEdit(file.ID)),
		"nothing there":     again(p.h.URLs.WOPISrc("aaaaaaaaaaaaaaaaaaaaaaaaaa")),
		"a file as folder":  again(p.h.URLs.ContainerSrc(file.ID)),
		"a folder as file":  again(p.h.URLs.WOPISrc(folder.ID)),
		"the ecosystem":     again(p.h.URLs.EcosystemSrc()),
		"its ID":            again(p.h.URLs.WOPISrc(access.Ecosystem)),
		"a loopback trick":  again("http://user@" + strings.TrimPrefix(p.h.URLs.WOPISrc(file.ID), "http://")),
		"not this person's": {"Authorization", "Bearer ben", wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, p.h.URLs.WOPISrc(file.ID)},
	} {
		if resp, body := p.do("POST", header...); resp.StatusCode != 404 || body != "" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}

// TestAnExpiredToken: a document stays locked by whoever edits it, and they go on with another token.
func TestAnExpiredToken(t *testing.T) {
	p := newPhone(t, nil, nil)
	p.h.Servers["main"].Write(t, "x.docx", "first")
	src := p.h.URLs.WOPISrc(p.h.At("/x.docx").ID)
	token := func() string {
		got := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, src)...)
		return "?access_token=" + url.QueryEscape(got.AccessTokenInfo.AccessToken)
	}
	old := token()
	p.h.Later(access.DefaultTTL - time.Minute)
	if got := p.h.Post(src+old, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Fatalf("Lock: %d", got.Status)
	}
	p.h.Later(time.Minute)
	if got := p.h.Get(src+old, ""); got.Status != 401 {
		// DESIGN 8: whoever edits may still save, but gets nothing new.
		var info wopi.CheckFileInfo
		if got.Into(t, &info); info.UserCanRename {
			t.Errorf("an expired token is good for more than saving")
		}
	}
	if got := p.h.Post(src+token(), wopi.OverrideRefreshLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Errorf("RefreshLock with another token: %d", got.Status)
	}
	idle := src + token()
	p.h.Later(access.DefaultTTL)
	if got := p.h.Get(idle, ""); got.Status != 401 {
		t.Errorf("a token that nothing was edited with: %d", got.Status)
	}
}

// TestARevokedPhone: what came of its token ends with its sign-in, and nothing more is made for it.
func TestARevokedPhone(t *testing.T) {
	p := newPhone(t, nil, nil)
	p.h.Servers["main"].Write(t, "x.docx", "x")
	src := p.h.URLs.WOPISrc(p.h.At("/x.docx").ID)
	again := with(wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, src)
	token := p.bootstrap("POST", again...)
	address := src + "?access_token=" + url.QueryEscape(token.AccessTokenInfo.AccessToken)
	ben := p.bootstrap("POST", "Authorization", "Bearer ben", wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, src)
	var info wopi.CheckFileInfo
	p.h.Get(address, "").Into(t, &info)
	if info.EditModePostMessage || info.FileSharingPostMessage {
		t.Error("told that there is a page around it")
	}
	if err := p.h.Tokens.SignedOut(t.Context(), access.PhonePrefix+"family", nil); err != nil {
		t.Fatal(err)
	}
	for what, address := range map[string]string{"file": address, "ecosystem": token.Bootstrap.EcosystemUrl} {
		if got := p.h.Get(address, ""); got.Status != 401 {
			t.Errorf("%s: %d", what, got.Status)
		}
	}
	if resp, _ := p.do("POST", again...); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("another token: %d", resp.StatusCode)
	}
	if got := p.h.Get(src+"?access_token="+url.QueryEscape(ben.AccessTokenInfo.AccessToken), ""); got.Status != 200 {
		t.Errorf("somebody else's: %d", got.Status)
	}
}

// TestPhonesAreToldThePublicAddress: wopi_url is for the editors' servers, often a name that only containers know.
func TestPhonesAreToldThePublicAddress(t *testing.T) {
	p := newPhone(t, nil, nil)
	p.h.URLs.WOPI = &url.URL{Scheme: "http", Host: "inside:8880"}
	p.h.Servers["main"].Write(t, "a/x.docx", "x")
	public := p.h.URLs.Public.String() + "/wopi/"
	root := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_ROOT_CONTAINER")...)
	file := p.h.At("/a/x.docx").ID
	source := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_WOPI_SRC_WITH_ACCESS_TOKEN", wopi.HeaderHostNativeFileName, p.h.URLs.HostEdit(file))...)
	var children struct {
		ChildContainers []wopi.Pointer
		ChildFiles      []wopi.ChildFile
	}
	p.h.Get(root.RootContainerInfo.ContainerPointer.Url, "children").Into(t, &children)
	var above wopi.URLInfo
	p.h.Get(root.RootContainerInfo.ContainerPointer.Url, "ecosystem_pointer").Into(t, &above)
	for what, address := range map[string]string{
		"ecosystem": root.Bootstrap.EcosystemUrl, "root": root.RootContainerInfo.ContainerPointer.Url, "file": source.WopiSrcInfo.Url,
		"folder": children.ChildContainers[0].Url, "ecosystem of the root": above.Url,
	} {
		if !strings.HasPrefix(address, public) {
			t.Errorf("%s: %s", what, address)
		}
		if got := p.h.Get(address, ""); got.Status != 200 {
			t.Errorf("%s: %d", what, got.Status)
		}
	}
	// What was launched with the address inside is still known.
	for _, src := range []string{"http://inside:8880/wopi/files/" + string(file), public + "files/" + string(file)} {
		p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_NEW_ACCESS_TOKEN", wopi.HeaderWopiSrc, src)...)
	}
}

func TestGetFileWopiSrc(t *testing.T) {
	p := newPhone(t, nil, nil)
	p.h.Servers["main"].Write(t, "x.docx", "x")
	file := p.h.At("/x.docx")
	got := p.bootstrap("POST", with(wopi.HeaderEcosystemOperation, "GET_WOPI_SRC_WITH_ACCESS_TOKEN", wopi.HeaderHostNativeFileName, p.h.URLs.HostEdit(file.ID))...)
	if got.WopiSrcInfo == nil || !strings.HasPrefix(got.WopiSrcInfo.Url, p.h.URLs.WOPISrc(file.ID)) {
		t.Fatalf("%+v", got)
	}
	if got := p.h.Get(got.WopiSrcInfo.Url, ""); got.Status != 200 {
		t.Errorf("%d", got.Status)
	}
	if resp, _ := p.do("POST", with(wopi.HeaderEcosystemOperation, "GET_WOPI_SRC_WITH_ACCESS_TOKEN", wopi.HeaderHostNativeFileName, "https://elsewhere.example/edit/x")...); resp.StatusCode != 404 {
		t.Errorf("elsewhere: %d", resp.StatusCode)
	}
}

// TestHeaderInjection: names of people and what a phone sends get into no header.
func TestHeaderInjection(t *testing.T) {
	c := wopi.Challenge{Authorization: "https://x/a", Token: "https://x/t", URLSchemes: `{"iOS":["a\r\nX: y"]}`}
	if got := c.Header(); strings.ContainsAny(got, "\r\n") || strings.Count(got, "=") != 3 {
		t.Errorf("%q", got)
	}
	c.Token = "https://x/\"t"
	if got := c.Header(); got != "" {
		t.Errorf("%q", got)
	}
}
