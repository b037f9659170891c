package davbackend

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"davwopi/davbackend/dav"
)

// maxAccounts bounds how many credentials' roots are remembered.
const maxAccounts = 1000

// An account is where the files of one credential lie. It is never changed.
type account struct {
	root *url.URL // the collection that is dav.Path "/"
	own  bool     // found for this credential: others have another one, be it at the same URL
	// Of a Nextcloud, ownCloud or OpenCloud:
	dav  *url.URL // its .../remote.php/dav/; nil: another server
	user string   // user ID in its URLs, decoded; "" not known
	top  dav.Path // root, as seen from the top of the person's files
}

// accounts are the roots that are known, by credential.
type accounts struct {
	mu    sync.Mutex
	plain *account                   // guarded by mu: Base is WebDAV itself, for everybody
	known map[[32]byte]*account      // guarded by mu
	asked map[[32]byte]chan struct{} // guarded by mu: closed when whoever asks has finished
}

// key stands for a credential without showing it.
func (c Credential) key() (sum [32]byte) {
	h := sha256.New()
	for _, s := range []string{c.Kind, c.User, c.Secret} {
		_ = binary.Write(h, binary.BigEndian, int64(len(s))) // a hash does not fail
		h.Write([]byte(s))
	}
	h.Sum(sum[:0])
	return sum
}

// find returns what is known of a credential's root: found; or whom to wait for; or
// neither, and the caller must look and call keep.
func (s *accounts) find(key [32]byte) (found *account, wait <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found = s.plain; found == nil {
		found = s.known[key]
	}
	if found != nil {
		return found, nil
	}
	if busy, ok := s.asked[key]; ok {
		return nil, busy
	}
	if s.asked == nil {
		s.asked, s.known = make(map[[32]byte]chan struct{}), make(map[[32]byte]*account)
	}
	s.asked[key] = make(chan struct{})
	return nil, nil
}

// keep ends the look that find has asked for; found nil: it was in vain.
func (s *accounts) keep(key [32]byte, found *account, everybody bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.asked[key])
	delete(s.asked, key)
	switch {
	case found == nil:
	case everybody:
		s.plain = found
	default:
		for k := range s.known {
			if len(s.known) < maxAccounts {
				break
			}
			delete(s.known, k) // any: it is found again
		}
		s.known[key] = found
	}
}

// locate finds v's root, once for each credential. Only one request of a credential
// looks; the others wait for it.
func (v *View) locate(ctx context.Context) error {
	if !v.client.Discover || v.account.Load() != nil {
		return nil
	}
	s, key := &v.client.accounts, v.credential.key()
	for {
		found, wait := s.find(key)
		switch {
		case found != nil:
			v.account.Store(found)
			return nil
		case wait != nil:
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return v.client.unavailable(ctx, ctx.Err())
			}
		}
		found, everybody, err := v.discover(ctx)
		if err != nil {
			found = nil
		}
		s.keep(key, found, everybody)
		if err == nil {
			v.account.Store(found)
		}
		return err
	}
}

// OwnRoot reports whether the root that v sees is that of its account alone, as in a
// Nextcloud: the same path is another file for somebody else. It costs requests only
// at a credential's first use. Errors are those of [View.Stat].
func (v *View) OwnRoot(ctx context.Context) (bool, error) {
	if err := v.locate(ctx); err != nil {
		return false, err
	}
	a := v.account.Load()
	return a != nil && a.own, nil
}

// base is the collection that is dav.Path "/" for v.
func (v *View) base() *url.URL {
	if a := v.account.Load(); a != nil {
		return a.root
	}
	return v.client.Base
}

// url returns the absolute URL of p, with a trailing slash if slash is set.
func (v *View) url(p dav.Path, slash bool) *url.URL { return within(v.base(), p.Escaped(), slash) }

// within is the URL of escaped, a path with a slash at its beginning, below base.
func within(base *url.URL, escaped string, slash bool) *url.URL {
	raw := strings.TrimRight(base.EscapedPath(), "/") + escaped
	if slash && !strings.HasSuffix(raw, "/") {
		raw += "/"
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, RawPath: raw}
	// base was parsed once and the rest was escaped by us, so raw unescapes.
	u.Path, _ = url.PathUnescape(raw)
	return u
}

// address is where c goes.
func (v *View) address(c call) *url.URL {
	if c.at != nil {
		return c.at
	}
	return v.url(c.path, c.slash)
}

