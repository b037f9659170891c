package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/localdav"
)

// A Cloud is a server with accounts, each with files of its own: what Nextcloud,
// ownCloud and OpenCloud have in common, seen from WebDAV. There is no WebDAV at Base,
// only web pages; the files of an account are below remote.php. The Account in it is
// that of "ann".
type Cloud struct {
	*Account
	Base string // what people know as the cloud's address, with a trailing slash

	ways ways
	at   string // path of Base, no slash at its end

	mu       sync.Mutex
	accounts map[string]*Account // by sign-in name; guarded by mu
	known    string              // where /.well-known/webdav leads, "" nowhere; guarded by mu
	closed   string              // Retry-After of the 503 that everything is answered with, "" open; guarded by mu
}

// ways are what differs from one kind of cloud to the other.
type ways struct {
	principal bool // current-user-principal is told
	search    bool // SEARCH on oc:fileid
	meta      bool // the meta endpoint
	uploads   bool // chunked uploads, version 2
	numbers   bool // IDs are numbers: oc:fileid, and oc:id with the instance behind it
	short     bool // /dav is /remote.php/dav
}

// Nextcloud is a Nextcloud with files_lock at the path at ("" or "/cloud").
func Nextcloud(t testing.TB, at string) *Cloud {
	t.Helper()
	c := newCloud(t, at, "Ann Maier", ways{principal: true, search: true, uploads: true, numbers: true})
	c.Quirks.Set(func(q *Quirks) { asNextcloud(q); itself(q) })
	c.Profile = davbackend.Profile{Name: "nextcloud", Conditions: true, Form: davbackend.FormUntagged, MoveCarriesLock: true, Chunked: true}
	return c
}

// OwnCloud is an ownCloud 10: no SEARCH, but the meta endpoint.
func OwnCloud(t testing.TB, at string) *Cloud {
	t.Helper()
	c := newCloud(t, at, "ann", ways{principal: true, meta: true, numbers: true})
	c.Quirks.Set(func(q *Quirks) { q.MoveLosesLock, q.PartialWrites = true, true })
	return c
}

// OpenCloud is an OpenCloud or an oCIS: it tells no principal, takes lock tokens only
// in Lock-Token, and has IDs that are no numbers.
func OpenCloud(t testing.TB, at string) *Cloud {
	t.Helper()
	c := newCloud(t, at, "ann", ways{meta: true, short: true})
	c.Quirks.Set(func(q *Quirks) { asOpenCloud(q); itself(q) })
	c.Profile = davbackend.Profile{Name: "opencloud", InPlace: true, Form: davbackend.FormLockToken, MoveCarriesLock: true}
	return c
}

// itself leaves to the cloud what it plays itself.
func itself(q *Quirks) {
	q.NativeIDs, q.MoveTakesID = false, false
	delete(q.Refuse, "SEARCH")
}

func newCloud(t testing.TB, at, userID string, w ways) *Cloud {
	t.Helper()
	c := &Cloud{ways: w, at: at, accounts: map[string]*Account{}}
	web := httptest.NewServer(c)
	c.Base = web.URL + at + "/"
	c.known = web.URL + at + "/remote.php/dav/"
	c.Account = c.add(t, userName, userID)
	stopped := c.stopped
	t.Cleanup(func() { close(stopped); web.Close() })
	return c
}

// AddAccount gives somebody else an account with that user ID.
func (c *Cloud) AddAccount(t testing.TB, name, userID, password string) *Account {
	t.Helper()
	a := c.add(t, name, userID)
	a.User, a.Password = name, password
	a.Quirks.AddUser(name, password)
	return a
}

func (c *Cloud) add(t testing.TB, name, userID string) *Account {
	t.Helper()
	s, local := strict(t, c.at+"/remote.php/dav/files/"+userID)
	a := &Account{Server: s, UserID: userID, cloud: c, local: local, numbers: map[string]int64{},
		letters: map[string]string{}, busy: map[string]bool{}, uploads: map[string]*upload{}}
	s.discover = true
	s.inner = http.HandlerFunc(a.serveDAV)
	s.URL = strings.TrimSuffix(c.Base, c.at+"/") + (&escaped{s.prefix}).String() + "/"
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Account != nil {
		s.stopped = c.stopped
	}
	c.accounts[name] = a
	return a
}

