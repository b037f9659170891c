package facade

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"davwopi/oauth"
)

// maxForm bounds the body of a request to the token endpoint, in bytes.
const maxForm = 16 << 10

// HeaderSessionContext is the header in which Office repeats sc.
const HeaderSessionContext = "X-WOPI-SessionContext"

// A refusal is an error of RFC 6749 section 5.2.
type refusal struct {
	code   string
	status int
	why    string // for the log
}

func (r *refusal) Error() string { return "facade: " + r.code + ": " + r.why }

func refuse(code, why string) error {
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	return &refusal{code, status, why}
}

// issued is an answer of the token endpoint.
type issued struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn any    `json:"expires_in"` // seconds, a number or a text
	Refresh   string `json:"refresh_token"`
}

// ServeToken is the token endpoint (RFC 6749 section 3.2).
func (f *Facade) ServeToken(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, func(ctx context.Context, c Client, q map[string]string) (any, string, error) {
		switch q["grant_type"] {
		case "authorization_code":
			answer, family, err := f.redeem(ctx, c, q, r.Header.Get(HeaderSessionContext))
			return answer, family, err
		case "refresh_token":
			answer, family, err := f.renew(ctx, c, q["refresh_token"], r.Header.Get(HeaderSessionContext))
			return answer, family, err
		case "":
			return nil, "", refuse("invalid_request", "no grant_type")
		}
		return nil, "", refuse("unsupported_grant_type", "another grant_type")
	})
}

// ServeRevoke is the revocation endpoint (RFC 7009): the family of a token ends with it. A token that is not there, or
// another client's, is answered alike.
func (f *Facade) ServeRevoke(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, func(ctx context.Context, c Client, q map[string]string) (any, string, error) {
		if q["token"] == "" {
			return nil, "", refuse("invalid_request", "no token")
		}
		family, err := f.familyOf(ctx, q["token"])
		if errors.Is(err, errNoRow) || err == nil && family.client != c.ID {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		return nil, "", f.revoke(ctx, family.id)
	})
}

// serve reads a form, looks whose it is, and answers. family is that of what was given out, "" nothing.
func (f *Facade) serve(w http.ResponseWriter, r *http.Request, do func(context.Context, Client, map[string]string) (answer any, family string, err error)) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	q, err := readForm(w, r)
	var c Client
	var answer any
	var family string
	if err == nil {
		if c, err = f.who(r, q); err == nil {
			if answer, family, err = do(r.Context(), c, q); family != "" {
				h.Set(HeaderSessionContext, f.sign(family))
			}
		}
	}
	if f.Audit != nil {
		f.Audit(r.Context(), c.ID, grantOf(q), err)
	}
	f.answer(w, answer, err)
}

// grantOf is the grant that was asked for, for the log.
func grantOf(q map[string]string) string {
	switch g := q["grant_type"]; g {
	case "authorization_code", "refresh_token":
		return g
	}
	return ""
}

// readForm reads a form from the body, and from nowhere else.
func readForm(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &refusal{"invalid_request", http.StatusMethodNotAllowed, "method " + r.Method}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse("invalid_request", "no form")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", "form not readable or too long")
	}
	q := make(map[string]string, len(r.PostForm))
	for name, values := range r.PostForm {
		if len(values) != 1 {
			return nil, refuse("invalid_request", "a parameter comes twice")
		}
		q[name] = values[0]
	}
	for _, name := range []string{"client_id", "client_secret", "code", "grant_type", "refresh_token", "redirect_uri", "code_verifier", "token"} {
		if r.URL.Query().Has(name) {
			return nil, refuse("invalid_request", "a parameter in the address")
		}
	}
	return q, nil
}

// who checks the program's secret, from the form or from the header, not from both (RFC 6749 section 2.3).
func (f *Facade) who(r *http.Request, q map[string]string) (Client, error) {
	id, secret := q["client_id"], q["client_secret"]
	if user, password, ok := r.BasicAuth(); ok {
		if secret != "" {
			return Client{}, refuse("invalid_request", "two ways of telling the secret")
		}
		name, err1 := url.QueryUnescape(user)
		word, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && id != name {
			return Client{}, refuse("invalid_client", "header not readable, or of another program")
		}
		id, secret = name, word
	}
	now, err := f.db.Now(r.Context())
	if err != nil {
		return Client{}, fmt.Errorf("facade: %w", err)
	}
	c, ok := f.client(id)
	right, err := f.tries.TakePeer(r.RemoteAddr, now)
	if err != nil {
		return Client{}, err
	}
	if !ok || !c.knows(secret) {
		return Client{}, refuse("invalid_client", "unknown program or wrong secret")
	}
	right()
	return c, nil
}

