package endpoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
	"davwopi/test/upstream"
)

// A rig is the shared way of a request over the embedded upstream, with operations
// that do no more than the steps before them.
type rig struct {
	*endpoint.Endpoint
	t      *testing.T
	server *upstream.Server
	view   *davbackend.View
	space  idmap.SpaceID
	mu     sync.Mutex
	ahead  time.Duration // of the database's clock; guarded by mu
}

var anna = oauth.Principal{Issuer: "test", Subject: "anna", Name: "Anna"}

func newRig(t *testing.T, rules ...access.Rule) *rig {
	t.Helper()
	ctx := context.Background()
	db := sqldbtest.New(t)
	r := &rig{t: t, server: upstream.Embedded(t)}
	db.SetClock(func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return time.Now().Add(r.ahead)
	})
	ids, err := idmap.New(ctx, db)
	r.must(err)
	sealer, err := oauth.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	r.must(err)
	tokens, err := access.NewTokens(ctx, db, sealer)
	r.must(err)
	ups := &access.Upstreams{
		List: []*access.Upstream{{Name: "main", Client: r.server.Client(t), Service: &davbackend.Credential{}}},
		IDs:  ids, Sealer: sealer,
	}
	r.space, err = ids.Space(ctx, "main", "")
	r.must(err)
	book, err := locks.New(ctx, locks.Locks{DB: db, IDs: ids, Upstreams: ups, OnError: func(what string, err error) { t.Log(what, err) }})
	r.must(err)
	own := &url.URL{Scheme: "http", Host: "docs.example"}
	r.view = r.server.View(t)
	r.Endpoint = &endpoint.Endpoint{
		URLs: endpoint.URLs{Public: own, WOPI: own}, Tokens: tokens, Rules: rules, Upstreams: ups, IDs: ids, Locks: book,
		Editors: &discovery.Editors{}, MaxBody: 1 << 20, Log: func(context.Context, endpoint.Line) {}, Now: time.Now,
	}
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) forward(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

// at is what lies at a path, with its ID.
func (r *rig) at(path string) idmap.Entry {
	r.t.Helper()
	res, err := r.view.Stat(r.t.Context(), dav.Path(path))
	r.must(err)
	e, err := r.IDs.At(r.t.Context(), r.space, res)
	r.must(err)
	return e
}

// open mints a token of session for a file.
func (r *rig) open(e idmap.Entry, session string) (string, access.Grant) {
	r.t.Helper()
	token, g, err := r.Tokens.Mint(r.t.Context(), access.Grant{
		File: e.ID, Space: r.space, Upstream: "main", Principal: anna, Session: session, Rights: access.Edit,
	})
	r.must(err)
	return token, g
}

// table has an operation of each kind.
func (r *rig) table() endpoint.Table {
	return endpoint.Table{
		wopi.OpCheckFileInfo: {Run: r.look, Sleeper: true},
		wopi.OpGetFile:       {Run: r.look},
		wopi.OpLock: {Edit: true, Denied: 404, Sleeper: true, Run: func(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
			t, err := r.Seen(ctx, q)
			if err != nil {
				return wopi.Response{}, err
			}
			return wopi.Response{}, r.Locks.Lock(ctx, t, q.Actor, *q.Headers.Lock)
		}},
		wopi.OpUnlock: {Edit: true, Denied: 404, Sleeper: true, Run: func(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
			t, err := r.Known(ctx, q)
			if err != nil {
				return wopi.Response{}, err
			}
			return wopi.Response{}, r.Locks.Unlock(ctx, t, q.Actor, *q.Headers.Lock)
		}},
		wopi.OpPutFile: {Edit: true, Denied: 404, Sleeper: true, Bytes: true, Run: func(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
			t, err := r.Known(ctx, q)
			if err != nil {
				return wopi.Response{}, err
			}
			return wopi.Response{}, r.Locks.MayWrite(ctx, t, q.Actor, q.Headers.Lock)
		}},
		wopi.OpDeleteFile: {Edit: true, Denied: 501, Run: r.look},
	}
}

func (r *rig) look(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	_, err := r.Seen(ctx, q)
	return wopi.Response{}, err
}

// ask sends an operation and returns the status.
func (r *rig) ask(h http.Handler, method, token, override, lock string) int {
	r.t.Helper()
	request := httptest.NewRequest(method, "/?access_token="+token, http.NoBody)
	if override != "" {
		request.Header.Set(wopi.HeaderOverride, override)
	}
	if lock != "" {
		request.Header.Set(wopi.HeaderLock, lock)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Code
}

func (r *rig) handler(e idmap.Entry, suffix string) http.Handler {
	return r.Handler(r.table(), suffix, func(*http.Request) string { return string(e.ID) })
}
