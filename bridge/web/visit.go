package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A visit is somebody who came by a link: the same pages as everybody's, below
// /shared/{link}, and nothing but what was shared.
type visit struct {
	share access.Share
	scope idmap.Entry // what was shared, where this visitor finds it
}

// errGuest is a page below a link, in a browser that has not opened the link.
var errGuest = errors.New("web: this browser has not opened the link")

// visiting answers with a page of a link: for a guest who has entered, or for somebody
// who is signed in. next gets a site of its own.
func (s *site) visiting(next func(*site, http.ResponseWriter, *http.Request, oauth.Session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Robots-Tag", "noindex")
		v, session, err := s.arrive(w, r)
		asks := forScript(r.URL.Path) || uploads(r.URL.Path)
		switch {
		case err != nil && asks:
			s.refuseJSON(w, r, err)
		case errors.Is(err, oauth.ErrNoSession):
			s.toSignIn(w, r, "share")
		case err != nil:
			s.fail(w, r, oauth.Principal{}, err)
		default:
			next(v, w, r, session)
		}
	}
}

// arrive makes the visitor's site.
func (s *site) arrive(w http.ResponseWriter, r *http.Request) (*site, oauth.Session, error) {
	ctx := r.Context()
	share, err := s.Shares.Get(ctx, mux.Vars(r)["share"])
	if err != nil {
		return nil, oauth.Session{}, err
	}
	var session oauth.Session
	if share.Anonymous {
		session, err = s.guestSession(w, r, share)
	} else {
		session, err = s.session(r)
	}
	if err != nil {
		return nil, session, err
	}
	v := *s
	v.within, v.visit = "/shared/"+share.ID, &visit{share: share}
	return &v, session, v.findScope(ctx, session.Principal)
}

// guestSession is the guest of that link, by the cookie.
func (s *site) guestSession(w http.ResponseWriter, r *http.Request, share access.Share) (oauth.Session, error) {
	c, err := r.Cookie(s.guestCookie(share.ID))
	if err != nil {
		return oauth.Session{}, errGuest
	}
	guest, touched, err := s.Shares.Guest(r.Context(), share.ID, c.Value)
	switch {
	case errors.Is(err, access.ErrShare):
		return oauth.Session{}, errGuest
	case err != nil:
		return oauth.Session{}, err
	case touched:
		s.setGuestCookie(w, share.ID, c.Value)
	}
	return oauth.Session{ID: guest.ID, Principal: guest.Principal()}, nil
}

// findScope looks up what was shared, for a visitor.
func (s *site) findScope(ctx context.Context, who oauth.Principal) error {
	space, err := s.Upstreams.Space(ctx, s.visit.share.Upstream, who)
	if err != nil {
		return err
	}
	s.visit.scope, err = s.IDs.Known(ctx, space, s.visit.share.Resource)
	return err
}

// guest reports whether the page is for somebody without an account.
func (s *site) guest() bool { return s.visit != nil && s.visit.share.Anonymous }

// allows is what the rules let who do at most; for a visitor, never more than the link,
// nor, for a guest, than whoever made it may.
func (s *site) allows(who oauth.Principal, upstream, path string) access.Rights {
	v := s.visit
	if v == nil {
		return s.Rules.Allows(who, upstream, path)
	}
	if upstream != v.share.Upstream || !v.contains(dav.Path(path)) {
		return 0
	}
	return min(v.share.Rights, s.Rules.AllowsGrant(access.Grant{Upstream: upstream, Principal: who, Behind: v.share.Maker}, path))
}

// contains reports whether a path lies in what was shared.
func (v *visit) contains(path dav.Path) bool {
	return path == v.scope.Path || v.scope.Kind == idmap.Container && v.scope.Path.Contains(path)
}

// locate is that of [Pages], for a visitor within what was shared. What lies outside is
// not looked for, so that nothing can be learned of it.
func (s *site) locate(ctx context.Context, who oauth.Principal, id idmap.FileID) (place, error) {
	v := s.visit
	if v == nil {
		return s.Pages.locate(ctx, who, id)
	}
	if known, err := s.IDs.Known(ctx, v.scope.Space, id); err != nil {
		return place{}, err
	} else if !v.contains(known.Path) {
		return place{}, idmap.ErrNotFound
	}
	at, err := s.Pages.locate(ctx, who, id)
	if err != nil {
		return place{}, err
	}
	// The look may have found both elsewhere.
	if err := s.findScope(ctx, who); err != nil {
		return place{}, err
	}
	if at.Rights = min(at.Rights, s.allows(who, at.Upstream.Name, string(at.Entry.Path))); at.Rights < access.View {
		return place{}, idmap.ErrNotFound
	}
	return at, nil
}

// bound keeps an opening to the link that its person came by.
func (s *site) bound(o opening) opening {
	if s.visit == nil {
		return o
	}
	o.Scope, o.Share = s.visit.share.Resource, s.visit.share.ID
	if end := s.visit.share.Expires; !end.IsZero() && end.Before(time.Now().Add(access.DefaultTTL)) {
		o.Until = end
	}
	return o
}

// serveShared is GET /shared/{link}/: the folder that was shared, or the page of the
// file that fits best.
func (s *site) serveShared(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, s.visit.share.Resource)
	if err != nil {
		s.failList(w, r, session.Principal, err)
		return
	}
	if at.Entry.Kind == idmap.Container {
		s.listFolder(w, r, session.Principal, at)
		return
	}
	s.ownEditor(r.Context())
	page := "document"
	if view, edit := s.Editors.Can(extension(at.Entry.Name)); edit && at.Rights >= access.Edit {
		page = "edit"
	} else if edit || view {
		page = "view"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.path(page, string(at.Entry.ID)), http.StatusSeeOther)
}

// serveRenewHere is serveRenew below a link.
func (s *site) serveRenewHere(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	s.renew(w, r, session)
}

// serveClosedHere is serveClosed below a link.
func (s *site) serveClosedHere(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	s.tell(w, r, session.Principal, trouble{Status: http.StatusOK, Title: words.Say("closed.title"),
		Words: []words.Text{words.Say("closed.words")}, Actions: []step{{words.Say("step.open_again"), s.path()}}})
}

// serveLeave is POST /shared/{link}/leave: a guest is forgotten. What they have open can
// still be saved, as after signing out.
func (s *site) serveLeave(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	if !s.guest() {
		s.serveSignOut(w, r)
		return
	}
	members, err := s.Locks.Members(r.Context())
	if err == nil {
		err = s.Tokens.SignedOut(r.Context(), session.ID, members)
	}
	if err == nil {
		err = s.Shares.Leave(r.Context(), session.ID)
	}
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.deed(r, Deed{What: "sign_out", Who: session.Principal, ID: s.visit.share.ID})
	s.setGuestCookie(w, s.visit.share.ID, "")
	s.tell(w, r, oauth.Principal{}, trouble{Status: http.StatusOK, Title: words.Say("left.title"),
		Words: []words.Text{words.Say("left.words")}})
}

// guestCookie is the name of a guest's cookie: one per link.
func (p *Pages) guestCookie(share string) string { return p.cookieName() + "-guest-" + share }

// setGuestCookie hands the browser a guest; "" takes it away.
func (p *Pages) setGuestCookie(w http.ResponseWriter, share, value string) {
	age := int(access.GuestIdle.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.guestCookie(share), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: p.Secure, SameSite: http.SameSiteLaxMode,
	})
}
