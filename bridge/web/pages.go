package web

import (
	"context"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// Pages serves what browsers see. All fields but Password, Entered, Keys, Shares, Admin, Checkup,
// Exposed and Brand must be set before use and not changed afterwards. Safe for concurrent
// use.
type Pages struct {
	URLs     endpoint.URLs
	Sessions *oauth.Sessions
	Links    *oauth.Links
	Password *oauth.PasswordSignIn // nil: sign-in is another way
	Provider *Provider             // nil: another way
	Proxy    *Proxy                // nil: another way
	Phones   *facade.Facade        // nil: Office on phones does not sign in here
	// Entered hears of everybody who has signed in with a password. It must not take
	// time; nil: nobody does.
	Entered   func(oauth.Principal)
	Upstreams *access.Upstreams
	IDs       *idmap.Map
	Tokens    *access.Tokens
	Tickets   *access.Tickets
	Keys      *access.APIKeys // nil: no key opens anything
	Shares    *access.Shares  // nil: nobody shares anything
	Rules     access.Rules
	Editors   *discovery.Editors
	Docs      *Docs // nil: no editor is opened by the Docs API
	Locks     *locks.Locks
	Offers    endpoint.Offers // what editors are told that they may
	Launching Launching       // how people's own Office apps come in

	// Saves is the journal: what waits there, and what people find on the page of their
	// saves. Nil: nothing.
	Saves *saves.Saves

	// Comments are what stands of the comments on file, the newest first; cut is true if
	// there are more than limit. Commented tells which files have any. Nil: none are kept.
	Comments  func(ctx context.Context, file idmap.FileID, limit int) (list []Comment, cut bool, err error)
	Commented func(ctx context.Context, files []idmap.FileID) (map[idmap.FileID]bool, error)

	// History is the diary of documents. Nil: none is kept.
	History *history.History

	// Changes are what people did to files here, to say so and to undo it. Nil: nothing is
	// said, and nothing can be undone.
	Changes *Changes

	// Log is told, once per request, what made a page say that something is
	// wrong: mostly a *wopi.Error with the status that was answered, around the
	// cause. It is called from many goroutines.
	Log func(r *http.Request, err error)

	// Audit hears of sign-ins, links and what is done to locks and saves. Nil: nobody does.
	Audit func(r *http.Request, d Deed)

	// Admin tells who runs the server: whose /doctor is served, and who may release the
	// locks of others. Checkup is what /doctor shows. Nil: nobody's.
	Admin   func(who oauth.Principal) bool
	Checkup func(ctx context.Context) (Checkup, error)

	// Ancestors are origins whose pages may frame a host page.
	Ancestors []string

	Secure  bool   // browsers come over https: the cookie is __Host-davwopi
	Exposed bool   // pages go over a network unencrypted, and say so
	Privacy string // address of the privacy statement, "" none
	Brand   string // "" davwopi

	once sync.Once
	made *site
}

// site is Pages with what is made once.
type site struct {
	*Pages
	base    string // path of the public address, without a closing slash
	within  string // path below it where this visitor's pages are, "" all of it
	visit   *visit // somebody who came by a link; nil: not
	stamp   string // changes with the embedded files
	views   map[*words.Language]func() map[string]*template.Template
	outages *outages
	live    *streams      // pages that listen
	arrived *oauth.Tries  // sign-ins that failed on the way back from the provider
	big     chan struct{} // holds one for each listing of a big folder that is under way
	trash   *trashes
}

// Mount adds the routes of all pages to r. Where r has no NotFoundHandler, the
// page for unknown addresses becomes it.
func (p *Pages) Mount(r *mux.Router) {
	s := p.site()
	const id = "{id:[a-z2-7]{26}}"
	// HEAD is how curl -I, watchers and download managers try an address; it uses nothing up.
	get := func(path string, h http.HandlerFunc) {
		r.Methods(http.MethodGet, http.MethodHead).Path(path).Handler(h)
	}
	once := func(path string, h http.HandlerFunc) { r.Methods(http.MethodGet).Path(path).Handler(h) }
	post := func(path string, h http.HandlerFunc) { r.Methods(http.MethodPost).Path(path).Handler(h) }

	get("/", s.signedIn(s.serveRoot))
	get("/folder/"+id, s.signedIn(s.serveFolder))
	get("/edit/"+id, s.signedIn(s.serveEdit))
	get("/view/"+id, s.signedIn(s.serveView))
	get("/download/"+id, s.signedIn(s.serveDownload))
	get("/document/"+id, s.signedIn(s.serveDocument))
	get("/convert/"+id, s.signedIn(s.serveConvertTo))
	get("/view/"+id+"/state", s.serveStateByToken(s.scripted(s.serveState)))
	get("/edit/"+id+"/beside", s.scripted(s.serveBeside))
	get("/edit/"+id+"/pictures", s.scripted(s.servePictures))
	post("/edit/"+id+"/picture", s.scripted(s.servePicture))
	post("/edit/"+id+"/name", s.scripted(s.serveHostRename))
	post("/{mode:edit|view}/"+id+"/token", s.serveRenew)
	s.mountChanges(r, get, post, id)
	get("/open", s.signedIn(s.serveOpens))
	once("/open/events", s.signedIn(s.serveEvents))
	get("/open/"+id+"/release", s.signedIn(s.serveRelease))
	post("/open/"+id+"/release", s.signedIn(s.serveRelease))
	s.mountSaves(get, post)
	get("/doctor", s.onlyAdmin(s.serveDoctor))
	get("/server", s.onlyAdmin(s.serveServer))
	const session = "/server/sessions/{session:[a-z2-7]{26}}/end"
	get(session, s.onlyAdmin(s.serveEndSession))
	post(session, s.onlyAdmin(s.serveEndSession))
	get("/signin", s.serveSignIn)
	post("/signin", s.serveCheck)
	if s.Provider != nil {
		once("/"+callbackPath, s.serveCallback)
		get("/"+gonePath, s.serveGone)
	}
	if s.Phones != nil {
		s.mountPhones(r)
	}
	get("/link/{secret}", s.serveLink)
	post("/link/{secret}", s.serveRedeem)
	post("/signout", s.serveSignOut)
	post("/language", s.serveLanguage)
	once("/ticket/{secret}", s.serveTicket)
	get("/closed", s.serveClosed)
	post("/api/v1/open", s.serveOpen)
	s.mountShares(get, post, id)
	get("/favicon.ico", func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, "icon.svg") })
	get("/static/{name}", func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, mux.Vars(r)["name"]) })
	if r.NotFoundHandler == nil {
		r.NotFoundHandler = s.unmatched(r)
	}
	if r.MethodNotAllowedHandler == nil {
		r.MethodNotAllowedHandler = s.unmatched(r)
	}
}