// discover finds the root below or beside Client.Base, and says whether it is that of
// everybody.
func (v *View) discover(ctx context.Context) (found *account, everybody bool, err error) {
	base := v.client.Base
	if before, after, ok := cutAt(base.EscapedPath(), "/remote.php"); ok {
		found, err = v.cloud(ctx, within(originOf(base), before+"/remote.php/dav", true), after)
		return found, false, err
	}
	err = v.isCollection(ctx, base)
	if err == nil {
		return &account{root: base, top: dav.Root}, true, nil
	}
	if saysNothing(err) {
		return nil, false, err
	}
	found, cloudErr := v.seek(ctx)
	switch {
	case cloudErr != nil:
		return nil, false, cloudErr
	case found != nil:
		return found, false, nil
	case errors.Is(err, dav.ErrDenied):
		return &account{root: base, top: dav.Root}, false, nil // perhaps something below it is open
	}
	return nil, false, err
}

// cutAt splits an escaped path at a whole segment, the front door of a Nextcloud or
// ownCloud.
func cutAt(path, door string) (before, after string, ok bool) {
	before, after, ok = strings.Cut(path+"/", door+"/")
	return before, "/" + strings.Trim(after, "/"), ok
}

func originOf(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host} }

// saysNothing reports whether err leaves open what there is: no answer, an outage, a
// refused credential. A redirect or a page do say that it is no WebDAV.
func saysNothing(err error) bool {
	if status := statusOf(err); status >= 300 && status < 400 || errors.Is(err, dav.ErrSyntax) {
		return false
	}
	return errors.Is(err, dav.ErrUnauthorized) || errors.Is(err, dav.ErrUnavailable) || errors.Is(err, dav.ErrIncomplete)
}

// cloud is the account in a cloud whose remote.php/dav/ is davURL. after is what the
// configured URL says behind remote.php, escaped.
func (v *View) cloud(ctx context.Context, davURL *url.URL, after string) (*account, error) {
	alias, isAlias := strings.CutPrefix(after+"/", "/webdav/")
	named, isNamed := strings.CutPrefix(after, "/dav/files/")
	switch {
	case isNamed:
		user, top, _ := strings.Cut(named, "/")
		a := &account{root: v.client.Base, dav: davURL}
		var err error
		if a.user, err = url.PathUnescape(user); err == nil {
			a.top, err = dav.ParseHref("/"+top, nil)
		}
		return a, err
	case isAlias:
		return v.ownFiles(ctx, davURL, strings.Trim(alias, "/"))
	case after == "/" || after == "/dav" || after == "/dav/files":
		return v.ownFiles(ctx, davURL, "")
	case strings.HasPrefix(after, "/dav/spaces/"):
		return &account{root: v.client.Base, dav: davURL, top: dav.Root}, nil
	}
	return &account{root: v.client.Base, top: dav.Root}, nil
}

// ownFiles finds the files of whoever v is, and sub, an escaped path, in them: by the
// user ID that the server tells, else by the name with which the person signs in, else
// by the address that is the same for everybody.
func (v *View) ownFiles(ctx context.Context, davURL *url.URL, sub string) (*account, error) {
	top, err := dav.ParseHref("/"+sub, nil)
	if err != nil {
		return nil, err
	}
	user, err := v.principal(ctx, davURL)
	if err != nil {
		return nil, err
	}
	var last error
	for _, name := range []string{user, v.credential.User} {
		if dav.CheckName(name) != nil {
			continue
		}
		root := within(davURL, "/files"+(dav.Root+dav.Path(name)).Escaped()+top.Escaped(), true)
		err := v.isCollection(ctx, root)
		if err == nil {
			return &account{root: root, own: true, dav: davURL, user: name, top: top}, nil
		}
		if saysNothing(err) {
			return nil, err
		}
		if last == nil {
			last = err
		}
	}
	door := strings.TrimSuffix(strings.TrimRight(davURL.EscapedPath(), "/"), "/dav")
	root := within(originOf(davURL), door+"/webdav"+top.Escaped(), true)
	err = v.isCollection(ctx, root)
	if err == nil {
		return &account{root: root, own: true, dav: davURL, top: top}, nil
	}
	if last == nil || saysNothing(err) {
		last = err
	}
	return nil, last
}

