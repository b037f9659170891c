package facade

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// The bounds of an authorization request, in bytes.
const (
	maxParameter = 512
	maxState     = 1024
	maxSealed    = 1900 // of the request as an address of ours holds it: pages take 2,048
)

// A Request is an authorization request of a known program with a redirect URI of its own.
type Request struct {
	Client   string `json:"c"`
	Redirect string `json:"r"`
	Implied  bool   `json:"i,omitempty"` // Redirect is the app's own: the request named none
	State    string `json:"s,omitempty"` // given back unchanged
	Action   string `json:"a,omitempty"` // app-to-app: given back unchanged, so as it was encoded
	Language string `json:"l,omitempty"` // a BCP 47 tag, "" not told
	Platform string `json:"p,omitempty"` // "iOS", "Android"...
	App      string `json:"n,omitempty"` // "word"
	User     string `json:"u,omitempty"` // WOPI's UserId of whom the app has in mind, "" not told
	Expires  int64  `json:"e"`           // ms since epoch

	Challenge string `json:"h,omitempty"` // PKCE, S256 (RFC 7636)
}

// Begin reads the query of an authorization request and seals it into a text that an address can hold: the pages hand it
// back with [Facade.Open]. Names of parameters are taken in any case, as samples of Microsoft's have them. A request that
// Office hands to another app names no redirect URI: it goes back to the Office app that it names (reference 15.7), if the
// program has that redirect URI.
//
// An error that wraps [ErrClient] or, without a Redirect in the request, [ErrRequest] is shown on a page of ours. With
// a Redirect the program is told, by [Request.Fail] with "invalid_request" or "unsupported_response_type".
func (f *Facade) Begin(ctx context.Context, query string) (r Request, sealed string, err error) {
	values, _ := url.ParseQuery(query) // what cannot be read is as if it were not there: apps send what nobody expects
	q, err := once(values)
	if err != nil {
		return Request{}, "", err
	}
	redirect, told := q["redirect_uri"]
	if app := strings.ToLower(q["app"]); !told && app != "" {
		redirect = "ms-" + app + "-tp:"
	}
	client, ok := f.client(q["client_id"])
	if !ok || !slices.Contains(client.Redirects, redirect) {
		return Request{}, "", ErrClient
	}
	r = Request{
		Client: client.ID, Redirect: redirect, Implied: !told, State: q["state"], Action: rawOf(query, "action"), Language: language(q["rs"]),
		Platform: word(q["platform"]), App: word(q["app"]), User: word(q["userid"]), Challenge: q["code_challenge"],
	}
	switch {
	case q["response_type"] != "code":
		return r, "", fmt.Errorf("%w: response_type is not code", ErrRequest)
	case r.Challenge != "" && q["code_challenge_method"] != "S256",
		r.Challenge != "" && len(r.Challenge) != 43, r.Challenge == "" && q["code_challenge_method"] != "":
		return r, "", fmt.Errorf("%w: PKCE other than S256", ErrRequest)
	}
	now, err := f.db.Now(ctx)
	if err != nil {
		return Request{}, "", fmt.Errorf("facade: begin: %w", err)
	}
	r.Expires = sqldb.Millis(now.Add(requestTTL))
	plain, err := json.Marshal(r)
	if err != nil {
		return Request{}, "", fmt.Errorf("facade: begin: %w", err)
	}
	blob, err := f.sealer.Seal(requestAAD, plain)
	if err != nil {
		return Request{}, "", fmt.Errorf("facade: begin: %w", err)
	}
	if sealed = base64.RawURLEncoding.EncodeToString(blob); len(sealed) > maxSealed {
		return r, "", fmt.Errorf("%w: too long in all", ErrRequest)
	}
	return r, sealed, nil
}

const requestAAD = "facade request 1"

// once is a query with lower-case names; a parameter that comes twice, or is too long, is refused (RFC 6749 section 3.1).
func once(query url.Values) (map[string]string, error) {
	q := make(map[string]string, len(query))
	for name, values := range query {
		name = strings.ToLower(name)
		limit := maxParameter
		if name == "state" {
			limit = maxState
		}
		if _, twice := q[name]; twice || len(values) != 1 {
			return nil, fmt.Errorf("%w: %q comes twice", ErrRequest, name[:min(len(name), 40)])
		}
		if len(values[0]) > limit {
			return nil, fmt.Errorf("%w: %q is too long", ErrRequest, name[:min(len(name), 40)])
		}
		q[name] = values[0]
	}
	return q, nil
}

// rawOf is a parameter of a query as it was encoded, "" if it is not there, or holds what an address cannot hold.
func rawOf(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(key, name) || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '#' || r == '<' || r == '>' }) {
			continue
		}
		return value
	}
	return ""
}

// word is a short word of a phone, "" if it is none.
func word(s string) string {
	if len(s) > 40 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) {
		return ""
	}
	return s
}

// language is what rs says, as a language tag: Office writes "en-US" and also "enUS".
func language(rs string) string {
	rs = word(rs)
	if len(rs) == 4 && !strings.Contains(rs, "-") {
		rs = rs[:2] + "-" + rs[2:]
	}
	return rs
}