// mountSaves adds the routes of the save journal.
func (s *site) mountSaves(get, post func(path string, h http.HandlerFunc)) {
	const entry = "/saves/{entry:[a-z2-7]{16}}"
	get("/saves", s.signedIn(s.serveSaves))
	get(entry+"/download", s.signedIn(s.serveSaved))
	post(entry+"/restore", s.signedIn(s.serveRestore))
	get(entry+"/drop", s.signedIn(s.serveDrop))
	post(entry+"/drop", s.signedIn(s.serveDrop))
	get(entry+"/undo", s.signedIn(s.serveUndo))
	post(entry+"/undo", s.signedIn(s.serveUndo))
	post(entry+"/deliver", s.signedIn(s.serveDeliver))
}

// site makes what is made once.
func (p *Pages) site() *site {
	p.once.Do(func() {
		p.made = &site{
			Pages:   p,
			base:    strings.TrimSuffix(p.URLs.Public.EscapedPath(), "/"),
			stamp:   assetStamp(),
			views:   parseViews(),
			outages: &outages{since: make(map[string]time.Time)},
			live:    newStreams(),
			arrived: oauth.NewTries(0, 0), // by peer alone
			big:     make(chan struct{}, bigAtOnce),
			trash:   new(trashes),
		}
	})
	return p.made
}

// Handler returns the pages alone, without the rest of the house.
func (p *Pages) Handler() http.Handler {
	r := mux.NewRouter()
	p.Mount(r)
	return r
}

func (p *Pages) brand() string {
	if p.Brand != "" {
		return p.Brand
	}
	return "davwopi"
}

// path is the address of a page of ours on this origin. The parts are words and
// IDs, which need no escaping.
func (s *site) path(parts ...string) string {
	return s.base + s.within + "/" + strings.Join(parts, "/")
}

// top is path for what a visitor's pages do not have of their own.
func (s *site) top(parts ...string) string {
	return s.base + "/" + strings.Join(parts, "/")
}
