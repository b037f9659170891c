package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"davwopi/davbackend/dav"
)

// statProps returns what Stat asks for, listProps what List asks for: lockdiscovery
// and privileges are left out there, since servers look them up one by one.
func (v *View) statProps(extra ...dav.PropName) []dav.PropName {
	props := append(v.listProps(), dav.PropLockDiscovery, dav.PropQuotaAvailable)
	if v.client.Profile().Privileges {
		props = append(props, dav.PropPrivileges)
	}
	return append(props, extra...)
}

// MayWrite reports whether the upstream lets this person write the contents of what was
// seen, as far as it says: of the resource, or of everything.
func (v *View) MayWrite(seen dav.Resource) bool {
	return !v.client.Profile().ReadOnly && seen.MayWrite()
}

func (v *View) listProps() []dav.PropName {
	props := []dav.PropName{dav.PropResourceType, dav.PropContentLength, dav.PropETag, dav.PropLastModified,
		dav.PropContentType, dav.PropDisplayName, dav.PropResourceID, dav.PropOCID, dav.PropOCFileID, dav.PropOCPermissions}
	if v.client.stamps() {
		props = append(props, v.client.Stamp)
	}
	return props
}

// Stat asks about one resource (PROPFIND, Depth 0): all fields of [dav.Resource], and
// extra properties into its Props. It returns [dav.ErrNotFound] if there is nothing
// at p, [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrUnavailable].
//
// Where Apache has a lock on a name and no file, because that was moved on the disk, it
// is ErrNotFound, too; the Resource then has the locks, and nothing else that is true.
func (v *View) Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	stamps := v.client.stamps()
	c, a, err := v.propfind(ctx, p, p.IsRoot(), dav.Depth0, v.statProps(extra...))
	if err != nil {
		return dav.Resource{}, err
	}
	defer a.close()
	var found *dav.Response
	matched := false
	limits := dav.Limits{Bytes: 64 << 20}
	err = dav.DecodeMultistatus(a.resp.Body, limits, func(r dav.Response) error {
		// Most answers have one response; a server that ignores Depth has many.
		same := false
		if len(r.Hrefs) > 0 {
			q, err := dav.ParseHref(r.Hrefs[0], v.base())
			same = err == nil && q == p
		}
		if found == nil || same && !matched {
			found, matched = &r, same
		}
		return nil
	})
	if err != nil {
		return dav.Resource{}, v.client.notDAV(err)
	}
	if found == nil {
		return dav.Resource{}, fmt.Errorf("davbackend: %w: PROPFIND answered with no resource", dav.ErrNotFound)
	}
	if found.Status >= 300 {
		return dav.Resource{}, v.inner(c, found.Status)
	}
	res := found.At(p)
	v.readStamp(&res, stamps)
	if onlyLocked(res) {
		return res, fmt.Errorf("davbackend: %w: the name is locked, and there is no file", dav.ErrNotFound)
	}
	v.client.Local.fill(&res)
	return res, nil
}

// onlyLocked reports whether res is what RFC 2518 7.4 called a lock-null resource: a
// locked name without a file.
func onlyLocked(res dav.Resource) bool {
	return !res.Collection && len(res.Locks) > 0 && res.Size < 0 && res.ETag == "" && res.Modified.IsZero()
}

// inner is the error for a status inside a multistatus.
func (v *View) inner(c call, status int) error {
	said := &StatusError{Method: c.method, Status: status}
	kind := kindOf(c.method, status, c.hadETag)
	if kind == dav.ErrUnavailable {
		return &UnavailableError{Origin: v.client.Origin(), Reason: said.Error(), Err: said}
	}
	return fmt.Errorf("davbackend: %w: %w", kind, said)
}

// List asks for the children of the collection at p (PROPFIND, Depth 1) and calls
// each for every one as it arrives. Locks and quota are not asked for. Children whose
// names cannot be a [dav.Path] are left out, as is all that is not directly below p.
// An error of each ends the listing and is returned as it is. List returns
// [dav.ErrNotFound], [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrUnsupported] if p
// is no collection, [dav.ErrIncomplete] or [dav.ErrUnavailable] if the answer breaks
// off; each may have been called before any of these.
func (v *View) List(ctx context.Context, p dav.Path, each func(dav.Resource) error) error {
	stamps := v.client.stamps()
	c, a, err := v.propfind(ctx, p, true, dav.Depth1, v.listProps())
	if err != nil {
		return err
	}
	defer a.close()
	disk := v.client.Local.view(p)
	defer disk.close()
	l := listing{base: v.base(), asked: p, named: p, each: func(res dav.Resource) error {
		v.readStamp(&res, stamps)
		disk.fill(&res)
		return each(res)
	}}
	err = dav.DecodeMultistatus(a.resp.Body, dav.Limits{}, func(r dav.Response) error { return l.take(v, c, r) })
	if l.stopped {
		return err
	}
	if err != nil {
		return v.client.notDAV(err)
	}
	disk.judge()
	return nil
}