// Open reads what Begin has sealed. The error wraps [ErrOver] if it is ten minutes old or not ours, and [ErrClient] if the
// program is no longer configured so.
func (f *Facade) Open(ctx context.Context, sealed string) (Request, error) {
	var r Request
	blob, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return Request{}, ErrOver
	}
	plain, err := f.sealer.Open(requestAAD, blob)
	if err != nil || json.Unmarshal(plain, &r) != nil {
		return Request{}, ErrOver
	}
	now, err := f.db.Now(ctx)
	if err != nil {
		return Request{}, fmt.Errorf("facade: open: %w", err)
	}
	if sqldb.Millis(now) >= r.Expires {
		return Request{}, ErrOver
	}
	if c, ok := f.client(r.Client); !ok || !slices.Contains(c.Redirects, r.Redirect) {
		return Request{}, ErrClient
	}
	return r, nil
}

// ClientName is what people call the program of r.
func (f *Facade) ClientName(r Request) string {
	c, _ := f.client(r.Client)
	if c.Name != "" {
		return c.Name
	}
	return "Microsoft Office"
}

// Consented reports whether this person has said yes to this program on this kind of phone before.
func (f *Facade) Consented(ctx context.Context, p oauth.Principal, r Request) (bool, error) {
	var n int
	err := f.db.Read().QueryRow(ctx, `SELECT COUNT(*) FROM facade_consent WHERE principal_key = ? AND client = ? AND platform = ?`,
		p.Key(), r.Client, r.Platform).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("facade: consent: %w", err)
	}
	return n > 0, nil
}

// Allow notes that the person says yes, and returns where the browser goes with a code for the program: a family of
// tokens begins.
func (f *Facade) Allow(ctx context.Context, p oauth.Principal, r Request) (redirect string, err error) {
	now, err := f.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("facade: allow: %w", err)
	}
	return f.begin(ctx, p, r, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO facade_consent (principal_key, client, platform, given) VALUES (?, ?, ?, ?)
			ON CONFLICT (principal_key, client, platform) DO UPDATE SET given = excluded.given`, p.Key(), r.Client, r.Platform, sqldb.Millis(now))
		return err
	})
}

// Rehearse is Allow for whoever runs the server, who tries the way of a phone: nobody has said yes, and nothing is
// remembered.
func (f *Facade) Rehearse(ctx context.Context, p oauth.Principal, r Request) (redirect string, err error) {
	return f.begin(ctx, p, r, func(sqldb.Queryer) error { return nil })
}

// begin begins a family of tokens with a code. first is done in the same transaction.
func (f *Facade) begin(ctx context.Context, p oauth.Principal, r Request, first func(sqldb.Queryer) error) (redirect string, err error) {
	text, err := p.Encode()
	if err != nil {
		return "", err
	}
	now, err := f.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("facade: allow: %w", err)
	}
	code, family, ms := oauth.NewOpaque(CodePrefix), oauth.NewID(), sqldb.Millis(now)
	err = f.write(ctx, "allow", func(tx sqldb.Queryer) error {
		if err := first(tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO facade_family (id, client, principal, principal_key, started, alive, revoked) VALUES (?, ?, ?, ?, ?, ?, 0)`,
			family, r.Client, text, p.Key(), ms, ms); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO facade_code (hash, family, redirect, challenge, expires, used) VALUES (?, ?, ?, ?, ?, 0)`,
			oauth.Hash(code), family, r.bound(), r.Challenge, sqldb.Millis(now.Add(codeTTL)))
		return err
	})
	if err != nil {
		return "", err
	}
	back := []string{"code", code}
	if f.TokenHint {
		back = append(back, "tk", f.TokenURL())
	}
	return r.back(append(back, "sc", f.sign(family))...), nil
}

// bound is the redirect URI that the token endpoint wants to hear again, "" none.
func (r Request) bound() string {
	if r.Implied {
		return ""
	}
	return r.Redirect
}

// Deny is where the browser goes when the person says no.
func (r Request) Deny() string { return r.Fail("access_denied") }

// Fail is where the browser goes with an error of RFC 6749 section 4.1.2.1.
func (r Request) Fail(code string) string { return r.back("error", code) }

// back is the redirect URI with parameters, in pairs. An app's own scheme takes them after its colon, without a question
// mark ("ms-word-tp:code=..."), as Office on iOS wants them. Blanks are %20: apps that only decode percents are many.
func (r Request) back(pairs ...string) string {
	to, sep := r.Redirect, "?"
	switch {
	case strings.HasSuffix(to, ":"):
		sep = ""
	case strings.Contains(to, "?"):
		sep = "&"
	}
	if r.State != "" {
		pairs = append(pairs, "state", r.State)
	}
	for i := 0; i < len(pairs); i += 2 {
		to += sep + pairs[i] + "=" + strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "+", "%20")
		sep = "&"
	}
	if r.Action != "" {
		to += sep + "action=" + r.Action
	}
	return to
}

// sign makes a session context of a family's ID: a hint that must agree with the token's row and opens nothing.
func (f *Facade) sign(family string) string {
	mac := f.sealer.MAC("facade session context 1", []byte(family))
	return family + "." + base64.RawURLEncoding.EncodeToString(mac[:12])
}
