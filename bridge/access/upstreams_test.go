package access

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/oauth"
)

// A nas asks for Basic and remembers who came.
type nas struct {
	mu   sync.Mutex
	last string // "user:password", or a bearer token
}

func (n *nas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	user, password, ok := r.BasicAuth()
	switch {
	case ok:
		n.last = user + ":" + password
	case r.Header.Get("Authorization") != "":
		n.last = r.Header.Get("Authorization")
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="nas"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// who returns whom the server takes view for.
func (n *nas) who(t *testing.T, view *davbackend.View, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = view.Stat(t.Context(), "/")
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

func newUpstreams(t *testing.T, db *sqldb.DB) (*Upstreams, *nas) {
	t.Helper()
	n := new(nas)
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/dav/")
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client := &davbackend.Client{Base: base, Transport: transport}
	sealer := testSealer(t)
	credentials, err := oauth.NewCredentials(t.Context(), db, sealer)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := idmap.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	service := &davbackend.Credential{Kind: "password", User: "davwopi", Secret: "service-secret"}
	return &Upstreams{
		List: []*Upstream{
			{Name: "shared", Client: client, Service: service},
			{Name: "own", Client: client, PerUser: true},
			{Name: "own2", Client: client, PerUser: true},
		},
		Credentials: credentials, IDs: ids, Sealer: sealer,
	}, n
}

func putCredential(t *testing.T, u *Upstreams, p oauth.Principal, upstream, secret string) {
	t.Helper()
	if err := u.Credentials.Put(t.Context(), p.Key(), upstream, oauth.Secret{Kind: "password", User: p.Subject, Secret: secret}); err != nil {
		t.Fatal(err)
	}
}

func TestView(t *testing.T) {
	u, n := newUpstreams(t, sqldbtest.New(t))
	view, err := u.View(t.Context(), "shared", anna)
	if got := n.who(t, view, err); got != "davwopi:service-secret" {
		t.Errorf("mode service: %s", got)
	}
	if _, err := u.View(t.Context(), "own", anna); !errors.Is(err, ErrNeedsSignIn) {
		t.Errorf("mode user without a credential: %v", err)
	}
	putCredential(t, u, anna, "own", "hunter2")
	view, err = u.View(t.Context(), "own", anna)
	if got := n.who(t, view, err); got != "anna:hunter2" {
		t.Errorf("mode user: %s", got)
	}
	for what, try := range map[string]struct {
		name string
		p    oauth.Principal
		want error
	}{
		"another person":              {"own", bert, ErrNeedsSignIn},
		"the same name at the link":   {"own", oauth.Principal{Issuer: "link", Subject: "anna"}, ErrNeedsSignIn},
		"another upstream":            {"own2", anna, ErrNeedsSignIn},
		"an upstream that is none":    {"", anna, ErrUpstream},
		"a name that begins the same": {"ow", anna, ErrUpstream},
	} {
		if view, err := u.View(t.Context(), try.name, try.p); !errors.Is(err, try.want) || view != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// After a change of the secret key people sign in again.
	sealer, err := oauth.NewSealer([]byte("another key of 32 bytes in total"))
	if err != nil {
		t.Fatal(err)
	}
	u.Credentials, err = oauth.NewCredentials(t.Context(), u.IDs.DB, sealer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.View(t.Context(), "own", anna); !errors.Is(err, ErrNeedsSignIn) {
		t.Errorf("another secret key: %v", err)
	}
}

func TestPin(t *testing.T) {
	u, n := newUpstreams(t, sqldbtest.New(t))
	putCredential(t, u, anna, "own", "hunter2")
	pin := func(name string, p oauth.Principal) []byte {
		t.Helper()
		sealed, err := u.Pin(t.Context(), name, p)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	own, shared := pin("own", anna), pin("shared", anna)
	if bytes.Contains(own, []byte("hunter2")) || bytes.Contains(shared, []byte("service-secret")) {
		t.Error("not sealed")
	}
	if err := u.Credentials.DeleteAll(t.Context(), anna.Key()); err != nil { // signed out
		t.Fatal(err)
	}
	view, err := u.Pinned(t.Context(), "own", own)
	if got := n.who(t, view, err); got != "anna:hunter2" {
		t.Errorf("pinned: %s", got)
	}
	u.List[0].Service = &davbackend.Credential{Kind: "password", User: "davwopi", Secret: "changed-secret"}
	view, err = u.Pinned(t.Context(), "shared", shared)
	if got := n.who(t, view, err); got != "davwopi:changed-secret" {
		t.Errorf("pinned service: %s", got)
	}
	if _, err := u.Pin(t.Context(), "own", anna); !errors.Is(err, ErrNeedsSignIn) {
		t.Errorf("nothing to pin: %v", err)
	}
	for what, try := range map[string]struct {
		name   string
		sealed []byte
		want   error
	}{
		"for another upstream":   {"own2", own, oauth.ErrUnsealed},
		"service for a user's":   {"own", shared, oauth.ErrUnsealed},
		"nothing":                {"own", nil, oauth.ErrUnsealed},
		"changed":                {"own", append(bytes.Clone(own), 0), oauth.ErrUnsealed},
		"huge":                   {"own", make([]byte, maxPinned+1), oauth.ErrUnsealed},
		"no such upstream":       {"nas", own, ErrUpstream},
		"a credential's own row": {"own", sealedElsewhere(t, u), oauth.ErrUnsealed},
	} {
		if _, err := u.Pinned(t.Context(), try.name, try.sealed); !errors.Is(err, try.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	u.List[0].Service = nil
	if _, err := u.Pinned(t.Context(), "shared", shared); !errors.Is(err, ErrNeedsSignIn) {
		t.Errorf("the service account is gone: %v", err)
	}
	mustHide(t, u, "hunter2", "service-secret", "changed-secret")
	mustHide(t, *u, "hunter2", "service-secret", "changed-secret")
}

func sealedElsewhere(t *testing.T, u *Upstreams) []byte {
	t.Helper()
	sealed, err := u.Sealer.Seal(oauth.RowKey("credential", "own"), []byte(`{"s":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSpace(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		u, _ := newUpstreams(t, db)
		space := func(name string, p oauth.Principal) idmap.SpaceID {
			t.Helper()
			s, err := u.Space(t.Context(), name, p)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if space("shared", anna) != space("shared", bert) {
			t.Error("a shared root has two spaces")
		}
		if space("own", anna) == space("own", bert) {
			t.Error("roots per user")
		}
		if first, again := space("own", anna), space("own", anna); first != again {
			t.Error("one person has two spaces")
		}
		if space("own", anna) == space("own2", anna) || space("own", anna) == space("shared", anna) {
			t.Error("two upstreams have one space")
		}
		if _, err := u.Space(t.Context(), "nas", anna); !errors.Is(err, ErrUpstream) {
			t.Errorf("no such upstream: %v", err)
		}
	})
}