// seek looks for a cloud below Base, then where /.well-known/webdav leads. nil: there
// is none.
func (v *View) seek(ctx context.Context) (*account, error) {
	base := v.client.Base
	front, _, _ := cutAt(strings.TrimRight(base.EscapedPath(), "/"), "/index.php")
	own := within(originOf(base), strings.TrimRight(front, "/")+"/remote.php/dav", true)
	found, err := v.ownFiles(ctx, own, "")
	if err == nil || saysNothing(err) {
		return found, err
	}
	there, err := v.leads(ctx, within(originOf(base), "/.well-known/webdav", false))
	if err != nil || there == nil {
		return nil, err
	}
	before, _, ok := cutAt(there.EscapedPath(), "/remote.php")
	if !ok {
		if err = v.isCollection(ctx, there); err == nil {
			return &account{root: there, top: dav.Root}, nil
		}
	} else if other := within(originOf(base), before+"/remote.php/dav", true); other.EscapedPath() != own.EscapedPath() {
		if found, err = v.ownFiles(ctx, other, ""); err == nil {
			return found, nil
		}
	}
	if err != nil && saysNothing(err) {
		return nil, err
	}
	return nil, nil
}

// leads follows one redirect on paper: it returns the place on our own origin, nil if
// u does not redirect. The scheme of the Location is not believed, since a server
// behind a proxy may not know its own; another host is refused.
func (v *View) leads(ctx context.Context, u *url.URL) (*url.URL, error) {
	a, err := v.transmit(ctx, v.propfindAt(u, dav.PropResourceType))
	if err != nil {
		return nil, err
	}
	a.close()
	if a.status() < 300 || a.status() > 399 {
		return nil, nil
	}
	to, err := u.Parse(a.resp.Header.Get("Location"))
	if err != nil {
		return nil, nil
	}
	if !strings.EqualFold(to.Hostname(), u.Hostname()) {
		return nil, &UnavailableError{Origin: v.client.Origin(),
			Reason: "its /.well-known/webdav leads to " + to.Scheme + "://" + to.Host + ", where no password is sent; that address must be configured instead"}
	}
	return within(originOf(u), to.EscapedPath(), true), nil
}

// principal asks for the user ID, "" if the server does not tell.
func (v *View) principal(ctx context.Context, davURL *url.URL) (string, error) {
	user := ""
	c := v.propfindAt(davURL, dav.PropCurrentUserPrincipal)
	err := v.multistatus(ctx, c, func(r dav.Response) error {
		for _, ps := range r.Propstats {
			for _, e := range ps.Props {
				if ps.Status != http.StatusOK || e.Name != dav.PropCurrentUserPrincipal {
					continue
				}
				if p, err := dav.ParseHref(e.AllText(), davURL); err == nil {
					if s := p.Segments(); len(s) == 3 && s[0] == "principals" && s[1] == "users" {
						user = s[2]
					}
				}
			}
		}
		return nil
	})
	if err != nil && saysNothing(err) {
		return "", err
	}
	return user, nil
}

// isCollection returns an error if there is nothing of WebDAV at u for v.
func (v *View) isCollection(ctx context.Context, u *url.URL) error {
	n := 0
	err := v.multistatus(ctx, v.propfindAt(u, dav.PropResourceType), func(r dav.Response) error {
		if n++; r.Status >= 300 {
			return v.inner(call{method: "PROPFIND"}, r.Status)
		}
		return nil
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("davbackend: %w: PROPFIND answered with no resource", dav.ErrNotFound)
	}
	return err
}

// propfindAt is a PROPFIND of Depth 0 anywhere on the origin.
func (v *View) propfindAt(u *url.URL, props ...dav.PropName) call {
	c := newCall("PROPFIND", dav.Root).xml(dav.PropfindBody(props))
	c.at = u
	c.header.Set("Depth", dav.Depth0.String())
	return c
}

// multistatus sends c and reads the answer if it is one.
func (v *View) multistatus(ctx context.Context, c call, each func(dav.Response) error) error {
	a, err := v.transmit(ctx, c)
	if err != nil {
		return err
	}
	if a.status() != http.StatusMultiStatus && a.status() != http.StatusOK {
		return v.refused(c, a)
	}
	defer a.close()
	if err := dav.DecodeMultistatus(a.resp.Body, smallLimits, each); err != nil {
		return v.client.notDAV(err)
	}
	return nil
}
