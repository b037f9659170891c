package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// An opening is a person at an editor with a file: what a host page is made of.
type opening struct {
	Place   place
	Who     oauth.Principal
	Session string // browser session, "" for a ticket
	Mode    discovery.Mode
	Editor  string       // only this one, "" any
	Scope   idmap.FileID // "" all that the person can reach
	Rights  access.Rights
	Share   string    // the link by which they came, "" none
	Until   time.Time // when that ends, if that is soon
}

// serveEdit is GET /edit/{id}.
func (s *site) serveEdit(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	s.servePage(w, r, session, discovery.ModeEdit)
}

// serveView is GET /view/{id}.
func (s *site) serveView(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	s.servePage(w, r, session, discovery.ModeView)
}

func (s *site) servePage(w http.ResponseWriter, r *http.Request, session oauth.Session, mode discovery.Mode) {
	at, ok := s.fileHere(w, r, session.Principal)
	if !ok {
		return
	}
	s.hostPage(w, r, s.bound(opening{Place: at, Who: session.Principal, Session: session.ID, Mode: mode, Rights: access.Edit}))
}

// fileHere is the file that the address names. If there is none, or it is a folder, r is
// answered.
func (s *site) fileHere(w http.ResponseWriter, r *http.Request, who oauth.Principal) (at place, ok bool) {
	at, err := s.locate(r.Context(), who, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.fail(w, r, who, err)
		return at, false
	}
	if at.Entry.Kind == idmap.Container {
		http.Redirect(w, r, s.path("folder", string(at.Entry.ID)), http.StatusSeeOther)
		return at, false
	}
	s.outages.over(at.Upstream.Name)
	return at, true
}

// serveTicket is GET /ticket/{secret}: the host page of the API's host_url,
// without a session. A HEAD request would not use the ticket up.
func (s *site) serveTicket(w http.ResponseWriter, r *http.Request) {
	k, err := s.Tickets.Redeem(r.Context(), mux.Vars(r)["secret"])
	if err != nil {
		s.fail(w, r, oauth.Principal{}, err)
		return
	}
	up, err := s.Upstreams.Get(k.Upstream)
	if err != nil {
		s.fail(w, r, k.Principal, err)
		return
	}
	at, err := s.look(r.Context(), k.Principal, up, k.Space, k.File)
	if err != nil {
		s.failOnce(w, r, opening{}, &placeError{up, "", err})
		return
	}
	s.hostPage(w, r, opening{Place: at, Who: k.Principal, Mode: discovery.Mode(k.Mode), Editor: k.Editor, Scope: k.Scope, Rights: k.Rights})
}

// mint chooses the editor's action and makes the access token for it. An action
// that turned out to be less than editing gets a token that cannot edit.
func (p *Pages) mint(ctx context.Context, o *opening) (a discovery.Action, token string, g access.Grant, err error) {
	rights := min(o.Rights, o.Place.Rights)
	if rights < access.Edit {
		o.Mode = discovery.ModeView
	}
	a, err = p.action(ctx, *o)
	if err != nil {
		return a, "", g, err
	}
	if a.Mode == discovery.ModeView {
		rights = access.View
	}
	token, g, err = p.grant(ctx, *o, rights, a.Editor.URL)
	return a, token, g, err
}

// grant mints the access token for one file, one person and one editor.
func (p *Pages) grant(ctx context.Context, o opening, rights access.Rights, editor string) (string, access.Grant, error) {
	scope, err := p.scope(ctx, o)
	if err != nil {
		return "", access.Grant{}, fmt.Errorf("web: root: %w", err)
	}
	return p.Tokens.Mint(ctx, access.Grant{
		File: o.Place.Entry.ID, Space: o.Place.Entry.Space, Upstream: o.Place.Upstream.Name, Principal: o.Who,
		Session: o.Session, Rights: rights, Editor: editor, Scope: scope, Share: o.Share, Expires: o.Until,
	})
}

