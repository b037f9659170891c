package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// enterBody is what a link shows to somebody without an account: who shares what, and
// the form by which they come in. Of a link with a password it tells nothing before
// that is right.
type enterBody struct {
	From, Name, Kind string // "" hidden
	Folder, Edit     bool
	Protected        bool
	Until            time.Time // zero: no end
	Typed            string    // the name, after a wrong password
	Error            words.Text
	Own              step // for somebody who has an account here and is signed in
}

// serveLinkTo is GET /s/{secret}. Programs that preview links fetch it: it makes no
// guest.
func (s *site) serveLinkTo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Robots-Tag", "noindex")
	share, err := s.Shares.Find(r.Context(), mux.Vars(r)["secret"])
	if err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	session, err := s.session(r)
	switch {
	case err != nil && !errors.Is(err, oauth.ErrNoSession):
		s.fail(w, r, oauth.Principal{}, err)
	case share.Anonymous:
		s.askToEnter(w, r, share, session.Principal, http.StatusOK, enterBody{})
	case err != nil:
		s.toSignIn(w, r, "share")
	default:
		s.goTo(w, r, share)
	}
}

// goTo is the way from a link to its pages.
func (s *site) goTo(w http.ResponseWriter, r *http.Request, share access.Share) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.path("shared", share.ID, ""), http.StatusSeeOther)
}

// askToEnter shows the form. who is whoever is signed in, if anybody is.
func (s *site) askToEnter(w http.ResponseWriter, r *http.Request, share access.Share, who oauth.Principal, status int, body enterBody) {
	body.Protected, body.Until, body.Edit = share.Protected, share.Expires, share.Rights >= access.Edit
	if err := s.describeShared(r.Context(), share, who, &body); err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	s.show(w, r, status, "enter", words.Say("enter.title"), who, policy{}, body)
}

// describeShared says what was shared, as far as whoever has only the link may know it.
func (s *site) describeShared(ctx context.Context, share access.Share, who oauth.Principal, body *enterBody) error {
	at, err := s.IDs.Known(ctx, share.Space, share.Resource)
	if err != nil {
		return err
	}
	body.Folder = at.Kind == idmap.Container
	if who.Subject != "" && s.Rules.Allows(who, share.Upstream, string(at.Path)) >= access.View {
		page := "view"
		if body.Folder {
			page = "folder"
		}
		body.Own = step{words.Say("enter.own", "name", personName(who)), s.path(page, string(at.ID))}
	}
	guest := access.Grant{Upstream: share.Upstream, Principal: access.AnyGuest(), Behind: share.Maker}
	rights := min(share.Rights, s.Rules.AllowsGrant(guest, string(at.Path)))
	if rights < access.View {
		return idmap.ErrNotFound
	}
	body.Edit = rights >= access.Edit
	if !share.Protected {
		body.From, body.Name, body.Kind = personName(share.Maker), at.Name, kindOf(extension(at.Name))
		if body.Folder {
			body.Kind = "folder"
		}
		if at.Path.IsRoot() {
			body.Name = s.upstreamName(share.Upstream)
		}
	}
	return nil
}

// serveEnter is POST /s/{secret}: a guest comes in.
func (s *site) serveEnter(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Robots-Tag", "noindex")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	secret := mux.Vars(r)["secret"]
	share, err := s.Shares.Find(r.Context(), secret)
	if err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	if !share.Anonymous {
		s.goTo(w, r, share)
		return
	}
	cookie := ""
	if c, err := r.Cookie(s.guestCookie(share.ID)); err == nil {
		cookie = c.Value
	}
	typed := r.PostForm.Get("name")
	fresh, guest, err := s.Shares.Enter(r.Context(), secret, r.PostForm.Get("password"), typed, cookie, r.RemoteAddr)
	body := enterBody{Typed: typed}
	status := http.StatusForbidden
	var many *oauth.TooManyError
	switch {
	case err == nil:
		s.deed(r, Deed{What: "sign_in", Who: guest.Principal(), ID: share.ID, File: share.Resource})
		s.setGuestCookie(w, share.ID, fresh)
		s.goTo(w, r, share)
		return
	case errors.As(err, &many):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		body.Error = words.Say("enter.too_many", "wait", many.RetryAfter)
	case errors.Is(err, access.ErrSharePassword):
		s.deed(r, Deed{What: "sign_in", ID: share.ID, File: share.Resource, Err: err})
		body.Error = words.Say("enter.wrong")
	default:
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	session, err := s.session(r)
	if err != nil && !errors.Is(err, oauth.ErrNoSession) {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	s.askToEnter(w, r, share, session.Principal, status, body)
}

// shareTrouble is the part of the table about links.
func (s *site) shareTrouble(err error) (trouble, bool) {
	switch {
	case errors.Is(err, access.ErrShareOver):
		return trouble{Status: http.StatusGone, Title: words.Say("share_over.title"),
			Words: []words.Text{words.Say("share_over.words")}}, true
	case errors.Is(err, access.ErrShare):
		return trouble{Status: http.StatusNotFound, Title: words.Say("no_share.title"),
			Words: []words.Text{words.Say("no_share.words")}}, true
	case errors.Is(err, errGuest):
		return trouble{Status: http.StatusForbidden, Title: words.Say("guest.title"),
			Words: []words.Text{words.Say("guest.words")}}, true
	case errors.Is(err, access.ErrManyShares):
		return trouble{Status: http.StatusConflict, Title: words.Say("many_guests.title"),
			Words: []words.Text{words.Say("many_guests.words")}}, true
	}
	return trouble{}, false
}
