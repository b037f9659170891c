package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// ErrRequest is wrapped where a request to open a document makes no sense. The
// text says what is wrong with it.
var ErrRequest = errors.New("web: bad request")

// NoEditor, as the Editor of an [OpenRequest], makes a token for a program that
// speaks WOPI itself: no action, and no proof keys are asked for.
const NoEditor = "none"

// An OpenRequest asks for all that is needed to open one document.
type OpenRequest struct {
	Path     string // on the upstream, beginning with "/"
	User     string // name of the person for whom it is opened
	Mode     string // "edit" (default) or "view"
	Editor   string // URL or name of the editor; "" the first that can; [NoEditor]
	Upstream string // name of the upstream; "" the first

	// Passback is the scheme of an app of the operator's ([Launching.Backs]) to which Office on a phone goes back from
	// the document, Context what that app is told then. "": Office stays where it is.
	Passback, Context string

	// Key is the API key that asks; nil: the operator does, who may do everything
	// that the access rules allow the person.
	Key *access.APIKey
	// Principal is the person, if the caller knows them; else they are made from
	// User.
	Principal oauth.Principal
}

// Opened is the answer. WOPISrc and AccessToken are what a WOPI client needs,
// ActionURL is where a form posts the token to open the editor ("" if there is
// none), HostURL is a page of ours that does all that, once, within a minute. AppURL starts
// Office on a phone with the document, for a person who has added this place there ("" if
// phones do not come in, or the person is one of the API key's only).
type Opened struct {
	WOPISrc        string `json:"wopi_src"`
	AccessToken    string `json:"access_token"`
	AccessTokenTTL int64  `json:"access_token_ttl"` // when it expires: ms since 1970
	ActionURL      string `json:"action_url"`
	HostURL        string `json:"host_url"`
	AppURL         string `json:"app_url"`
}

// String tells nothing that could be used.
func (o Opened) String() string { return "web: opened " + o.WOPISrc }

// Open mints an access token for a document by its path. It returns an error that
// wraps [ErrRequest], [access.ErrNotAllowed] (which may be shown to the key's
// owner), [access.ErrUpstream], [idmap.ErrNotFound], [access.ErrNeedsSignIn] if
// the upstream wants the person's own credential and none is kept,
// [discovery.ErrDown], [discovery.ErrNoEditor] if the named editor cannot open it,
// or an error of the upstream (dav.Err...).
func (p *Pages) Open(ctx context.Context, q OpenRequest) (Opened, error) {
	path, up, who, err := p.readOpen(q)
	if err != nil {
		return Opened{}, err
	}
	at, err := p.at(ctx, who, up, path)
	if err != nil {
		return Opened{}, err
	}
	if at.Entry.Kind != idmap.File {
		return Opened{}, fmt.Errorf("%w: path is a folder", ErrRequest)
	}
	app := p.appURL(q, at, who)
	if app == "" && q.Passback != "" {
		return Opened{}, fmt.Errorf("%w: passback: no app on a phone opens this document from here", ErrRequest)
	}
	o := opening{Place: at, Who: who, Mode: discovery.Mode(q.Mode), Editor: q.Editor, Rights: access.Edit}
	if q.Mode == "view" {
		o.Rights = access.View
	}
	if q.Key != nil {
		if o.Scope, err = p.keyScope(ctx, at, who, q.Key.Subtree); err != nil {
			return Opened{}, err
		}
	}
	out, err := p.openWith(ctx, q, &o)
	if err != nil {
		return Opened{}, err
	}
	secret, err := p.Tickets.Make(ctx, access.Ticket{
		Principal: who, File: at.Entry.ID, Space: at.Entry.Space, Upstream: up.Name,
		Mode: string(o.Mode), Editor: o.Editor, Scope: o.Scope, Rights: min(o.Rights, at.Rights),
	}, access.DefaultTicketTTL)
	if err != nil {
		return Opened{}, err
	}
	out.HostURL = p.URLs.Public.JoinPath("ticket", secret).String()
	out.AppURL = app
	return out, nil
}

