package davbackend

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"davwopi/davbackend/dav"
)

// defaultIdle is the progress limit of a Client that sets none.
const defaultIdle = 60 * time.Second

// A Client is one upstream. All exported fields are set before use; it must not be
// copied. Safe for concurrent use.
type Client struct {
	// Base is the collection that is dav.Path "/": an http or https URL. A user name
	// in it is not used.
	Base *url.URL
	// Discover looks for that collection where Base is only the address of a Nextcloud,
	// ownCloud or OpenCloud, whose accounts have a root each: once for each credential,
	// on its first use. Where Base is WebDAV itself this costs one PROPFIND in all.
	Discover bool
	// Transport carries the requests; nil: a default with limits on dialing, TLS
	// handshake and idle connections. It must not follow redirects or add credentials.
	Transport http.RoundTripper
	// Idle is the progress limit: no byte in either direction for so long ends a
	// request with dav.ErrUnavailable. 0: 60 s. There is no limit on the whole. A request
	// waits ten times as long for one of the connections that Transport allows.
	Idle time.Duration
	// Stamp is the dead property by which davwopi knows a file again; it is asked for with
	// each resource where the profile says that it is kept. Zero: none.
	Stamp dav.PropName
	// Local is the upstream's folder where it is mounted on this host; nil: it is not.
	Local *Local
	// Observe hears of every request that was sent: its method, the status of the answer (0: none came), and
	// the time until the answer began. Called from many goroutines; nil: nobody listens.
	Observe func(method string, status int, took time.Duration)
	// Join lets equal questions of [View.Joining] at the same time be one request. Not to be
	// set where other bridges write to this upstream, too: of their writes it does not know.
	Join bool
	// Assumed is what this upstream is taken to do until [Client.Learn] says better.
	// The zero Profile is the careful one.
	Assumed Profile

	learned  atomic.Pointer[Profile]
	auth     authState
	accounts accounts
	byID     atomic.Int32 // a lookup: how this upstream finds a file by its ID
	used     atomic.Int64 // when something was last asked, nanoseconds
	silent   atomic.Int64 // since when nothing was answered, nanoseconds; 0: the last request was
	flights  flights
	writes   atomic.Int64  // requests that may have changed something, and have ended
	stale    bool          // a test sets it to join also what was asked before a write
	joinFor  time.Duration // a test sets it; 0: joinFor
	once     sync.Once
	own      *http.Transport // guarded by once
}

// A Profile says what an upstream really does.
type Profile struct {
	Name                string
	InPlace             bool     // PUT over a file replaces it atomically: save in place; else temp + MOVE
	Conditions          bool     // ETag conditions (If-Match, ETag in If) are honoured
	IfNoneMatch         bool     // If-None-Match: * is honoured on PUT
	OverwriteF          bool     // MOVE and COPY with Overwrite: F never replace anything
	Form                LockForm // how a lock token is shown
	MoveKeepsTargetLock bool     // MOVE onto a locked file keeps the target's lock
	MoveCarriesLock     bool     // a lock travels with the moved file
	Stamps              bool     // dead properties are kept and read back, and there is no better ID of a file
	Privileges          bool     // current-user-privilege-set is there and does not deny what works
	ReadOnly            bool     // nothing can be written by anybody who comes as we do
	Chunked             bool     // [Upload]s are known, and a PUT over a file is not atomic: save by those (Nextcloud)
}

// A LockForm is the header in which an upstream wants to see a lock token.
type LockForm int

// MOVE and COPY always use FormTagged unless it is FormLockToken, since they are about
// two resources.
const (
	FormTagged    LockForm = iota // If: <absolute URL> (<token>)
	FormUntagged                  // If: (<token>)
	FormLockToken                 // Lock-Token: <token>, and If-Match for an ETag (OpenCloud)
)

// Profiles that are known without probing.
var (
	Embedded = Profile{Name: "embedded", InPlace: true, Conditions: true, IfNoneMatch: true, OverwriteF: true, Form: FormTagged, MoveKeepsTargetLock: true}
	Unknown  = Profile{Name: "unknown", Form: FormUntagged} // temp + MOVE; lock, stat, write
)

// A View is the upstream as one credential sees it. Safe for concurrent use.
type View struct {
	client     *Client
	credential Credential
	account    atomic.Pointer[account] // nil: not looked for

	renew   func(ctx context.Context, refused string) (string, error) // nil: a bearer token is what it is
	renewed atomic.Pointer[string]                                    // the bearer token that renew gave; nil: none yet
}

// As returns the upstream as cred sees it. It costs nothing.
func (c *Client) As(cred Credential) *View { return &View{client: c, credential: cred} }

// Renewing lets v ask renew for another bearer token when the upstream answers 401: once for each request, which is
// then sent again. renew is told the token that was refused, and is called from many goroutines; its error leaves the
// 401 as it is. It must be called before v is used; it returns v.
func (v *View) Renewing(renew func(ctx context.Context, refused string) (string, error)) *View {
	v.renew = renew
	return v
}

// Client returns the upstream that v looks at.
func (v *View) Client() *Client { return v.client }

// Profile is what this upstream is known to do by now. It may change between two
// calls, once, when the upstream has been measured.
func (c *Client) Profile() Profile {
	if p := c.learned.Load(); p != nil {
		return *p
	}
	return c.Assumed
}

// Learn makes p what this upstream is known to do.
func (c *Client) Learn(p Profile) { c.learned.Store(&p) }

// Origin returns scheme and host of the upstream, for people.
func (c *Client) Origin() string { return c.Base.Scheme + "://" + c.Base.Host }

// Used is when the upstream was last asked for anything but OPTIONS, which wakes no
// disk; zero if it never was.
func (c *Client) Used() time.Time {
	if ns := c.used.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// CloseIdle closes connections that no request uses, of the default Transport.
func (c *Client) CloseIdle() {
	if t, ok := c.transport().(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// IdleLimit is the progress limit of this client's requests.
func (c *Client) IdleLimit() time.Duration { return c.idle() }

func (c *Client) idle() time.Duration {
	if c.Idle > 0 {
		return c.Idle
	}
	return defaultIdle
}

func (c *Client) transport() http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	c.once.Do(func() { c.own = NewTransport() })
	return c.own
}

// NewTransport returns the transport that a Client uses by default, for callers that
// want to set its TLSClientConfig.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        4 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// A Credential is what the upstream is shown. Its String hides the secret.
type Credential struct {
	Kind   string // "" none, "password" (Basic or Digest, as the upstream asks), "bearer"
	User   string // of "password"
	Secret string // password or bearer token
}

// String names the kind and the user, never the secret.
func (c Credential) String() string {
	switch c.Kind {
	case "":
		return "no credential"
	case "password":
		return fmt.Sprintf("password of %q", c.User)
	}
	return c.Kind + " credential"
}

// GoString is String, so that %#v hides the secret too.
func (c Credential) GoString() string { return c.String() }
