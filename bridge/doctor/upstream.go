package doctor

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
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
		out = append(out, room("space", u.Name, words.Plain(u.DisplayName), root.QuotaAvailable))
	}
	return append(out, encryption(u))
}

// answered judges what a PROPFIND of the root gave.
func (d *Doctor) answered(u *access.Upstream, root dav.Resource, a answer, err error) Finding {
	key, name := "upstream", u.DisplayName
	own := u.Service == nil
	switch {
	case err == nil && !root.Collection:
		return finding(Error, key, u.Name, words.Say("found.upstream.file", "name", name)).with(yaml(upstreamLines(u.Client.Base, "")))
	case err == nil && own:
		return finding(Warning, key, u.Name, words.Say("found.upstream.open", "name", name))
	case err == nil:
		return finding(OK, key, u.Name, words.Say("found.upstream.answers", "name", name, "at", u.Client.Origin()))
	case errors.Is(err, dav.ErrUnauthorized) && own:
		return finding(OK, key, u.Name, words.Say("found.upstream.asks", "name", name, "at", u.Client.Origin()))
	case errors.Is(err, dav.ErrUnauthorized):
		return finding(Error, key, u.Name, words.Say("found.upstream.refuses", "name", name)).
			with(yaml(upstreamLines(u.Client.Base, "  user: NAME\n  password_file: /path/to/a/file/with/the/password")))
	case errors.Is(err, dav.ErrDenied):
		return finding(Error, key, u.Name, words.Say("found.upstream.denies", "name", name))
	case a.location != nil:
		to := *a.location
		to.RawQuery, to.Fragment, to.User = "", "", nil
		return finding(Error, key, u.Name, words.Say("found.upstream.sent_on", "name", name, "to", clean(to.String()))).
			with(yaml(upstreamLines(&to, "")))
	case errors.Is(err, dav.ErrNotFound):
		return finding(Error, key, u.Name, words.Say("found.upstream.no_folder", "name", name, "path", u.Client.Base.Path)).with(yaml(upstreamLines(u.Client.Base, ""))).
			with(Paste{Said: words.Say("paste.yaml_cloud"), Text: upstreamLines(u.Client.Base.ResolveReference(&url.URL{Path: "/remote.php/dav/files/NAME/"}), "")})
	case a.status == 0 && words.Untrusted(err):
		return finding(Error, key, u.Name, words.Say("found.upstream.untrusted", "name", name, "why", why(err))).
			with(Paste{Said: words.Say("paste.yaml_authority"), Text: upstreamLines(u.Client.Base, "  ca_file: /path/to/ca.pem")})
	case a.status == 0:
		return finding(Error, key, u.Name, words.Say("found.upstream.silent", "name", name, "at", u.Client.Origin(), "why", why(err)))
	}
	return finding(Error, key, u.Name, words.Say("found.upstream.not_dav", "at", u.Client.Base.String(), "status", a.status))
}

func upstreamLines(base *url.URL, more string) string {
	return strings.TrimRight("upstream:\n  url: "+base.String()+"\n"+more, "\n")
}

// encryption judges the way to the server.
func encryption(u *access.Upstream) Finding {
	base := u.Client.Base
	if base.Scheme == "https" || !hasNetwork(base) {
		return finding(OK, "encryption", u.Name, words.Say("found.encryption.fine", "name", u.DisplayName))
	}
	to := *base
	to.Scheme = "https"
	return finding(Hint, "encryption", u.Name, words.Say("found.encryption.none", "name", u.DisplayName)).
		with(Paste{Said: words.Say("paste.yaml_https"), Text: upstreamLines(&to, "")})
}

// folder looks at what the embedded server serves.
func (d *Doctor) folder(u *access.Upstream) []Finding {
	info, err := os.Stat(d.Folder)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []Finding{finding(Hint, "upstream", u.Name, words.Say("found.folder.not_yet", "folder", d.Folder))}
	case err != nil:
		return []Finding{finding(Error, "upstream", u.Name, words.Say("found.folder.unreadable", "folder", d.Folder, "why", cause(err)))}
	case !info.IsDir():
		return []Finding{finding(Error, "upstream", u.Name, words.Say("found.folder.no_folder", "folder", d.Folder))}
	}
	out := []Finding{finding(OK, "upstream", u.Name, words.Say("found.folder.served", "folder", d.Folder))}
	if disk, err := diskOf(d.Folder); err == nil {
		out = append(out, room("space", u.Name, words.Plain(d.Folder), disk.free))
	}
	return out
}

// room judges free space.
func room(key, about string, where words.Text, free int64) Finding {
	switch {
	case free < noSpace:
		return finding(Error, key, about, words.Say("found.room.none", "where", where, "free", words.Size(free)))
	case free < littleSpace:
		return finding(Warning, key, about, words.Say("found.room.little", "where", where, "free", words.Size(free)))
	}
	return finding(OK, key, about, words.Say("found.room.fine", "free", words.Size(free), "where", where))
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
			out = append(out, finding(Warning, "profile", u.Name, words.Say("found.profile.unreadable", "name", u.DisplayName, "why", why(err))))
		case known:
			out = append(out, Words(u.DisplayName, facts, u.Client.Profile(), d.Habits)...)
		}
	}
	switch {
	case out != nil:
	case d.Facts == nil:
		out = append(out, finding(Hint, "profile", "", words.Say("found.profile.later", "name", u.DisplayName)))
	default:
		out = append(out, unknown(u.DisplayName, userFlag(u)))
	}
	if d.Rehearsed != nil && d.Folder == "" {
		if at, wrong, err := d.Rehearsed(ctx, u.Name); err == nil {
			out = append(out, rehearsal(u.DisplayName, userFlag(u), at, wrong))
		}
	}
	for i := range out {
		out[i].About = u.Name
	}
	return out
}
