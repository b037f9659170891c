package doctor

import (
	"context"
	"fmt"
	"time"
)

// A DocsProbe is what trying both directions with a document server has shown.
type DocsProbe struct {
	Version string // of the document server, "" it does not say
	Down    error  // it does not answer; nil: it does
	Refused bool   // it does not accept our tokens
	Expired bool   // its licence has: it opens documents for reading only
	Asked   bool   // it was told to fetch an address of ours
	Came    bool   // and has come there
	Foreign bool   // with a token that we do not accept
}

// docsLife is how long a token of the Docs API is good, on both sides.
const docsLife = 5 * time.Minute

// docs judges an editor that is spoken to by the Docs API.
func (v *visit) docs(ctx context.Context, edits, shows []string) []Finding {
	about := v.editor.URL
	out := []Finding{v.alive(ctx, edits, shows)}
	out = append(out, v.page()...)
	if v.d.Docs != nil {
		p := v.d.Docs(ctx, about)
		if plainVersion.MatchString(p.Version) {
			out = append(out, finding(OK, "editor", about, "It says that it is version %s.", p.Version))
		}
		if p.Expired {
			out = append(out, finding(Warning, "editor", about, "Its licence is not valid (any more): documents open for reading only."))
		}
		out = append(out, v.tokens(p)...)
		out = append(out, v.comes(ctx, p)...)
	}
	return append(out, v.docsClock()...)
}

// secretLines make both sides have one secret.
func (v *visit) secretLines() []string {
	return []string{
		"a terminal, for ONLYOFFICE's container: this is its secret", "docker exec NAME documentserver-jwt-status.sh",
		"davwopi.yaml", fmt.Sprintf("editors:\n  - url: %s\n    jwt_secret_file: /etc/davwopi/onlyoffice.secret", v.editor.URL),
	}
}

// tokens judges whether each side accepts what the other signs.
func (v *visit) tokens(p DocsProbe) []Finding {
	about := v.editor.URL
	switch {
	case p.Down != nil:
		return []Finding{finding(Error, "jwt", about, "Its command service does not answer: %s. A proxy in front of it must let /command and /converter pass.", why(p.Down))}
	case p.Refused:
		return []Finding{finding(Error, "jwt", about, "It does not accept what we sign: the secrets differ, or the clocks do. No document opens.").with(v.secretLines()...)}
	case p.Came && p.Foreign:
		return []Finding{finding(Error, "jwt", about, "It accepts what we sign, but shows us no token that we accept: nothing could be saved. Its secret for what it sends is another one, its tokens come in another header, or a proxy removes them.").
			with(append(v.secretLines(), "ONLYOFFICE's container, and jwt_header in davwopi.yaml", "-e JWT_HEADER=AuthorizationJwt")...)}
	case p.Came:
		return []Finding{finding(OK, "jwt", about, "It accepts what we sign, and we what it signs.")}
	}
	return []Finding{finding(Hint, "jwt", about, "It accepts what we sign. What it signs could not be seen.")}
}

// comes judges whether it reaches us, as far as that can be told.
func (v *visit) comes(ctx context.Context, p DocsProbe) []Finding {
	about, here := v.editor.URL, origin(v.d.WOPI)
	switch {
	case p.Came:
		return []Finding{finding(OK, "wopi_access", about, "It reaches us at %s.", here)}
	case !p.Asked:
		return nil
	}
	list := v.private(ctx)
	if len(list) > 0 && list[0].Severity != OK {
		list[0].Severity = Error
		return list
	}
	return []Finding{finding(Error, "wopi_access", about, "Told to fetch something at %s it did not come: a firewall, a name that leads elsewhere from its machine, or a certificate that it does not accept.", here).
		with(v.d.wopiLines()...)}
}

// docsClock is clock for tokens that say until when they are good.
func (v *visit) docsClock() []Finding {
	if off := v.seen.date.Sub(v.seen.asked).Abs(); !v.seen.date.IsZero() && off > docsLife {
		return []Finding{finding(Error, "clock", v.editor.URL, "Its clock and ours are %s apart: each takes the other's tokens for expired, so no document opens. Set both by the network.", span(off)).
			with("a terminal on the machine whose clock is wrong", "timedatectl set-ntp true")}
	}
	return clock(v.editor.URL, v.seen.date, v.seen.asked, false)
}
