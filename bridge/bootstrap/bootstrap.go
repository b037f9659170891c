package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// Bootstrapper serves /wopibootstrapper. All fields are set before use; it may be used concurrently.
type Bootstrapper struct {
	*endpoint.Endpoint

	// Check says whose bearer token it is. What is made for it ends with session, "" with nothing. The error wraps
	// [oauth.ErrBearer] if it is not good.
	Check func(context.Context, Shown) (who oauth.Principal, session string, err error)

	// Where says where programs sign people in and get tokens: [oauth.Provider.Endpoints].
	Where func(ctx context.Context) (authorization, token string, err error)

	ProviderID string              // as registered with Microsoft, "" none
	Schemes    map[string][]string // apps in which Office may sign people in, by kind of phone

	// Info is CheckContainerInfo's answer for the container of a request.
	Info func(context.Context, *endpoint.Request) (wopi.ContainerInfo, error)
}

// Shown is what an Office app shows of itself.
type Shown struct {
	Token   string // bearer
	Peer    string // host:port from which it came
	Context string // X-WOPI-SessionContext, "" none
}

// Mount adds the route of the bootstrapper to r.
func (b *Bootstrapper) Mount(r *mux.Router) {
	r.Handle("/wopibootstrapper", http.HandlerFunc(b.serve))
}

// A visit is one request that is being answered.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	line endpoint.Line
}

func (b *Bootstrapper) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	v := &visit{w: w, r: r, line: endpoint.Line{
		Operation: operationOf(r), Correlation: clip(r.Header.Get(wopi.HeaderCorrelationID)), Session: clip(r.Header.Get(wopi.HeaderSessionContext)),
	}}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		h.Set("Allow", "GET, POST")
		v.end(http.StatusMethodNotAllowed, nil, nil)
	} else if !encrypted(r) {
		v.end(http.StatusForbidden, nil, errors.New("bootstrap: over plain http, where the token can be read on the way"))
	} else {
		info, err := b.answer(r.Context(), v)
		b.finish(r.Context(), v, info, err)
	}
	v.line.Duration = time.Since(start)
	b.Log(r.Context(), v.line)
}

