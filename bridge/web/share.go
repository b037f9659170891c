package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/history"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// Bounds of what the pages about links show.
const (
	maxLinks  = 1000 // on one page
	maxGuests = 20   // named of one link
)

// A link is what its page and the list say of one.
type link struct {
	ID        string
	Address   string // "" for all but its maker, and if it cannot be shown any more
	Anonymous bool
	Edit      bool
	Protected bool
	Made      time.Time
	Until     time.Time // zero: no end
	By        string    // who made it, "" the person who looks
	Revoke    string    // where to post that it ends
	Back      string    // and where to go then
	Guests    []string  // who came by it, the latest first
	More      int       // further ones
	File      step      // what it leads to; Href "" cannot be seen
	Kind      string
}

// shareBody is the page on which a file or folder is shared.
type shareBody struct {
	Name, Kind string
	Folder     bool
	Back       step
	Links      []link
	Edit       bool       // links may let people edit
	Anonymous  bool       // links without an account can be made here
	GuestsRead bool       // but such a link never lets anybody edit here
	Why        words.Text // why not, nil that is not known
	Error      words.Text
	Form       shareForm // as it was sent, if something was wrong with it
	Ends       []end
	Shortest   int // password
}

type shareForm struct {
	Anonymous, Edit bool
	Days            int
}

// An end is how long a link can be good.
type end struct {
	Days int
	Name words.Text
}

var ends = []end{{0, words.Say("share.no_end")}, {1, words.Say("share.day")}, {7, words.Say("share.week")}, {30, words.Say("share.month")}, {365, words.Say("share.year")}}

// serveShare is GET /share/{id}.
func (s *site) serveShare(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.sharePage(w, r, session.Principal, at, http.StatusOK, shareBody{})
}

// serveMakeLink is POST /share/{id}: makes a link.
func (s *site) serveMakeLink(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	body := shareBody{Form: shareForm{Anonymous: r.PostForm.Get("for") == "anybody", Edit: r.PostForm.Get("rights") == "edit"}}
	body.Form.Days, _ = strconv.Atoi(r.PostForm.Get("days")) // what is no number has no end, as the page says then
	s.offer(&body, session.Principal, at)
	password := r.PostForm.Get("password")
	switch f := body.Form; {
	case f.Anonymous && !body.Anonymous:
		body.Error = words.Say("share.err_anonymous")
	case f.Edit && !body.Edit, f.Edit && f.Anonymous && body.GuestsRead:
		body.Error = words.Say("share.err_read")
	case !f.Anonymous && password != "":
		body.Error = words.Say("share.err_password")
	case password != "" && len([]rune(password)) < access.MinSharePassword:
		body.Error = words.Say("share.err_short", "n", access.MinSharePassword)
	case f.Days < 0 || f.Days > 3650:
		body.Error = words.Say("share.err_end")
	}
	if body.Error == nil {
		var id string
		id, err = s.makeLink(r.Context(), session.Principal, at, body.Form, password)
		if err == nil {
			s.happened(r, session.Principal, at.Entry.ID, history.Shared, "")
			s.deed(r, Deed{What: "share", Who: session.Principal, ID: id, File: at.Entry.ID, Name: string(at.Entry.Path)})
		} else if errors.Is(err, access.ErrManyShares) {
			body.Error = words.Say("share.err_many", "n", access.MaxShares)
		} else {
			s.fail(w, r, session.Principal, err)
			return
		}
	}
	if body.Error != nil {
		s.sharePage(w, r, session.Principal, at, http.StatusUnprocessableEntity, body)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.path("share", string(at.Entry.ID)), http.StatusSeeOther)
}

func (s *site) makeLink(ctx context.Context, who oauth.Principal, at place, f shareForm, password string) (id string, err error) {
	n := access.NewShare{
		Resource: at.Entry.ID, Space: at.Entry.Space, Upstream: at.Upstream.Name, Rights: access.View, Anonymous: f.Anonymous,
		Maker: who, Life: time.Duration(f.Days) * 24 * time.Hour, Password: password,
	}
	if f.Edit {
		n.Rights = access.Edit
	}
	_, made, err := s.Shares.Make(ctx, n)
	return made.ID, err
}

