package davbackend

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync/atomic"
)

const maxChallenge = 8 << 10 // bytes of one WWW-Authenticate value that are looked at

// A challenge is one offer of a WWW-Authenticate header that we can answer: Basic, or
// Digest (RFC 7616, and RFC 2069 without qop).
type challenge struct {
	scheme    string // "basic", "digest"
	realm     string
	nonce     string
	opaque    string
	hasOpaque bool
	algorithm string // as sent, "" none
	sum       func() hash.Hash
	session   bool // algorithm ends in -sess
	qop       bool // qop=auth is offered
	stale     bool
	cnonce    string       // ours, one for the nonce's life, as -sess wants
	count     atomic.Int64 // requests made with nonce
}

func (c *challenge) digest() bool { return c.scheme == "digest" }

// withNonce is c with another nonce and a new count.
func (c *challenge) withNonce(nonce string) *challenge {
	return &challenge{scheme: c.scheme, realm: c.realm, nonce: nonce, opaque: c.opaque, hasOpaque: c.hasOpaque,
		algorithm: c.algorithm, sum: c.sum, session: c.session, qop: c.qop, cnonce: rand.Text()}
}

// strongest returns the best challenge: SHA-512-256, SHA-256, MD5, Basic; nil if
// there is none that we know.
func strongest(all []*challenge) *challenge {
	var best *challenge
	for _, c := range all {
		if best == nil || c.rank() > best.rank() {
			best = c
		}
	}
	return best
}

func (c *challenge) rank() int {
	if !c.digest() {
		return 0
	}
	return c.sum().Size() // 16 or 32
}

// authorize computes the Authorization header for one request.
func (c *challenge) authorize(cred Credential, method, uri string) (string, error) {
	h := func(s string) string {
		d := c.sum()
		d.Write([]byte(s))
		return hex.EncodeToString(d.Sum(nil))
	}
	count := fmt.Sprintf("%08x", c.count.Add(1))
	ha1 := h(cred.User + ":" + c.realm + ":" + cred.Secret)
	if c.session {
		ha1 = h(ha1 + ":" + c.nonce + ":" + c.cnonce)
	}
	ha2 := h(method + ":" + uri)
	response := h(ha1 + ":" + c.nonce + ":" + ha2)
	if c.qop {
		response = h(strings.Join([]string{ha1, c.nonce, count, c.cnonce, "auth", ha2}, ":"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username=%s, realm=%s, nonce=%s, uri=%s, response="%s"`,
		quote(cred.User), quote(c.realm), quote(c.nonce), quote(uri), response)
	if c.algorithm != "" {
		b.WriteString(", algorithm=" + c.algorithm)
	}
	if c.hasOpaque {
		b.WriteString(", opaque=" + quote(c.opaque))
	}
	if c.qop || c.session {
		fmt.Fprintf(&b, `, cnonce="%s"`, c.cnonce)
	}
	if c.qop {
		fmt.Fprintf(&b, `, qop=auth, nc=%s`, count)
	}
	return b.String(), nil
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// parseChallenges reads WWW-Authenticate values; several challenges may stand in one
// (RFC 9110 11.6.1). What we cannot answer is left out.
func parseChallenges(values []string) []*challenge {
	var out []*challenge
	for _, value := range values {
		if len(value) > maxChallenge {
			continue
		}
		for _, offer := range splitOffers(value) {
			if c := newChallenge(offer.scheme, parseParams(offer.params)); c != nil {
				out = append(out, c)
			}
		}
	}
	return out
}

func newChallenge(scheme string, params map[string]string) *challenge {
	c := &challenge{scheme: strings.ToLower(scheme), realm: params["realm"]}
	switch c.scheme {
	case "basic":
		return c
	case "digest":
	default:
		return nil
	}
	c.nonce, c.opaque = params["nonce"], params["opaque"]
	_, c.hasOpaque = params["opaque"]
	c.stale = strings.EqualFold(params["stale"], "true")
	c.algorithm = params["algorithm"]
	c.cnonce = rand.Text()
	name, session := strings.CutSuffix(strings.ToUpper(c.algorithm), "-SESS")
	c.session = session
	switch name {
	case "", "MD5":
		c.sum = md5.New
	case "SHA-256":
		c.sum = sha256.New
	case "SHA-512-256":
		c.sum = sha512.New512_256
	default:
		return nil
	}
	offered, hasQop := params["qop"]
	for one := range strings.SplitSeq(offered, ",") {
		c.qop = c.qop || strings.EqualFold(strings.TrimSpace(one), "auth")
	}
	if hasQop && !c.qop || c.nonce == "" || !token(c.algorithm) {
		return nil // auth-int only, or nothing to answer
	}
	return c
}

func token(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

type offer struct{ scheme, params string }

// splitOffers cuts `Basic realm="x", Digest nonce="a", qop="auth"` into two: an item
// that begins with a word and a space, or is a lone word, opens a new offer.
func splitOffers(value string) []offer {
	var out []offer
	for _, item := range splitQuoted(value) {
		item = strings.TrimSpace(item)
		name, rest, _ := strings.Cut(item, " ")
		if item == "" {
			continue
		}
		if !strings.Contains(name, "=") && !strings.HasPrefix(strings.TrimSpace(rest), "=") {
			out = append(out, offer{scheme: name, params: strings.TrimSpace(rest)})
		} else if len(out) > 0 {
			out[len(out)-1].params += "," + item
		}
	}
	return out
}

// splitQuoted splits at commas outside quotes.
func splitQuoted(s string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// parseParams reads name=value pairs, names in lower case, the first one of each.
func parseParams(s string) map[string]string {
	out := make(map[string]string)
	for _, item := range splitQuoted(s) {
		name, value, ok := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := out[name]; !ok || name == "" || twice {
			continue
		}
		out[name] = unquote(strings.TrimSpace(value))
	}
	return out
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
