package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/words"
	"davwopi/davbackend/profile"
)

// Bounds of an examination. A step is one request, or one look at the disk.
const (
	stepLimit  = 5 * time.Second
	totalLimit = 20 * time.Second
)

// A Doctor examines one house. All fields are set before use; those that may be nil
// or zero say so. Safe for concurrent use.
type Doctor struct {
	Public         *url.URL       // where browsers reach us
	WOPI           *url.URL       // where editors reach us
	Listen         string         // host:port on which we listen, for reverse proxies
	TrustedProxies []netip.Prefix // whose X-Forwarded headers are believed
	Running        bool           // this process serves Public: what goes out can come back
	Version        string

	Upstreams []*access.Upstream
	Folder    string // folder of the embedded server; "" none
	Habits    Habits
	Editors   []discovery.Editor // those that are configured, without the built-in one
	Signed    func() []string    // URLs of editors that have ever published proof keys; nil: not known
	State     string             // state directory
	SignIn    *SignIn            // nil: people sign in another way

	// Facts returns what measuring an upstream has shown, and false if it was not
	// measured yet. Nil: nothing is known.
	Facts func(ctx context.Context, upstream string) (profile.Facts, bool, error)
	// Rehearsed returns when a whole editing was last played through on an upstream, and
	// how much of it went wrong; the zero time: never. Nil: nobody knows.
	Rehearsed func(ctx context.Context, upstream string) (at time.Time, wrong int, err error)

	// Docs tries a document server of ONLYOFFICE by its Docs API; it bounds itself. Nil: that
	// API is not spoken.
	Docs func(ctx context.Context, editorURL string) DocsProbe

	HTTP http.RoundTripper // how editors and our own addresses are asked; nil: http.DefaultTransport
	Now  func() time.Time  // nil: time.Now

	once  sync.Once
	turn  chan struct{} // holds one while an examination is under way
	hello greetings
}

// Habits are what the configuration says of lock files.
type Habits struct {
	Announce bool // locks.announce_locks
	Respect  bool // locks.respect_lock_files
}

// A check is one direction to try.
type check struct {
	name, about string // of the finding if it does not end
	run         func(context.Context) []Finding
}

// Examine tries everything and reports. It ends within [totalLimit] and waits for its
// turn if another one is under way; then, and only then, it returns ctx's error.
func (d *Doctor) Examine(ctx context.Context) (Report, error) {
	d.once.Do(func() { d.turn = make(chan struct{}, 1) })
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return Report{}, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, totalLimit)
	defer cancel()
	r := Report{At: d.now().UTC().Truncate(time.Second), Version: d.Version, Running: d.Running}
	r.Findings = sorted(all(ctx, d.checks()))
	return r, nil
}

// Unmeasured is the finding for an upstream whose measuring failed; name is what people
// call it.
func Unmeasured(upstream, name string, err error) Finding {
	if errors.Is(err, access.ErrNeedsSignIn) {
		return finding(Warning, "profile", upstream, words.Say("found.profile.whose", "name", name)).
			with(terminal("davwopi doctor -probe -user NAME"))
	}
	return finding(Warning, "profile", upstream, words.Say("found.profile.failed", "name", name, "why", why(err)))
}

func (d *Doctor) checks() []check {
	list := []check{{"daemon", "", d.daemon}, {"state", d.State, d.state}, {"cookie", "", d.cookie}, {"editors", "", d.anyEditor}}
	for _, u := range d.Upstreams {
		list = append(list, check{"upstream", u.Name, func(ctx context.Context) []Finding { return d.upstream(ctx, u) }},
			check{"profile", u.Name, func(ctx context.Context) []Finding { return d.profile(ctx, u) }})
	}
	for _, e := range d.Editors {
		list = append(list, check{"editor", e.URL, func(ctx context.Context) []Finding { return d.editor(ctx, e) }})
	}
	if d.SignIn != nil {
		list = append(list, check{"sign_in", d.SignIn.Issuer, d.provider})
	}
	if d.Running {
		list = append(list, check{"public_url", d.Public.String(), d.front})
	}
	return list
}

// all runs checks at once and returns their findings in the order of the checks. One
// that has not ended when ctx does is said to be so, and its outcome is lost.
func all(ctx context.Context, checks []check) []Finding {
	results := make([]chan []Finding, len(checks))
	for i, c := range checks {
		done := make(chan []Finding, 1)
		results[i] = done
		go func() { done <- c.run(ctx) }()
	}
	var out []Finding
	for i, c := range checks {
		select {
		case found := <-results[i]:
			out = append(out, found...)
		case <-ctx.Done():
			select {
			case found := <-results[i]:
				out = append(out, found...)
			default:
				out = append(out, finding(Error, c.name, c.about, words.Say("found.too_slow", "seconds", int(totalLimit.Seconds()))))
			}
		}
	}
	return out
}

// step bounds one step of a check.
func step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, stepLimit)
}

func (d *Doctor) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

func (d *Doctor) daemon(context.Context) []Finding {
	if d.Running {
		return []Finding{finding(OK, "daemon", "", words.Say("found.daemon.runs", "version", d.Version))}
	}
	return []Finding{finding(Error, "daemon", "", words.Say("found.daemon.down")).
		with(Paste{Said: words.Say("paste.services"), Text: "davwopi serve"})}
}

func (d *Doctor) anyEditor(context.Context) []Finding {
	if len(d.Editors) > 0 {
		return nil
	}
	return []Finding{finding(Hint, "editors", "", words.Say("found.editors.none")).
		with(yaml(anEditor))}
}

// hasNetwork tells whether a URL leaves this machine.
func hasNetwork(u *url.URL) bool { return !isLoopback(u.Hostname()) }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// origin is scheme and host of a URL, as browsers compare them.
func origin(u *url.URL) string { return fmt.Sprintf("%s://%s", u.Scheme, u.Host) }
