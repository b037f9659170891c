package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// A Provider is sign-in at an OpenID Connect provider.
type Provider struct {
	OIDC   *oauth.OIDC
	People *oauth.ProviderTokens
	Name   string // what people call it
	Keep   bool   // their tokens are needed after sign-in
	Owned  bool   // an upstream wants to see each person's own token
}

// callback is the address, below the public one, to which the provider sends people back, and gone the one after
// sign-out. Both are registered there.
const (
	callbackPath = "signin/callback"
	gonePath     = "signedout"
)

// CallbackURL is where the provider sends people back to, for its registration.
func (p *Pages) CallbackURL() string { return p.URLs.Public.JoinPath(callbackPath).String() }

// GoneURL is where the provider sends people after sign-out, for its registration.
func (p *Pages) GoneURL() string { return p.URLs.Public.JoinPath(gonePath).String() }

// toProvider begins a sign-in and sends the browser away. What comes of it lies in a cookie of its own, because the
// way back comes from another site.
func (s *site) toProvider(w http.ResponseWriter, r *http.Request, next string) {
	prompt := ""
	if r.URL.Query().Get("prompt") == "login" {
		prompt = "login" // ask, even if somebody is signed in there
	}
	flow, err := s.Provider.OIDC.Begin(r.Context(), next, r.URL.Query().Get("ui_locales"), prompt)
	if err != nil {
		s.providerTrouble(w, r, next, err)
		return
	}
	http.SetCookie(w, s.flowCookie(flow.Cookie, flow.Secret, int(flow.MaxAge.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, flow.URL, http.StatusSeeOther)
}

func (s *site) flowCookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: s.hostPrefix() + name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode,
	}
}

// serveCallback is GET /signin/callback: the provider's answer.
func (s *site) serveCallback(w http.ResponseWriter, r *http.Request) {
	right, err := s.arrived.TakePeer(r.RemoteAddr, time.Now())
	if err != nil {
		s.providerTrouble(w, r, s.path(), err)
		return
	}
	in, err := s.Provider.OIDC.Finish(r.Context(), r.URL.Query(), func(name string) string {
		c, err := r.Cookie(s.hostPrefix() + name)
		if err != nil {
			return ""
		}
		return c.Value
	})
	if err == nil || errors.Is(err, oauth.ErrFlow) {
		right() // of the latter nothing was written, and nobody was asked
	}
	if in.Cookie != "" {
		http.SetCookie(w, s.flowCookie(in.Cookie, "", -1))
	}
	if errors.Is(err, oauth.ErrFlow) {
		if _, already := s.session(r); already == nil {
			http.Redirect(w, r, s.path(), http.StatusSeeOther) // the back button, after a sign-in
			return
		}
	}
	if err != nil {
		s.failArrival(w, r, in.Next, err)
		return
	}
	if s.Provider.Keep {
		if err := s.Provider.People.Put(r.Context(), in.Principal.Key(), in.Tokens); err != nil {
			s.fail(w, r, oauth.Principal{}, err)
			return
		}
	}
	session, ok := s.enter(w, r, in.Principal)
	if !ok {
		return
	}
	if err := s.Provider.People.PutIDToken(r.Context(), session, in.Tokens.ID); err != nil {
		s.Log(r, fmt.Errorf("web: sign-out will not end the session at the provider: %w", err))
	}
	if s.Entered != nil {
		s.Entered(in.Principal)
	}
	http.Redirect(w, r, s.localPath(in.Next), http.StatusSeeOther)
}

// providerTrouble is the sign-in page with what went wrong.
func (s *site) providerTrouble(w http.ResponseWriter, r *http.Request, next string, err error) {
	s.Log(r, err)
	s.refusedDeed(r, Deed{What: "sign_in", Err: err}, oauth.ErrFlow, oauth.ErrSignIn)
	body, status := s.signInBody(next), http.StatusServiceUnavailable
	var many *oauth.TooManyError
	switch {
	case errors.As(err, &many):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		body.Error = words.Say("enter.too_many", "wait", many.RetryAfter)
	case errors.Is(err, oauth.ErrFlow):
		status = http.StatusBadRequest
		body.Error = words.Say("signin.flow")
	case errors.Is(err, oauth.ErrSignIn):
		status = http.StatusForbidden
		body.Error = words.Say("signin.said_no", "name", body.Provider)
	case errors.Is(err, oauth.ErrProvider):
		body.Error = words.Say("signin.provider_down", "name", body.Provider)
	default:
		body.Error = words.Say("signin.broken")
	}
	s.show(w, r, status, "signin", words.Say("signin.title"), oauth.Principal{}, policy{}, body)
}

// leaveProvider shows the page that ends the session at the provider too; false if there is nothing to end. It is a page
// and no redirect, because browsers hold the answer to a form to the form's policy.
func (s *site) leaveProvider(w http.ResponseWriter, r *http.Request, session oauth.Session) bool {
	if s.Provider == nil || session.Principal.Issuer != s.Provider.OIDC.Provider.Issuer {
		return false
	}
	hint, err := s.Provider.People.TakeIDToken(r.Context(), session.ID)
	if err == nil {
		var to string
		if to, err = s.Provider.OIDC.LogoutURL(r.Context(), hint, s.GoneURL()); to != "" {
			s.leave(w, r, words.Plain(s.Provider.Name), to)
			return true
		}
	}
	if err != nil {
		s.Log(r, fmt.Errorf("web: the session at the provider goes on: %w", err))
	}
	return false
}

type leaveBody struct {
	Name words.Text
	URL  string
}

// leave is the page after sign-out from which the browser goes on by itself.
func (s *site) leave(w http.ResponseWriter, r *http.Request, name words.Text, to string) {
	w.Header().Set("Refresh", "1; url="+to)
	s.show(w, r, http.StatusOK, "leave", words.Say("leave.window"), oauth.Principal{}, policy{}, leaveBody{name, to})
}

// serveGone is GET /signedout: back from the provider's sign-out.
func (s *site) serveGone(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, s.top("signin")+"?why=bye", http.StatusSeeOther)
}