// A listing sorts out the responses to one Depth 1 PROPFIND.
type listing struct {
	base    *url.URL
	asked   dav.Path
	named   dav.Path // asked, as the server spells it (another Unicode form, another case)
	each    func(dav.Resource) error
	stopped bool // each said so, or the collection itself is refused
}

func (l *listing) take(v *View, c call, r dav.Response) error {
	res, err := r.Resource(l.base)
	if err != nil {
		return nil // a name that we cannot hold must not hide its neighbours
	}
	depth, own := len(res.Path.Segments()), len(l.asked.Segments())
	switch {
	case depth == own:
		if res.Path == l.asked || l.named == l.asked && strings.HasSuffix(r.Hrefs[0], "/") {
			l.named = res.Path
			return l.self(v, c, r, res)
		}
		return nil
	case depth != own+1 || r.Status >= 300:
		return nil
	}
	if parent := res.Path.Parent(); parent != l.asked && parent != l.named {
		return nil
	}
	if res.Path, err = l.asked.Join(res.Path.Base()); err != nil {
		return nil
	}
	if err := l.each(res); err != nil {
		l.stopped = true
		return err
	}
	return nil
}

func (l *listing) self(v *View, c call, r dav.Response, res dav.Resource) error {
	if r.Status >= 300 {
		l.stopped = true
		return v.inner(c, r.Status)
	}
	if !res.Collection && len(r.Propstats) > 0 {
		l.stopped = true
		return fmt.Errorf("davbackend: %w: not a collection", dav.ErrUnsupported)
	}
	return nil
}

// propfind sends a PROPFIND and returns the answer if it is a multistatus: 207, or
// 200 as some servers say. A redirect to the same path with a slash is followed once.
func (v *View) propfind(ctx context.Context, p dav.Path, slash bool, depth dav.Depth, props []dav.PropName) (call, *answer, error) {
	c := newCall("PROPFIND", p).xml(dav.PropfindBody(props))
	c.slash = slash
	c.header.Set("Depth", depth.String())
	a, err := v.send(ctx, c)
	if err == nil && !c.slash && v.redirectsToSlash(a, p) {
		a.close()
		c.slash = true
		a, err = v.send(ctx, c)
	}
	if err != nil {
		return c, nil, err
	}
	if a.status() != http.StatusMultiStatus && a.status() != http.StatusOK {
		return c, nil, v.refused(c, a)
	}
	return c, a, nil
}

// redirectsToSlash reports whether the answer sends us to p with a slash. Only the
// path of Location is looked at and the next request goes to our own origin: a server
// behind a proxy may not know its scheme, and no credential may follow a redirect.
func (v *View) redirectsToSlash(a *answer, p dav.Path) bool {
	switch a.status() {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	location := a.resp.Header.Get("Location")
	path, _, _ := strings.Cut(location, "?")
	if !strings.HasSuffix(path, "/") {
		return false
	}
	q, err := dav.ParseHref(location, v.base())
	return err == nil && q == p
}

// asCollection runs f without a trailing slash and, if the upstream refuses that for
// a collection (Apache 301, lighttpd 308, nginx 400 or 409), once more with it.
func (v *View) asCollection(ctx context.Context, p dav.Path, f func(slash bool) error) error {
	err := f(p.IsRoot())
	if err == nil || p.IsRoot() {
		return err
	}
	switch status := statusOf(err); {
	case status >= 300 && status < 400, status == http.StatusBadRequest, status == http.StatusConflict:
	default:
		return err
	}
	res, statErr := v.Stat(ctx, p)
	if errors.Is(statErr, dav.ErrNotFound) {
		return statErr
	}
	if statErr != nil || !res.Collection {
		return err
	}
	return f(true)
}
