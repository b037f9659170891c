package oauth

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// IssuerLink is the issuer of the people who came by a sign-in link ([Links]).
const IssuerLink = "link"

// IssuerShare is the issuer of guests: people without an account who came by a link to a file or folder that
// somebody shared. Their Subject is a row per link and browser.
const IssuerShare = "share"

// A Principal is a person, as one issuer knows them. Issuer and Subject together are the person; the
// rest is what the issuer said about them at sign-in and may change. A Principal is not secret.
type Principal struct {
	Issuer  string   `json:"issuer"`  // "link", "upstream:NAME", "https://issuer", "proxy", "key:NAME", "share"
	Subject string   `json:"subject"` // the issuer's constant name for the person
	Name    string   `json:"name"`    // what other people are shown; chosen by the person in many places, so no right may rest on it
	Groups  []string `json:"groups,omitempty"`

	// Login is another name that the operator trusts to be nobody else's ([Claims]); "" none.
	Login string `json:"login,omitempty"`
	// SignIn is what the person types at sign-in, to tell accounts apart; "": Subject. No right may rest on it.
	SignIn string `json:"sign_in,omitempty"`
}

// SignInName is what tells the person's accounts apart: Bootstrap's SignInName.
func (p Principal) SignInName() string { return first(p.SignIn, p.Subject) }

// The bounds of a principal, in bytes; far above what providers send (OpenID Connect Core 1.0 section 2
// allows a subject 255 characters).
const (
	maxPrincipalText = 1024
	maxGroups        = 500
)

// Key returns the row key of the person: 52 characters [a-z2-7], a SHA-256 over issuer and subject that no
// other pair has. It is the same at every sign-in, for ever.
func (p Principal) Key() string {
	sum := sha256.Sum256([]byte(RowKey("principal", p.Issuer, p.Subject)))
	return base32Lower(sum[:])
}

// UserID returns the UserId and OwnerId of WOPI: "u" and 26 characters [a-z2-7]. It is constant over
// time, tells nothing about the person, and has none of the characters that Office trips over.
func (p Principal) UserID() string {
	sum := sha256.Sum256([]byte(RowKey("user id", p.Issuer, p.Subject)))
	return "u" + base32Lower(sum[:16])
}

// Check returns an error that wraps [ErrPrincipal] if p has no issuer or no subject, or if a text in it is
// too long, not UTF-8, or holds control characters. Whatever stores a principal checks it first.
func (p Principal) Check() error {
	if p.Issuer == "" || p.Subject == "" {
		return fmt.Errorf("%w: issuer or subject missing", ErrPrincipal)
	}
	if len(p.Groups) > maxGroups {
		return fmt.Errorf("%w: more than %d groups", ErrPrincipal, maxGroups)
	}
	for what, text := range map[string]string{
		"issuer": p.Issuer, "subject": p.Subject, "name": p.Name, "login": p.Login, "sign-in name": p.SignIn,
	} {
		if !plainText(text) {
			return fmt.Errorf("%w: bad %s", ErrPrincipal, what)
		}
	}
	for _, group := range p.Groups {
		if !plainText(group) {
			return fmt.Errorf("%w: bad group", ErrPrincipal)
		}
	}
	return nil
}

func plainText(s string) bool {
	return len(s) <= maxPrincipalText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Encode returns p as the text in which rows keep it. It fails where [Principal.Check] does.
func (p Principal) Encode() (string, error) {
	if err := p.Check(); err != nil {
		return "", err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("oauth: encode principal: %w", err)
	}
	return string(text), nil
}

// DecodePrincipal is the inverse of [Principal.Encode]. Anything else is an error that wraps [ErrPrincipal].
func DecodePrincipal(text string) (Principal, error) {
	var p Principal
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Principal{}, fmt.Errorf("%w: row not readable", ErrPrincipal)
	}
	return p, p.Check()
}