// offer fills in which links who can make at a place.
func (s *site) offer(body *shareBody, who oauth.Principal, at place) {
	body.Edit = at.Rights >= access.Edit
	guests := s.Rules.AllowsGrant(access.Grant{Upstream: at.Upstream.Name, Principal: access.AnyGuest(), Behind: who}, string(at.Entry.Path))
	switch {
	case at.Upstream.Service == nil, !s.Shares.Anonymous && !s.isAdmin(who):
		return // nothing to explain: nobody here has them
	case !s.Shares.Anonymous:
		body.Why = words.Say("share.why_off")
	case at.Entry.Path.IsRoot():
		body.Why = words.Say("share.why_all")
	case guests < access.View:
		body.Why = words.Say("share.why_rules")
	default:
		body.Anonymous, body.GuestsRead = true, guests < access.Edit
	}
}

// sharePage shows the links to a place, and the form for another one.
func (s *site) sharePage(w http.ResponseWriter, r *http.Request, who oauth.Principal, at place, status int, body shareBody) {
	s.offer(&body, who, at)
	body.Name, body.Folder, body.Ends, body.Shortest = s.folderName(at), at.Entry.Kind == idmap.Container, ends, access.MinSharePassword
	body.Kind = kindOf(extension(at.Entry.Name))
	var err error
	if body.Folder {
		body.Kind, body.Back = "folder", step{words.Say("step.folder"), s.path("folder", string(at.Entry.ID))}
	} else if body.Back, err = s.backFrom(r.Context(), opening{Place: at, Who: who}); err != nil {
		s.fail(w, r, who, err)
		return
	}
	of := access.ShareList{Maker: who.Key(), Resource: at.Entry.ID, Limit: maxLinks}
	if s.isAdmin(who) {
		of.Maker = ""
	}
	if body.Links, err = s.linksOf(r.Context(), who, of, s.path("share", string(at.Entry.ID))); err != nil {
		s.fail(w, r, who, err)
		return
	}
	s.show(w, r, status, "share", words.Say("share.window", "name", body.Name), who, policy{}, body)
}

// serveLinks is GET /links: the person's own links, or an administrator's view of all.
func (s *site) serveLinks(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	of := access.ShareList{Maker: session.Principal.Key(), Limit: maxLinks}
	admin := s.isAdmin(session.Principal)
	if admin {
		of.Maker = ""
	}
	list, err := s.linksOf(r.Context(), session.Principal, of, s.path("links"))
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.show(w, r, http.StatusOK, "links", words.Say("links.window"), session.Principal, policy{}, struct {
		Links []link
		Admin bool
		Cut   bool
	}{list, admin, len(list) == maxLinks})
}

// sharing is the page on which something is shared; "" for visitors, who do not.
func (s *site) sharing(id idmap.FileID) string {
	if s.Shares == nil || s.visit != nil {
		return ""
	}
	return s.path("share", string(id))
}