// redeem exchanges a code.
func (f *Facade) redeem(ctx context.Context, c Client, q map[string]string, sc string) (*issued, string, error) {
	row, err := f.useCode(ctx, q["code"], c.ID)
	if err != nil {
		return nil, "", err
	}
	redirect, told := q["redirect_uri"]
	switch { // the code is used up by now, whatever is wrong
	case told && redirect != row.redirect && (row.redirect != "" || !slices.Contains(c.Redirects, redirect)): // older builds of Office leave it out
		return nil, "", refuse("invalid_grant", "another redirect URI")
	case row.challenge != "" && !proves(q["code_verifier"], row.challenge):
		return nil, "", refuse("invalid_grant", "PKCE verifier missing or wrong")
	case row.challenge == "" && q["code_verifier"] != "":
		return nil, "", refuse("invalid_grant", "a verifier for a request without PKCE")
	case !f.agrees(sc, row.family):
		return nil, "", refuse("invalid_grant", "another session context")
	}
	return f.issue(ctx, row.family, oauth.NewOpaque(RefreshPrefix), nil)
}

// proves checks a PKCE verifier (RFC 7636 section 4.6).
func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// agrees checks the session context, which may be left out, against the row.
func (f *Facade) agrees(sc, family string) bool {
	return sc == "" || subtle.ConstantTimeCompare([]byte(sc), []byte(f.sign(family))) == 1
}

// renew exchanges a refresh token.
func (f *Facade) renew(ctx context.Context, c Client, token, sc string) (*issued, string, error) {
	family, err := f.mayRenew(ctx, c.ID, token)
	if err != nil {
		return nil, "", err
	}
	if !f.agrees(sc, family.id) {
		return nil, "", refuse("invalid_grant", "another session context")
	}
	if err := f.stillThere(ctx, family); err != nil {
		return nil, "", err
	}
	return f.issue(ctx, family.id, f.successor(token), oauth.Hash(token))
}

// successor is the refresh token that follows one.
func (f *Facade) successor(token string) string {
	return RefreshPrefix + base64.RawURLEncoding.EncodeToString(f.sealer.MAC("facade refresh 1", []byte(token)))
}

// stillThere asks, now and then, whether the person may still come in.
func (f *Facade) stillThere(ctx context.Context, family familyRow) error {
	if f.Alive == nil {
		return nil
	}
	now, err := f.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("facade: refresh: %w", err)
	}
	if now.Sub(family.alive) < aliveEvery {
		return nil
	}
	person, err := f.Alive(ctx, family.principal)
	switch {
	case errors.Is(err, ErrGone):
		return errors.Join(refuse("invalid_grant", "the person may no longer come in"), f.revoke(ctx, family.id))
	case err != nil:
		return fmt.Errorf("facade: whether the person may still come in: %w", err)
	}
	return f.noteAlive(ctx, family.id, person, now)
}

// answer writes an answer of the token or revocation endpoint.
func (f *Facade) answer(w http.ResponseWriter, answer any, err error) {
	var wrong *refusal
	var many *oauth.TooManyError
	status, body := http.StatusOK, answer
	switch {
	case errors.As(err, &wrong):
		status, body = wrong.status, map[string]string{"error": wrong.code}
		if wrong.code == "invalid_client" {
			w.Header().Set("WWW-Authenticate", `Basic realm="davwopi"`)
		}
	case errors.As(err, &many):
		w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		status, body = http.StatusTooManyRequests, map[string]string{"error": "temporarily_unavailable"}
	case err != nil:
		status, body = http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"}
	}
	if i, ok := body.(*issued); ok && i == nil || body == nil {
		w.WriteHeader(status)
		return
	}
	text, fault := json.Marshal(body)
	if fault != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the status is out; a broken connection has nobody to tell
}

// ServeMetadata is what the server says of itself (RFC 8414).
func (f *Facade) ServeMetadata(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(map[string]any{ // a broken connection has nobody to tell
		"issuer": strings.TrimSuffix(f.Base.String(), "/"), "authorization_endpoint": f.AuthorizeURL(), "token_endpoint": f.TokenURL(),
		"revocation_endpoint": f.address("oauth2", "revoke"), "response_types_supported": []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"code_challenge_methods_supported":      []string{"S256"},
	})
}
