package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// maxForm bounds the body of a form of ours.
const maxForm = 16 << 10

type signInBody struct {
	Password bool   // ask for user name and password
	Provider string // or go to this provider; else explain the link
	Other    bool   // somebody else than who is signed in at the provider
	Proxy    bool   // or explain that a proxy should have signed the person in
	Upstream string // whose user name and password
	Next     string
	User     string
	Locales  string     // ui_locales of the address, so that it stays the person's language
	Error    words.Text // what was wrong with the last try
	Notice   words.Text
}

// notices are what the sign-in page says at first, by the word in its address.
var notices = map[string]words.Text{
	"bye":     words.Say("signin.bye"),
	"refused": words.Say("signin.refused"),
	"again":   words.Say("signin.again"),
	"other":   words.Say("signin.other"),
	"share":   words.Say("signin.share"),
}

func (s *site) signInBody(next string) signInBody {
	b := signInBody{Password: s.Password != nil, Proxy: s.Proxy != nil, Next: next}
	if s.Provider != nil {
		b.Provider = s.Provider.Name
	}
	if b.Password {
		b.Upstream = s.upstreamName(s.Password.Upstream)
	}
	return b
}

// serveSignIn is GET /signin.
func (s *site) serveSignIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	next := s.localPath(q.Get("next"))
	_, err := s.session(r)
	if err == nil && q.Get("why") == "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if s.Proxy != nil {
		if p, ok := s.Proxy.principal(r); ok {
			s.start(w, r, p, next)
			return
		}
	}
	if s.Provider != nil && q.Get("why") == "" {
		s.toProvider(w, r, next)
		return
	}
	body := s.signInBody(next)
	body.Locales = q.Get("ui_locales")
	body.Notice, body.Other = notices[q.Get("why")], q.Get("why") == "other"
	if q.Get("why") == "share" && !body.Password && !body.Proxy && body.Provider == "" {
		body.Notice = words.Say("signin.share_link")
	}
	s.show(w, r, http.StatusOK, "signin", words.Say("signin.title"), oauth.Principal{}, policy{}, body)
}

// serveCheck is POST /signin: user name and password.
func (s *site) serveCheck(w http.ResponseWriter, r *http.Request) {
	if s.Password == nil {
		s.serveUnknown(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	body := s.signInBody(s.localPath(r.PostForm.Get("next")))
	body.User, body.Locales = r.PostForm.Get("user"), r.URL.Query().Get("ui_locales")
	p, err := s.Password.SignIn(r.Context(), body.User, r.PostForm.Get("password"), r.RemoteAddr)
	status := http.StatusOK
	var many *oauth.TooManyError
	switch {
	case errors.As(err, &many):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		body.Error = words.Say("enter.too_many", "wait", many.RetryAfter)
	case errors.Is(err, oauth.ErrRefused):
		status = http.StatusForbidden
		body.Error = words.Say("signin.wrong")
	case err != nil:
		s.Log(r, err)
		status = http.StatusServiceUnavailable
		body.Error = words.Say("signin.upstream_down", "name", body.Upstream)
	}
	if err != nil {
		s.refusedDeed(r, Deed{What: "sign_in", Tried: body.User, Err: err}, oauth.ErrRefused)
		s.show(w, r, status, "signin", words.Say("signin.title"), oauth.Principal{}, policy{}, body)
		return
	}
	if err := s.keepCredential(r, p, r.PostForm.Get("password")); err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	if s.Entered != nil {
		s.Entered(p)
	}
	s.start(w, r, p, body.Next)
}

// keepCredential seals what the person signed in with, where the upstream wants
// to see each person's own.
func (s *site) keepCredential(r *http.Request, p oauth.Principal, password string) error {
	up, err := s.Upstreams.Get(s.Password.Upstream)
	if err != nil {
		return err
	}
	if up.Service != nil {
		return nil
	}
	if err := s.endOld(r.Context(), p, up, password); err != nil {
		return err
	}
	return s.Upstreams.Credentials.Put(r.Context(), p.Key(), up.Name, oauth.Secret{Kind: "password", User: p.Subject, Secret: password})
}

// start begins a session and goes to next.
func (s *site) start(w http.ResponseWriter, r *http.Request, p oauth.Principal, next string) {
	if _, ok := s.enter(w, r, p); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// enter begins a session; false if it has answered that it could not. A session that this browser had is
// signed out first: it may be somebody else's.
func (s *site) enter(w http.ResponseWriter, r *http.Request, p oauth.Principal) (session string, ok bool) {
	old, err := s.cookieSession(r)
	if err == nil && old.Principal.Key() != p.Key() {
		err = s.signOut(r, old)
	}
	if err != nil && !errors.Is(err, oauth.ErrNoSession) {
		s.fail(w, r, oauth.Principal{}, err)
		return "", false
	}
	if s.Shares != nil {
		if err := s.Shares.SignedIn(r.Context(), p); err != nil {
			s.fail(w, r, oauth.Principal{}, err)
			return "", false
		}
	}
	cookie, session, err := s.Sessions.Start(r.Context(), p)
	if err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return "", false
	}
	s.deed(r, Deed{What: "sign_in", Who: p})
	s.setCookie(w, cookie)
	w.Header().Set("Cache-Control", "no-store")
	return session, true
}

// signOut ends a session without losing work: tokens of open editings can still
// save (DESIGN 8).
func (p *Pages) signOut(r *http.Request, session oauth.Session) error {
	members, err := p.Locks.Members(r.Context())
	if err != nil {
		return err
	}
	if err := p.Tokens.SignedOut(r.Context(), session.ID, members); err != nil {
		return err
	}
	if err := p.Sessions.End(r.Context(), session.ID); err != nil {
		return err
	}
	p.deed(r, Deed{What: "sign_out", Who: session.Principal})
	return nil
}

// serveSignOut is POST /signout.
func (s *site) serveSignOut(w http.ResponseWriter, r *http.Request) {
	session, err := s.session(r)
	if err == nil {
		err = s.signOut(r, session)
	}
	if err != nil && !errors.Is(err, oauth.ErrNoSession) {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.setCookie(w, "")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil && s.leaveProvider(w, r, session) {
		return
	}
	if s.Proxy != nil && s.Proxy.Logout != "" {
		s.leave(w, r, words.Say("leave.proxy"), s.Proxy.Logout)
		return
	}
	http.Redirect(w, r, s.top("signin")+"?why=bye", http.StatusSeeOther)
}

// serveLink is GET /link/{secret}: a page with a button. It does not even look
// whether the link is good.
func (s *site) serveLink(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "link", words.Say("signin.title"), oauth.Principal{}, policy{}, nil)
}

// serveRedeem is POST /link/{secret}.
func (s *site) serveRedeem(w http.ResponseWriter, r *http.Request) {
	p, err := s.Links.Redeem(r.Context(), mux.Vars(r)["secret"])
	if err != nil {
		s.refusedDeed(r, Deed{What: "sign_in", Err: err}, oauth.ErrLink)
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	s.start(w, r, p, s.path())
}