// linksOf are links as who may see them.
func (s *site) linksOf(ctx context.Context, who oauth.Principal, of access.ShareList, back string) ([]link, error) {
	shares, err := s.Shares.List(ctx, of)
	if err != nil {
		return nil, err
	}
	out := make([]link, 0, len(shares))
	for _, sh := range shares {
		l := link{
			ID: sh.ID, Anonymous: sh.Anonymous, Edit: sh.Rights >= access.Edit, Protected: sh.Protected, Made: sh.Made, Until: sh.Expires,
			Revoke: s.path("links", sh.ID, "revoke"), Back: back,
		}
		if sh.Maker.Key() != who.Key() {
			l.By = personName(sh.Maker)
		} else if secret, err := s.Shares.Secret(ctx, sh.ID, who.Key()); err == nil {
			l.Address = s.URLs.Link(secret)
		} else if !errors.Is(err, access.ErrShare) {
			return nil, err
		}
		if err := s.leadsTo(ctx, who, sh, &l); err != nil {
			return nil, err
		}
		if sh.Anonymous {
			if err := s.cameBy(ctx, sh, &l); err != nil {
				return nil, err
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// leadsTo names what a link leads to, if who may know.
func (s *site) leadsTo(ctx context.Context, who oauth.Principal, sh access.Share, l *link) error {
	at, err := s.IDs.Known(ctx, sh.Space, sh.Resource)
	switch {
	case errors.Is(err, idmap.ErrNotFound):
		l.File.Name, l.Kind = words.Say("links.deleted"), "file"
		return nil
	case err != nil:
		return err
	case s.Rules.Allows(who, sh.Upstream, string(at.Path)) < access.View:
		l.File.Name, l.Kind = words.Say("links.hidden"), "file"
		return nil
	}
	l.File, l.Kind = step{words.Plain(at.Name), s.path("share", string(at.ID))}, kindOf(extension(at.Name))
	if at.Kind == idmap.Container {
		l.Kind = "folder"
	}
	if at.Path.IsRoot() {
		l.File.Name = words.Plain(s.upstreamName(sh.Upstream))
	}
	return nil
}

// cameBy names the guests of a link.
func (s *site) cameBy(ctx context.Context, sh access.Share, l *link) error {
	guests, err := s.Shares.Guests(ctx, sh.ID, maxLinks)
	if err != nil {
		return err
	}
	for _, g := range guests[:min(len(guests), maxGuests)] {
		l.Guests = append(l.Guests, g.Principal().Name)
	}
	l.More = len(guests) - len(l.Guests)
	return nil
}

// serveRevoke is POST /links/{share}/revoke.
func (s *site) serveRevoke(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.failBadForm(w, r, err)
		return
	}
	maker := session.Principal.Key()
	if s.isAdmin(session.Principal) {
		maker = ""
	}
	if err := s.Revoke(r.Context(), mux.Vars(r)["share"], maker); err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.deed(r, Deed{What: "revoke", Who: session.Principal, ID: mux.Vars(r)["share"]})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.localPath(r.PostForm.Get("back")), http.StatusSeeOther)
}

// Revoke ends a link at once; maker is whose it must be, "" anybody's. What only guests
// of that link have open is released: they can no longer close it. The error wraps
// [access.ErrShare] if there is no such link.
func (p *Pages) Revoke(ctx context.Context, share, maker string) error {
	if err := p.Shares.Revoke(ctx, share, maker); err != nil {
		return err
	}
	rows, err := p.Locks.List(ctx)
	if err != nil {
		return err
	}
	var editings []int64
	for _, row := range rows {
		if row.Editing != nil {
			editings = append(editings, row.Editing.ID)
		}
	}
	members, err := p.Locks.MembersOf(ctx, editings)
	if err != nil {
		return err
	}
	var faults []error
	for _, row := range rows {
		if row.Editing == nil {
			continue
		}
		alone, err := p.Tokens.AllThrough(ctx, share, members[row.Editing.ID])
		if err != nil {
			return err
		}
		if alone {
			faults = append(faults, p.Locks.Release(ctx, row.File))
		}
	}
	return errors.Join(faults...)
}

// mountShares adds the pages of links.
func (s *site) mountShares(get, post func(string, http.HandlerFunc), id string) {
	if s.Shares == nil {
		return
	}
	const share = "{share:[a-z2-7]{26}}"
	get("/share/"+id, s.signedIn(s.serveShare))
	post("/share/"+id, s.signedIn(s.serveMakeLink))
	get("/links", s.signedIn(s.serveLinks))
	post("/links/"+share+"/revoke", s.signedIn(s.serveRevoke))
	get("/s/{secret}", s.serveLinkTo)
	post("/s/{secret}", s.serveEnter)
	below := "/shared/" + share
	get(below, s.visiting((*site).serveShared))
	for path, page := range map[string]func(*site, http.ResponseWriter, *http.Request, oauth.Session){
		"/": (*site).serveShared, "/closed": (*site).serveClosedHere,
		"/folder/" + id: (*site).serveFolder, "/edit/" + id: (*site).serveEdit, "/view/" + id: (*site).serveView,
		"/download/" + id: (*site).serveDownload, "/document/" + id: (*site).serveDocument,
		"/view/" + id + "/state": (*site).serveState, "/edit/" + id + "/beside": (*site).serveBeside,
		"/edit/" + id + "/pictures": (*site).servePictures,
	} {
		get(below+path, s.visiting(page))
	}
	post(below+"/{mode:edit|view}/"+id+"/token", s.visiting((*site).serveRenewHere))
	post(below+"/edit/"+id+"/picture", s.visiting((*site).servePicture))
	post(below+"/leave", s.visiting((*site).serveLeave))
}
