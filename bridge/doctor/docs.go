package doctor

import (
	"context"
	"fmt"
	"time"

	"davwopi/bridge/words"
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
			out = append(out, finding(OK, "editor", about, words.Say("found.editor.version", "version", p.Version)))
		}
		if p.Expired {
			out = append(out, finding(Warning, "editor", about, words.Say("found.editor.licence")))
		}
		out = append(out, v.tokens(p)...)
		out = append(out, v.comes(ctx, p)...)
	}
	return append(out, v.docsClock()...)
}

// secretLines make both sides have one secret.
func (v *visit) secretLines() []Paste {
	return []Paste{{Said: words.Say("paste.onlyoffice_secret"), Text: "docker exec NAME documentserver-jwt-status.sh"}, v.secretYAML()}
}

// secretYAML gives us the document server's secret.
func (v *visit) secretYAML() Paste {
	return yaml(fmt.Sprintf("editors:\n  - url: %s\n    jwt_secret_file: /etc/davwopi/onlyoffice.secret", v.editor.URL))
}

// tokens judges whether each side accepts what the other signs.
func (v *visit) tokens(p DocsProbe) []Finding {
	about := v.editor.URL
	switch {
	case p.Down != nil:
		return []Finding{finding(Error, "jwt", about, words.Say("found.jwt.command", "why", why(p.Down)))}
	case p.Refused:
		return []Finding{finding(Error, "jwt", about, words.Say("found.jwt.refused")).with(v.secretLines()...)}
	case p.Came && p.Foreign:
		return []Finding{finding(Error, "jwt", about, words.Say("found.jwt.foreign")).
			with(append(v.secretLines(), Paste{Said: words.Say("paste.onlyoffice_header"), Text: "-e JWT_HEADER=AuthorizationJwt"})...)}
	case p.Came:
		return []Finding{finding(OK, "jwt", about, words.Say("found.jwt.both"))}
	}
	return []Finding{finding(Hint, "jwt", about, words.Say("found.jwt.ours"))}
}

// comes judges whether it reaches us, as far as that can be told.
func (v *visit) comes(ctx context.Context, p DocsProbe) []Finding {
	about, here := v.editor.URL, origin(v.d.WOPI)
	switch {
	case p.Came:
		return []Finding{finding(OK, "wopi_access", about, words.Say("found.wopi.reaches", "here", here))}
	case !p.Asked:
		return nil
	}
	list := v.private(ctx)
	if len(list) > 0 && list[0].Severity != OK {
		list[0].Severity = Error
		return list
	}
	return []Finding{finding(Error, "wopi_access", about, words.Say("found.wopi.did_not_come", "here", here)).
		with(v.d.wopiLines()...)}
}

// docsClock is clock for tokens that say until when they are good.
func (v *visit) docsClock() []Finding {
	if off := v.seen.date.Sub(v.seen.asked).Abs(); !v.seen.date.IsZero() && off > docsLife {
		return []Finding{finding(Error, "clock", v.editor.URL, words.Say("found.clock.apart", "time", off)).
			with(setClock())}
	}
	return clock(v.editor.URL, v.seen.date, v.seen.asked, false)
}
