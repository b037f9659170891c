package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"davwopi/bridge/access"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// Free space below which we warn, in bytes.
const (
	littleSpace = 1 << 30
	noSpace     = 64 << 20
)

// upstream asks the WebDAV server about its root.
func (d *Doctor) upstream(ctx context.Context, u *access.Upstream) []Finding {
	if d.Folder != "" {
		return d.folder(u)
	}
	ctx, cancel := step(ctx)
	defer cancel()
	seen := &witness{next: u.Client.Transport, now: d.now}
	if seen.next == nil {
		seen.next = davbackend.NewTransport()
	}
	client := &davbackend.Client{Base: u.Client.Base, Discover: u.Client.Discover, Transport: seen, Idle: totalLimit, Assumed: u.Client.Profile()}
	credential := davbackend.Credential{}
	if u.Service != nil {
		credential = *u.Service
	}
	root, err := client.As(credential).Stat(ctx, "/")
	a := seen.last()
	out := []Finding{d.answered(u, root, a, err)}
	if a.status != 0 {
		out = append(out, clock(u.Name, a.date, a.asked, false)...)
	}
	if err == nil && root.QuotaAvailable >= 0 {
		out = append(out, room("space", u.Name, u.DisplayName, root.QuotaAvailable))
	}
	return append(out, encryption(u))
}

// answered judges what a PROPFIND of the root gave.
func (d *Doctor) answered(u *access.Upstream, root dav.Resource, a answer, err error) Finding {
	key, name := "upstream", u.DisplayName
	own := u.Service == nil
	switch {
	case err == nil && !root.Collection:
		return finding(Error, key, u.Name, "The address of %s is that of a file, not of a folder.", name).with("davwopi.yaml", upstreamLines(u.Client.Base, ""))
	case err == nil && own:
		return finding(Warning, key, u.Name, "%s answers, but asks nobody for a password: everybody who reaches it reads it, and any sign-in here is accepted.", name)
	case err == nil:
		return finding(OK, key, u.Name, "%s answers (%s).", name, u.Client.Origin())
	case errors.Is(err, dav.ErrUnauthorized) && own:
		return finding(OK, key, u.Name, "%s answers (%s), and asks everybody for the own password.", name, u.Client.Origin())
	case errors.Is(err, dav.ErrUnauthorized):
		return finding(Error, key, u.Name, "%s refuses the account with which davwopi comes.", name).
			with("davwopi.yaml", upstreamLines(u.Client.Base, "  user: NAME\n  password_file: /path/to/a/file/with/the/password"))
	case errors.Is(err, dav.ErrDenied):
		return finding(Error, key, u.Name, "%s knows the account, but does not let it see this folder.", name)
	case a.location != nil:
		to := *a.location
		to.RawQuery, to.Fragment, to.User = "", "", nil
		return finding(Error, key, u.Name, "%s sends us on to %s. Use that address, if it is the WebDAV one.", name, clean(to.String())).
			with("davwopi.yaml", upstreamLines(&to, ""))
	case errors.Is(err, dav.ErrNotFound):
		return finding(Error, key, u.Name, "%s answers, but has no such folder: %s.", name, u.Client.Base.Path).with("davwopi.yaml", upstreamLines(u.Client.Base, "")).
			with("davwopi.yaml, if it is Nextcloud or ownCloud", upstreamLines(u.Client.Base.ResolveReference(&url.URL{Path: "/remote.php/dav/files/NAME/"}), ""))
	case a.status == 0 && strings.Contains(why(err), "authority"):
		return finding(Error, key, u.Name, "%s cannot be asked: %s.", name, why(err)).
			with("davwopi.yaml (the certificate of your own authority, or the server's own)", upstreamLines(u.Client.Base, "  ca_file: /path/to/ca.pem"))
	case a.status == 0:
		return finding(Error, key, u.Name, "%s does not answer at %s: %s.", name, u.Client.Origin(), why(err))
	}
	return finding(Error, key, u.Name, "Something answers at %s, but not as a WebDAV server does (%d). Is WebDAV switched on there, and is the path right?", u.Client.Base, a.status)
}

func upstreamLines(base *url.URL, more string) string {
	return strings.TrimRight("upstream:\n  url: "+base.String()+"\n"+more, "\n")
}

// encryption judges the way to the server.
func encryption(u *access.Upstream) Finding {
	base := u.Client.Base
	if base.Scheme == "https" || !hasNetwork(base) {
		return finding(OK, "encryption", u.Name, "Nobody can read along on the way to %s.", u.DisplayName)
	}
	to := *base
	to.Scheme = "https"
	return finding(Hint, "encryption", u.Name, "Passwords and documents travel to %s unencrypted. In a network that only you use that may be fine.", u.DisplayName).
		with("davwopi.yaml, once it speaks https", upstreamLines(&to, ""))
}

// folder looks at what the embedded server serves.
func (d *Doctor) folder(u *access.Upstream) []Finding {
	info, err := os.Stat(d.Folder)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []Finding{finding(Hint, "upstream", u.Name, "The folder %s is not there yet; davwopi makes it when it starts.", d.Folder)}
	case err != nil:
		return []Finding{finding(Error, "upstream", u.Name, "The folder %s cannot be read: %s.", d.Folder, cause(err))}
	case !info.IsDir():
		return []Finding{finding(Error, "upstream", u.Name, "%s is no folder.", d.Folder)}
	}
	out := []Finding{finding(OK, "upstream", u.Name, "The folder %s is served by davwopi itself.", d.Folder)}
	if disk, err := diskOf(d.Folder); err == nil {
		out = append(out, room("space", u.Name, d.Folder, disk.free))
	}
	return out
}

// room judges free space.
func room(key, about, where string, free int64) Finding {
	switch {
	case free < noSpace:
		return finding(Error, key, about, "There is no room left on %s (%s free): nothing can be saved.", where, size(free))
	case free < littleSpace:
		return finding(Warning, key, about, "There is little room left on %s: %s.", where, size(free))
	}
	return finding(OK, key, about, "There are %s free on %s.", size(free), where)
}

// size is a number of bytes for people.
func size(n int64) string {
	f, unit := float64(n)/(1<<20), "MB"
	if f >= 1024 {
		f, unit = f/1024, "GB"
	}
	if f >= 1024 {
		f, unit = f/1024, "TB"
	}
	if f < 10 {
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// profile says what measuring has shown.
func (d *Doctor) profile(ctx context.Context, u *access.Upstream) []Finding {
	ctx, cancel := step(ctx)
	defer cancel()
	var out []Finding
	if d.Facts != nil {
		facts, known, err := d.Facts(ctx, u.Name)
		switch {
		case err != nil:
			out = append(out, finding(Warning, "profile", u.Name, "What is known of %s could not be read: %s.", u.DisplayName, why(err)))
		case known:
			out = append(out, Words(u.DisplayName, facts, u.Client.Profile(), d.Habits)...)
		}
	}
	switch {
	case out != nil:
	case d.Facts == nil:
		out = append(out, finding(Hint, "profile", "", "What measuring %s has shown is told while davwopi runs.", u.DisplayName))
	default:
		out = append(out, unknown(u.DisplayName))
	}
	if d.Rehearsed != nil && d.Folder == "" {
		if at, wrong, err := d.Rehearsed(ctx, u.Name); err == nil {
			out = append(out, rehearsal(u.DisplayName, at, wrong))
		}
	}
	for i := range out {
		out[i].About = u.Name
	}
	return out
}
