package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
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
	Error            string
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
	s.show(w, r, status, "enter", "Shared with you", who, policy{}, body)
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
		body.Own = step{"Open it as " + personName(who), s.path(page, string(at.ID))}
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
	fresh, _, err := s.Shares.Enter(r.Context(), secret, r.PostForm.Get("password"), typed, cookie, r.RemoteAddr)
	body := enterBody{Typed: typed}
	status := http.StatusForbidden
	var many *oauth.TooManyError
	switch {
	case err == nil:
		s.setGuestCookie(w, share.ID, fresh)
		s.goTo(w, r, share)
		return
	case errors.As(err, &many):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(many.RetryAfter.Seconds())))
		body.Error = fmt.Sprintf("That were too many tries. Please wait %s and try again.", humanWait(many.RetryAfter))
	case errors.Is(err, access.ErrSharePassword):
		body.Error = "That is not the password of this link. Please ask whoever sent it to you; capital letters count."
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
		return trouble{Status: http.StatusGone, Title: "This link has ended",
			Words: []string{"Whoever shared this with you has ended the link, or its time is over. Ask them for a new one."}}, true
	case errors.Is(err, access.ErrShare):
		return trouble{Status: http.StatusNotFound, Title: "This link does not work",
			Words: []string{"The address may have been cut off when it was copied. Ask whoever sent it to you to send it once more."}}, true
	case errors.Is(err, errGuest):
		return trouble{Status: http.StatusForbidden, Title: "Please open the link once more",
			Words: []string{"This page belongs to a link that this browser has not opened, or not for a long time. Open the link that you were sent; it leads back here."}}, true
	case errors.Is(err, access.ErrManyShares):
		return trouble{Status: http.StatusConflict, Title: "There is no room for more",
			Words: []string{"This link has been opened by as many people as it can be. Ask whoever sent it to you for a new one."}}, true
	}
	return trouble{}, false
}
