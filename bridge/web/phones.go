package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"davwopi/bridge/words"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// continuePath begins the addresses at which somebody who is signed in is asked about a program.
const continuePath = "/oauth2/continue/"

// mountPhones adds the endpoints at which Office on phones signs people in.
func (s *site) mountPhones(r *mux.Router) {
	r.Methods(http.MethodGet).Path("/oauth2/authorize").HandlerFunc(s.serveAuthorize)
	r.Methods(http.MethodGet).Path(continuePath + "{request}").HandlerFunc(s.signedIn(s.serveConsent))
	r.Methods(http.MethodPost).Path(continuePath + "{request}").HandlerFunc(s.signedIn(s.serveAnswer))
	r.Path("/oauth2/token").HandlerFunc(s.Phones.ServeToken)
	r.Path("/oauth2/revoke").HandlerFunc(s.Phones.ServeRevoke)
	r.Methods(http.MethodGet).Path("/.well-known/oauth-authorization-server").HandlerFunc(s.Phones.ServeMetadata)
}

// serveAuthorize is GET /oauth2/authorize: a program sends somebody to sign in.
func (s *site) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	request, sealed, err := s.Phones.Begin(r.Context(), r.URL.RawQuery)
	switch {
	case err != nil && errors.Is(err, facade.ErrRequest) && request.Redirect != "":
		code := "invalid_request"
		if r.URL.Query().Get("response_type") != "code" {
			code = "unsupported_response_type"
		}
		s.note(r, http.StatusBadRequest, err)
		http.Redirect(w, r, request.Fail(code), http.StatusFound)
		return
	case err != nil:
		s.failPhone(w, r, oauth.Principal{}, err)
		return
	}
	next := s.base + continuePath + sealed
	if _, err := s.session(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	q := url.Values{"next": {next}}
	if request.Language != "" {
		q.Set("ui_locales", request.Language)
	}
	http.Redirect(w, r, s.path("signin")+"?"+q.Encode(), http.StatusSeeOther)
}

type consentBody struct {
	Program, Person, Account, Next string
}

// serveConsent asks, unless this person has said yes to this program on this kind of phone before.
func (s *site) serveConsent(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	w.Header().Set("Cache-Control", "no-store")
	request, err := s.Phones.Open(r.Context(), mux.Vars(r)["request"])
	if err != nil {
		s.failPhone(w, r, session.Principal, err)
		return
	}
	given, err := s.Phones.Consented(r.Context(), session.Principal, request)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	if given && (request.User == "" || request.User == session.Principal.UserID()) {
		s.letIn(w, r, session, request)
		return
	}
	w.Header().Set("X-Frame-Options", "DENY") // besides the policy: Office shows this in windows of its own
	s.show(w, speaking(r, request.Language), http.StatusOK, "consent", words.Say("consent.window", "program", s.Phones.ClientName(request)), session.Principal, policy{Form: formTarget(request.Redirect)}, consentBody{
		Program: s.Phones.ClientName(request), Person: personName(session.Principal), Account: session.Principal.SignInName(),
		Next: s.base + continuePath + mux.Vars(r)["request"],
	})
}

// formTarget is what a page's policy has to allow for a form whose answer leads to a redirect URI: browsers hold
// redirects to it, too.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// serveAnswer is what the person said.
func (s *site) serveAnswer(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	w.Header().Set("Cache-Control", "no-store")
	request, err := s.Phones.Open(r.Context(), mux.Vars(r)["request"])
	if err != nil {
		s.failPhone(w, r, session.Principal, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	switch r.PostForm.Get("answer") {
	case "yes":
		s.letIn(w, r, session, request)
	case "other":
		if err := s.signOut(r, session); err != nil {
			s.fail(w, r, session.Principal, err)
			return
		}
		s.setCookie(w, "")
		http.Redirect(w, r, s.path("signin")+"?"+url.Values{"why": {"other"}, "next": {s.base + continuePath + mux.Vars(r)["request"]}}.Encode(), http.StatusSeeOther)
	default:
		http.Redirect(w, r, request.Deny(), http.StatusFound)
	}
}

// letIn sends the program a code.
func (s *site) letIn(w http.ResponseWriter, r *http.Request, session oauth.Session, request facade.Request) {
	to, err := s.Phones.Allow(r.Context(), session.Principal, request)
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.deed(r, Deed{What: "phone", Who: session.Principal})
	http.Redirect(w, r, to, http.StatusFound)
}

// failPhone is the page for a request that leads nowhere: whoever sent it is not told by a redirect.
func (s *site) failPhone(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	t := trouble{Status: http.StatusBadRequest, Title: words.Say("phone.title"), Words: []words.Text{words.Say("phone.words")}, Detail: words.Say("phone.detail")}
	if errors.Is(err, facade.ErrOver) {
		t.Words, t.Detail = []words.Text{words.Say("phone.over")}, nil
	}
	if !errors.Is(err, facade.ErrOver) && !errors.Is(err, facade.ErrClient) && !errors.Is(err, facade.ErrRequest) {
		s.fail(w, r, who, err)
		return
	}
	s.answer(w, r, who, t, err)
}

// failArrival answers for a sign-in at the provider that failed. Office is told, in a word of OAuth's and nobody else's
// (reference 3.3, 10); people get the page.
func (s *site) failArrival(w http.ResponseWriter, r *http.Request, next string, err error) {
	code := ""
	switch {
	case errors.Is(err, oauth.ErrSignIn):
		code = "access_denied"
	case errors.Is(err, oauth.ErrProvider):
		code = "server_error"
	}
	if sealed, phone := strings.CutPrefix(next, s.base+continuePath); phone && s.Phones != nil && code != "" {
		if request, over := s.Phones.Open(r.Context(), sealed); over == nil {
			s.Log(r, err)
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, request.Fail(code), http.StatusFound)
			return
		}
	}
	s.providerTrouble(w, r, s.localPath(next), err)
}

// isPhonePage reports whether a path, below our own, is one at which somebody is asked about a program.
func isPhonePage(rest string) bool { return strings.HasPrefix(rest, continuePath) }