// WellKnown sets where /.well-known/webdav leads; "" is nowhere.
func (c *Cloud) WellKnown(location string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = location
}

// Maintain closes the cloud: everything is 503 with that Retry-After and a page, until
// it is opened with "".
func (c *Cloud) Maintain(retryAfter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = retryAfter
}

// ServeHTTP is the front: pages, redirects, aliases, and the account of whoever asks.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := r.BasicAuth()
	c.mu.Lock()
	known, closed, a := c.known, c.closed, c.accounts[name]
	if a == nil {
		a = c.Account // which refuses
	}
	c.mu.Unlock()
	rest, inside := strings.CutPrefix(r.URL.Path, c.at)
	switch {
	case closed != "":
		w.Header().Set("Retry-After", closed)
		page(w, http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/webdav" && known != "":
		w.Header().Set("Location", known)
		page(w, http.StatusMovedPermanently)
	case inside && under(rest, "/remote.php/webdav"):
		a.alias(w, r, c.at+"/remote.php/webdav", a.prefix)
	case inside && under(rest, "/remote.php/dav"):
		a.handle(w, r)
	case inside && c.ways.short && under(rest, "/dav"):
		a.alias(w, r, c.at+"/dav", c.at+"/remote.php/dav")
	case r.Method == http.MethodGet:
		w.Header().Set("Location", c.Base+"login")
		page(w, http.StatusFound)
	default:
		page(w, http.StatusMethodNotAllowed)
	}
}

// under reports whether the path is top or lies below it.
func under(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html><head><title>Cloud</title></head><body>%d<br>&nbsp;</body></html>", status)
}

// An Account is one person's part of a [Cloud]: a Server over that person's files.
type Account struct {
	*Server
	UserID string // in URLs; another than the sign-in name

	cloud *Cloud
	local *localdav.Server

	mu      sync.Mutex
	numbers map[string]int64  // by resource-id; guarded by mu
	last    int64             // guarded by mu
	letters map[string]string // oc:permissions by name; guarded by mu
	busy    map[string]bool   // paths that are being written; guarded by mu
	uploads map[string]*upload
	trash   map[string]trashed // what was deleted, by its name there; nil: there is no trash; guarded by mu
	least   int64              // bytes of a chunk that is not the last; guarded by mu
	loses   bool               // an assembly takes the lock of the target away; guarded by mu
	tear    int64              // bytes after which the next assembly breaks off, 0 never; guarded by mu
}

// Allow sets what oc:permissions says of a file, by its name below Dir; "SG" is a share
// that may only be read.
func (a *Account) Allow(name, letters string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.letters[strings.Trim(name, "/")] = letters
}

// alias serves what lies below from as if it lay below to, and says from in its
// answers.
func (a *Account) alias(w http.ResponseWriter, r *http.Request, from, to string) {
	old, now := (&escaped{from}).String(), (&escaped{to}).String()
	r.URL.Path, r.URL.RawPath = to+strings.TrimPrefix(r.URL.Path, from), ""
	for _, name := range []string{"Destination", "If"} {
		if v := r.Header.Get(name); v != "" {
			r.Header.Set(name, strings.ReplaceAll(v, r.Host+old, r.Host+now))
		}
	}
	if r.Method == http.MethodGet {
		a.handle(w, r)
		return
	}
	rec := httptest.NewRecorder()
	a.handle(rec, r)
	body := strings.ReplaceAll(rec.Body.String(), now, old)
	rec.Header().Del("Content-Length")
	copyHeader(w, rec)
	w.WriteHeader(rec.Code)
	_, _ = w.Write([]byte(body)) // the client may have left
}