// encrypted reports whether nobody on the way could read the request: it came by https, as a trusted proxy says or as we
// know ourselves, or from this machine.
func encrypted(r *http.Request) bool {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return true
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// operationOf reads which operation is asked for. A POST that says nothing known is Bootstrap (reference 9.2).
func operationOf(r *http.Request) wopi.Operation {
	if r.Method != http.MethodPost {
		return wopi.OpBootstrap
	}
	name := r.Header.Get(wopi.HeaderEcosystemOperation)
	if name == "" {
		name = r.Header.Get(wopi.HeaderOverride) // as Microsoft's validator sends it
	}
	switch strings.ToUpper(name) {
	case wopi.OverrideGetRootContainer:
		return wopi.OpGetRootContainer
	case wopi.OverrideGetNewAccessToken:
		return wopi.OpGetNewAccessToken
	case wopi.OverrideGetWopiSrc:
		return wopi.OpGetFileWopiSrc
	}
	return wopi.OpBootstrap
}

// answer is the way of a request: whose token, a grant for it, the operation.
func (b *Bootstrapper) answer(ctx context.Context, v *visit) (info wopi.BootstrapInfo, err error) {
	token, err := oauth.ParseBearer(v.r.Header)
	if err != nil {
		return info, err
	}
	who, session, err := b.Check(ctx, Shown{Token: token, Peer: v.r.RemoteAddr, Context: v.r.Header.Get(wopi.HeaderSessionContext)})
	if err != nil {
		return info, err
	}
	v.line.UserID = who.UserID()
	q, err := b.enter(ctx, who, session)
	if err != nil {
		return info, err
	}
	info.Bootstrap = wopi.Bootstrap{
		EcosystemUrl: b.EcosystemSource(q),
		UserId:       who.UserID(), SignInName: who.SignInName(), UserFriendlyName: who.Name,
	}
	return info, b.table()[v.line.Operation].Run(ctx, q, v, &info)
}

// An operation adds to Bootstrap's answer what it is there for.
type operation struct {
	Run func(context.Context, *endpoint.Request, *visit, *wopi.BootstrapInfo) error
}

func (b *Bootstrapper) table() map[wopi.Operation]operation {
	return map[wopi.Operation]operation{
		wopi.OpBootstrap:         {Run: func(context.Context, *endpoint.Request, *visit, *wopi.BootstrapInfo) error { return nil }},
		wopi.OpGetRootContainer:  {Run: b.addRoot},
		wopi.OpGetNewAccessToken: {Run: b.addToken},
		wopi.OpGetFileWopiSrc:    {Run: b.addSource},
	}
}

// enter gives who a grant for everything that they can reach.
func (b *Bootstrapper) enter(ctx context.Context, who oauth.Principal, session string) (*endpoint.Request, error) {
	up := b.Upstreams.List[0]
	space, err := b.Upstreams.Space(ctx, up.Name, who)
	if err != nil {
		return nil, err
	}
	g := access.Grant{File: access.Ecosystem, Space: space, Upstream: up.Name, Principal: who, Session: session, Rights: access.Edit}
	if len(b.Upstreams.List) > 1 {
		top, err := b.Upstreams.Top(ctx)
		if err != nil {
			return nil, err
		}
		g.Scope = top.ID
	}
	_, g, err = b.Tokens.Mint(ctx, g)
	if err != nil {
		return nil, err
	}
	return b.Visit(ctx, g)
}

// addRoot is the shortcut of GetRootContainer.
func (b *Bootstrapper) addRoot(ctx context.Context, q *endpoint.Request, _ *visit, info *wopi.BootstrapInfo) error {
	root, err := b.Root(ctx, q)
	if err != nil {
		return err
	}
	box, err := b.Info(ctx, root)
	if err != nil {
		return err
	}
	info.RootContainerInfo = &wopi.RootContainer{ContainerPointer: b.Pointer(root, root.Known), ContainerInfo: &box}
	return nil
}

// addToken is GetNewAccessToken: another token for a file or container.
func (b *Bootstrapper) addToken(ctx context.Context, q *endpoint.Request, v *visit, info *wopi.BootstrapInfo) error {
	id, kind, err := b.URLs.SourceIn(v.r.Header.Get(wopi.HeaderWopiSrc))
	if err != nil {
		return err
	}
	v.line.File = id
	at, err := b.About(ctx, q, id, kind)
	if err != nil {
		return err
	}
	info.AccessTokenInfo = &wopi.AccessTokenInfo{
		AccessToken: b.Tokens.Derive(at.Grant, id), AccessTokenExpiry: at.Grant.Expires.UnixMilli(),
	}
	return nil
}

// addSource is the shortcut of GetFileWopiSrc.
func (b *Bootstrapper) addSource(ctx context.Context, q *endpoint.Request, v *visit, info *wopi.BootstrapInfo) error {
	id, err := b.FileIn(ctx, v.r.Header.Get(wopi.HeaderHostNativeFileName))
	if err != nil {
		return err
	}
	v.line.File = id
	at, err := b.About(ctx, q, id, idmap.File)
	if err != nil {
		return err
	}
	info.WopiSrcInfo = &wopi.URLInfo{
		Url: fmt.Sprintf("%s&access_token_ttl=%d", b.Source(at, at.Known), at.Grant.Expires.UnixMilli()),
	}
	return nil
}

// finish answers. Whatever a new sign-in would help is 401 with the challenge.
func (b *Bootstrapper) finish(ctx context.Context, v *visit, info wopi.BootstrapInfo, err error) {
	var many *oauth.TooManyError
	switch {
	case err == nil:
		v.end(http.StatusOK, info, nil)
	case errors.As(err, &many):
		v.w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		v.end(http.StatusTooManyRequests, nil, err)
	case errors.Is(err, oauth.ErrProvider):
		v.end(http.StatusServiceUnavailable, nil, err)
	case errors.Is(err, oauth.ErrBearer), errors.Is(err, access.ErrNeedsSignIn), errors.Is(err, dav.ErrUnauthorized),
		errors.Is(err, access.ErrExpired): // revoked meanwhile
		b.challenge(ctx, v, err)
	default:
		v.end(endpoint.Refusal(err).Status, nil, err)
	}
}

func (b *Bootstrapper) challenge(ctx context.Context, v *visit, cause error) {
	c := wopi.Challenge{ProviderID: b.ProviderID, URLSchemes: b.schemes()}
	var err error
	c.Authorization, c.Token, err = b.Where(ctx)
	header := c.Header()
	switch {
	case err != nil:
		v.end(http.StatusServiceUnavailable, nil, errors.Join(cause, err))
	case header == "":
		v.end(http.StatusInternalServerError, nil, fmt.Errorf("bootstrap: the provider's addresses have = , or ?, at which Office takes the answer apart: %q %q", c.Authorization, c.Token))
	default:
		v.w.Header().Set("WWW-Authenticate", header)
		v.end(http.StatusUnauthorized, nil, cause)
	}
}

// schemes is the JSON of the apps, "" if there are none.
func (b *Bootstrapper) schemes() string {
	named := make(map[string][]string)
	for phone, list := range b.Schemes {
		if len(list) > 0 {
			named[phone] = list
		}
	}
	text, err := json.Marshal(named)
	if err != nil || len(named) == 0 {
		return ""
	}
	return string(text)
}

// end writes the answer. Office wants exactly application/json.
func (v *visit) end(status int, body any, err error) {
	v.line.Status, v.line.Err = status, err
	if body == nil {
		v.w.Header().Set("Content-Length", "0")
		v.w.WriteHeader(status)
		return
	}
	text, fault := json.Marshal(body)
	if fault != nil {
		v.line.Status, v.line.Err = http.StatusInternalServerError, fault
		v.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) // the status is out; a broken connection has nobody to tell
}

// clip bounds a text that only goes to the log.
func clip(s string) string { return s[:min(len(s), 128)] }