// readOpen checks the request before anything is asked.
func (p *Pages) readOpen(q OpenRequest) (dav.Path, *access.Upstream, oauth.Principal, error) {
	var none oauth.Principal
	if !strings.HasPrefix(q.Path, "/") {
		return "", nil, none, fmt.Errorf("%w: path must begin with a slash, as in /Letters/To Ann.docx", ErrRequest)
	}
	path, err := dav.ParsePath(q.Path)
	if err != nil {
		return "", nil, none, fmt.Errorf("%w: path must hold neither . nor .., nor what no name can", ErrRequest)
	}
	if q.Mode != "edit" && q.Mode != "view" && q.Mode != "" {
		return "", nil, none, fmt.Errorf("%w: mode must be edit or view", ErrRequest)
	}
	if q.Passback != "" && !slices.Contains(p.Launching.Backs, q.Passback) || q.Passback == "" && q.Context != "" || len(q.Context) > maxContext {
		return "", nil, none, fmt.Errorf("%w: passback must be one of oauth.url_schemes, context at most %d bytes and only with it", ErrRequest, maxContext)
	}
	if len(p.Upstreams.List) == 0 {
		return "", nil, none, access.ErrUpstream
	}
	up := p.Upstreams.List[0]
	if q.Upstream != "" {
		if up, err = p.Upstreams.Get(q.Upstream); err != nil {
			return "", nil, none, err
		}
	}
	who := q.Principal
	if who.Subject == "" {
		who = p.principalOf(q.User, q.Key)
	}
	if who.Subject == "" {
		return "", nil, none, fmt.Errorf("%w: user must say for whom the document is opened", ErrRequest)
	}
	if err := who.Check(); err != nil {
		return "", nil, none, fmt.Errorf("%w: user: %w", ErrRequest, err)
	}
	if q.Key != nil {
		mode := q.Mode
		if mode == "" {
			mode = "edit"
		}
		if err := access.May(*q.Key, who.Name, up.Name, string(path), mode); err != nil {
			return "", nil, none, err
		}
	}
	return path, up, who, nil
}

// principalOf names a person as signing in would, where the upstream wants to see
// each person's own password or token; else as somebody of the key, or of the operator.
func (p *Pages) principalOf(user string, key *access.APIKey) oauth.Principal {
	who := oauth.Principal{Issuer: oauth.IssuerLink, Subject: user, Name: user}
	switch {
	case p.Password != nil:
		who.Issuer = "upstream:" + p.Password.Upstream
	case p.Provider != nil && p.Provider.Owned:
		who.Issuer = p.Provider.OIDC.Provider.Issuer // the upstream wants to see their token
	case key != nil:
		who.Issuer = "key:" + key.Name
	}
	return who
}

// keyScope is the folder above which a key's tokens cannot see: its subtree on the
// upstream of the file at that place, and nothing of other upstreams.
func (p *Pages) keyScope(ctx context.Context, at place, who oauth.Principal, subtree string) (idmap.FileID, error) {
	if subtree == "" {
		subtree = "/"
	}
	path, err := dav.ParsePath(subtree)
	if err != nil {
		return "", fmt.Errorf("%w: subtree of the key: %w", access.ErrNotAllowed, err)
	}
	if path.IsRoot() {
		root, err := p.IDs.Root(ctx, at.Entry.Space)
		return root.ID, err
	}
	top, err := p.at(ctx, who, at.Upstream, path)
	return top.Entry.ID, err
}

// openWith makes the token, and the action if there is an editor for it.
func (p *Pages) openWith(ctx context.Context, q OpenRequest, o *opening) (Opened, error) {
	if o.Mode == "" {
		o.Mode = discovery.ModeEdit
	}
	out := Opened{WOPISrc: p.URLs.WOPISrc(o.Place.Entry.ID)}
	err := discovery.ErrNoEditor
	var a discovery.Action
	var g access.Grant
	if q.Editor != NoEditor {
		a, out.AccessToken, g, err = p.mint(ctx, o)
	}
	switch {
	case err == nil && a.Docs: // no form opens it, but the page of ours
	case err == nil:
		out.ActionURL = a.URL(discovery.Params{WOPISrc: out.WOPISrc, Business: p.Offers.BusinessUsers})
	case errors.Is(err, discovery.ErrNoEditor) && (q.Editor == "" || q.Editor == NoEditor):
		// A file that no editor opens is still one for programs.
		o.Editor = ""
		if out.AccessToken, g, err = p.grant(ctx, *o, min(o.Rights, o.Place.Rights), ""); err != nil {
			return Opened{}, err
		}
	default:
		return Opened{}, err
	}
	out.AccessTokenTTL = g.Expires.UnixMilli()
	return out, nil
}