// scope is the container above which o's tokens cannot see: that of o, or the highest
// that the person can reach, which is above the roots of all upstreams.
func (p *Pages) scope(ctx context.Context, o opening) (idmap.FileID, error) {
	if o.Scope != "" {
		return o.Scope, nil
	}
	highest := func(ctx context.Context) (idmap.Entry, error) { return p.IDs.Root(ctx, o.Place.Entry.Space) }
	if len(p.Upstreams.List) > 1 {
		highest = p.Upstreams.Top
	}
	root, err := highest(ctx)
	return root.ID, err
}

// hostPage answers with the page around the editor, or says why there is none.
func (s *site) hostPage(w http.ResponseWriter, r *http.Request, o opening) {
	asked := o.Mode
	if r.URL.Query().Has("again") {
		s.askAgain(r.Context())
	}
	if s.askCategory(w, r, o) {
		return
	}
	a, token, g, err := s.mint(r.Context(), &o)
	if errors.Is(err, discovery.ErrNoEditor) {
		s.connectPage(w, r, o)
		return
	}
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	if a.Docs && s.Docs != nil {
		s.docsPage(w, r, o, a, g, asked)
		return
	}
	body, allow := s.hostBody(r, o, a, token, g.Expires.UnixMilli())
	if o.Session != "" {
		err = s.ownAddresses(r, o, a, &body)
	} else {
		s.askedByToken(g, &body)
	}
	if err == nil {
		err = s.whoElse(r.Context(), o, a, asked, &body)
	}
	if err == nil {
		body.Comments, err = s.commentsOn(r.Context(), o)
	}
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	if s.Saves != nil {
		s.Saves.Saw(o.Place.Entry.ID, o.Who.UserID())
	}
	s.show(w, r, http.StatusOK, "host", words.Plain(body.Name), o.Who, allow, body)
}

// params are what the address of an action says besides the file.
func (s *site) params(id idmap.FileID, r *http.Request) discovery.Params {
	return discovery.Params{WOPISrc: s.URLs.WOPISrc(id), UI: language(r), Business: s.Offers.BusinessUsers, Category: category(r)}
}

// A holder is who has a file open, and how.
type holder struct {
	Name    words.Text // nil nobody
	Since   time.Time
	Program string // on a desktop, "" none that is known
}

// holder asks the database who has a file open.
func (s *site) holder(ctx context.Context, id idmap.FileID) (holder, locks.State, error) {
	state, err := s.Locks.State(ctx, id)
	if err != nil {
		return holder{}, state, err
	}
	now, err := s.IDs.DB.Now(ctx)
	if err != nil {
		return holder{}, state, err
	}
	return holderOf(state, now), state, nil
}

// holderOf names who has a file, for people.
func holderOf(state locks.State, now time.Time) holder {
	switch {
	case state.Lock.Held(now):
		return holder{Name: holderName(state.Holder.Name), Since: state.Since}
	case state.Met != nil:
		return holder{Name: holderName(state.Met.Holder), Since: state.Met.Since, Program: state.Met.Program}
	}
	return holder{}
}

// passed hands the wd* parameters of the host page on to the editor, as Microsoft
// asks of host pages.
func passed(action string, q url.Values) string {
	u, err := url.Parse(action)
	if err != nil {
		return action
	}
	extra := url.Values{}
	for name, values := range q {
		if strings.HasPrefix(name, "wd") && len(name) <= 64 && len(values) == 1 && len(values[0]) <= 512 {
			extra.Set(name, values[0])
		}
	}
	if len(extra) == 0 {
		return action
	}
	if u.RawQuery = strings.TrimSuffix(u.RawQuery, "&"); u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += extra.Encode()
	return u.String()
}

// onlyPath makes an address of ours one on the page's own origin.
func onlyPath(address string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return address
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// language is the browser's first language, if it looks like one (RFC 5646).
func language(r *http.Request) string {
	tag, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	tag, _, _ = strings.Cut(tag, ";")
	tag = strings.TrimSpace(tag)
	if len(tag) < 2 || len(tag) > 35 {
		return ""
	}
	for _, c := range tag {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return ""
		}
	}
	return tag
}

// icon is the editor's, if it is a plain web address.
func icon(address string) string {
	if originOf(address) == "" {
		return ""
	}
	return address
}

// originOf is scheme and host of a web address, "" if it is none.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(u.Host, " ;,'\"") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
