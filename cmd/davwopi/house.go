package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/containers"
	"davwopi/bridge/discovery"
	"davwopi/bridge/docsapi"
	"davwopi/bridge/doctor"
	"davwopi/bridge/ecosystem"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/files"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/metrics"
	"davwopi/bridge/rehearse"
	"davwopi/bridge/saves"
	"davwopi/bridge/textedit"
	"davwopi/bridge/web"
	"davwopi/config"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/localdav"
	"davwopi/davbackend/profile"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// A house is the rooms, wired.
type house struct {
	config   *config.Config
	log      zerolog.Logger
	loud     *bridge.Threshold
	counters *metrics.Counters

	db        *sqldb.DB
	sealer    *oauth.Sealer
	sessions  *oauth.Sessions
	links     *oauth.Links
	passwords *oauth.AppPasswords
	provider  *oauth.OIDC // nil: people sign in another way
	people    *oauth.ProviderTokens
	phones    *facade.Facade // nil: Office on phones does not sign in here
	upstreams *access.Upstreams
	rules     access.Rules
	local     *localdav.Server // nil with an upstream url
	profiles  *profile.Store
	signedIn  chan oauth.Principal // who may lend an account for measuring
	ids       *idmap.Map
	walkers   []*walker
	tokens    *access.Tokens
	tickets   *access.Tickets
	shares    *access.Shares
	keys      *access.APIKeys
	editors   *discovery.Editors
	locks     *locks.Locks
	saves     *saves.Saves
	rehearsal *rehearse.Rehearsal
	userInfo  *files.UserInfo
	comments  *files.Activities
	history   *history.History
	shared    *endpoint.Endpoint
	docs      *docsapi.Docs // nil: no editor has a secret for the Docs API
	pages     *web.Pages
	changes   *web.Changes
	doctor    *doctor.Doctor
	bridge    *bridge.Bridge
	audit     *bridge.Audit // nil: none is kept; opened last

	closers []func() error
}

// build makes every room. What was made is closed by close, also after an error.
func build(ctx context.Context, c *config.Config, log zerolog.Logger, loud *bridge.Threshold, key string) (*house, error) {
	h := &house{config: c, log: log, loud: loud, counters: metrics.NewCounters()}
	journalist := &bridge.Journalist{Log: log, Threshold: loud, Requests: c.Log.Requests}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"state", func(ctx context.Context) error { return h.openState(ctx, key) }},
		{"upstream", h.openUpstreams},
		{"sign-in", h.openProvider},
		{"upstream", h.checkLocals},
		{"walk", h.openWalks},
		{"authority", h.openAuthority},
		{"phones", h.openPhones},
		{"safety", func(ctx context.Context) error { return h.openSafety(ctx, journalist) }},
		{"front", func(context.Context) error { return h.assemble(journalist) }},
		{"editors", func(ctx context.Context) error { return h.openDocs(ctx, journalist) }},
		{"state", func(ctx context.Context) error { return newerRooms(ctx, h.db) }},
	} {
		if err := step.do(ctx); err != nil {
			return h, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return h, nil
}

// close ends what build opened, the newest first.
func (h *house) close() error {
	var faults []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		faults = append(faults, h.closers[i]())
	}
	h.closers = nil
	return errors.Join(faults...)
}

func (h *house) openUpstreams(ctx context.Context) error {
	credentials, err := oauth.NewCredentials(ctx, h.db, h.sealer)
	if err != nil {
		return err
	}
	stamp, err := h.ids.StampName(ctx)
	if err != nil {
		return err
	}
	h.upstreams = &access.Upstreams{Credentials: credentials, IDs: h.ids, Sealer: h.sealer}
	for i := range h.config.Upstreams {
		up, err := newUpstream(&h.config.Upstreams[i])
		if err != nil {
			return err
		}
		if up.Client == nil {
			if err := h.openLocal(up); err != nil {
				return err
			}
		}
		up.Client.Stamp, up.Client.Observe, up.Client.Join = stamp, h.counters.Upstream(up.Name), !h.config.Replicas
		h.upstreams.List = append(h.upstreams.List, up)
	}
	return h.openProfiles(ctx)
}

// openLocal puts the embedded server behind up, in process.
func (h *house) openLocal(up *access.Upstream) (err error) {
	if err := makeSamples(h.config.Dir); err != nil {
		return err
	}
	if h.local, err = localdav.Open(h.config.Dir, h.db); err != nil {
		return err
	}
	h.closers = append(h.closers, h.local.Close)
	if h.config.Upstreams[0].Expose {
		h.local.Prefix = strings.TrimSuffix(h.config.PublicURL.Path, "/") + "/dav"
	}
	h.local.MaxSize = int64(h.config.Saves.MaxFileSize)
	up.Client = &davbackend.Client{
		Base:      &url.URL{Scheme: "http", Host: "embedded.invalid", Path: h.local.Prefix + "/"},
		Transport: h.local.RoundTripper(),
		Assumed:   davbackend.Embedded,
	}
	return nil
}

func (h *house) openAuthority(ctx context.Context) (err error) {
	if h.rules, err = accessRules(h.config); err != nil {
		return err
	}
	keys, err := apiKeys(h.config)
	if err != nil {
		return err
	}
	if h.sessions, err = oauth.NewSessions(ctx, h.db); err != nil {
		return err
	}
	h.sessions.Idle, h.sessions.Lifetime = h.config.SignIn.Idle, h.config.SignIn.Lifetime
	if h.links, err = oauth.NewLinks(ctx, h.db); err != nil {
		return err
	}
	if h.passwords, err = oauth.NewAppPasswords(ctx, h.db); err != nil {
		return err
	}
	if h.tokens, err = access.NewTokens(ctx, h.db, h.sealer); err != nil {
		return err
	}
	if h.tickets, err = access.NewTickets(ctx, h.db); err != nil {
		return err
	}
	if err = h.openShares(ctx); err != nil {
		return err
	}
	h.keys, err = access.NewAPIKeys(ctx, h.db, keys)
	return err
}

func (h *house) openSafety(ctx context.Context, j *bridge.Journalist) (err error) {
	c := h.config
	if h.editors, err = h.newEditors(ctx); err != nil {
		return err
	}
	h.locks, err = locks.New(ctx, locks.Locks{
		DB: h.db, IDs: h.ids, Upstreams: h.upstreams,
		Respect: c.Locks.RespectLockFiles, Announce: *c.Locks.AnnounceLocks,
		OnError: j.Loop, Debug: j.Harmless,
	})
	if err != nil {
		return err
	}
	if !h.db.Shared() {
		if err := h.locks.Alone(ctx); err != nil {
			return err
		}
	}
	h.saves, err = saves.New(ctx, saves.Saves{
		Dir: filepath.Join(c.State.Dir, "saves"), DB: h.db, IDs: h.ids, Locks: h.locks,
		InDatabase: c.Saves.Store == "database", Volume: c.Saves.Dir, Replicas: c.Replicas,
		MaxBytes: int64(c.Saves.MaxFileSize), Patience: c.Saves.Patience,
		WhenDown: saves.Policy(c.Saves.WhenUpstreamIsDown), MaxAge: c.Saves.MaxAge,
		UndoBytes: h.undoBytes(), UndoAge: c.Saves.UndoAge,
		OnError: j.Loop,
	})
	if err != nil {
		return err
	}
	h.rehearsal, err = rehearse.New(ctx, rehearse.Rehearsal{
		DB: h.db, IDs: h.ids, Locks: h.locks, Saves: h.saves, Upstreams: h.upstreams, Profiles: h.profiles,
	})
	if err != nil {
		return err
	}
	if h.userInfo, err = files.NewUserInfo(ctx, h.db); err != nil {
		return err
	}
	h.history, err = history.New(ctx, h.db)
	if err != nil {
		return err
	}
	if h.comments, err = files.NewActivities(ctx, h.db); err != nil {
		return err
	}
	h.changes, err = web.NewChanges(ctx, h.db)
	return err
}

// newEditors lists the built-in text editor last: a configured editor that can
// edit text wins.
func (h *house) newEditors(ctx context.Context) (*discovery.Editors, error) {
	c := h.config
	signers, err := newSigners(ctx, h.db)
	if err != nil {
		return nil, err
	}
	seen, err := signers.seen(ctx)
	if err != nil {
		return nil, err
	}
	e := &discovery.Editors{
		Seen:     seen,
		Remember: func(editor string) { signers.remember(editor, h.log) },
		HTTP:     &http.Client{Timeout: 15 * time.Second},
		Prefer:   c.Prefer,
		Now:      time.Now,
	}
	e.List = configured(c)
	e.List = append(e.List, discovery.Editor{
		URL: textEditor, Name: "Text editor",
		Builtin: func() []byte { return textedit.Discovery(c.PublicURL.URL) },
	})
	return e, nil
}

// textEditor is the identity of the built-in editor.
const textEditor = "davwopi:text"

func (h *house) assemble(j *bridge.Journalist) error {
	c := h.config
	urls := endpoint.URLs{Public: c.PublicURL.URL, WOPI: c.WOPIURL.URL}
	shared := &endpoint.Endpoint{
		URLs: urls, Tokens: h.tokens, Rules: h.rules, Upstreams: h.upstreams, IDs: h.ids, Locks: h.locks,
		Saves: h.saves, Editors: h.editors, Version: brand + " " + buildVersion(), Machine: machine(c), MaxBody: int64(c.Saves.MaxFileSize), Log: h.heard(j), Now: time.Now,
		Offers: endpoint.Offers{
			WriteRelative: c.WOPI.WriteRelative, FileURL: c.WOPI.FileURL,
			BusinessUsers: c.WOPI.BusinessUsers, Containers: c.WOPI.Containers,
		},
		Share: h.share, Linked: h.linked, Networks: prefixes(c.WOPI.Networks), AtOnce: c.WOPI.RequestsPerToken,
	}
	h.shared = shared
	h.openPages(shared, j)
	endpointRoom := &files.Files{Endpoint: shared, UserInfo: h.userInfo, Activities: h.comments, Brand: brand, RootName: h.rootName}
	folders := &containers.Containers{Endpoint: shared}
	above := &ecosystem.Ecosystem{Endpoint: shared, Info: folders.Info}
	h.bridge = &bridge.Bridge{
		Rooms:    []bridge.Mounter{endpointRoom, folders, above, textedit.Editor{URLs: urls, Ancestors: c.Ancestors()}, h.doctor, h.pages},
		Hosts:    hosts(c),
		Loopback: config.IsLoopback(c.PublicURL.Hostname()),
		Prefix:   strings.TrimSuffix(c.PublicURL.Path, "/"),
		Origins:  []string{urls.Origin()},
		Healthy:  h.healthy,
		Ready:    h.ready,
		Observe:  h.observed(j),
		Refuse:   h.pages.Refuse,
		Commands: h.audited(h.commands()),
		Version:  buildVersion(),
		Log:      h.log,
	}
	door, err := h.bootstrapper(shared, folders)
	if err != nil {
		return err
	}
	if door != nil {
		h.bridge.Rooms = append(h.bridge.Rooms, door)
	}
	h.bridge.Identity = identityHeaders(c)
	h.bridge.TrustedProxies = prefixes(c.TrustedProxies)
	if h.local != nil && c.Upstreams[0].Expose {
		h.bridge.DAV = &bridge.DAVDoor{
			Server: h.local, Prefix: h.local.Prefix, Check: h.checkAppPassword,
			Rules: h.rules, Upstream: c.Upstreams[0].Name, Fault: j.Page, Audit: h.davDeed,
			As: func(by oauth.AppPassword) http.Handler {
				return h.local.With(h.pages.DAVProperties(by, c.Upstreams[0].Name))
			},
		}
	}
	return nil
}

// openPages makes what people see, with all that they can reach from there.
func (h *house) openPages(shared *endpoint.Endpoint, j *bridge.Journalist) {
	c := h.config
	h.pages = &web.Pages{
		URLs: shared.URLs, Sessions: h.sessions, Links: h.links, Upstreams: h.upstreams, IDs: h.ids, Tokens: h.tokens,
		Tickets: h.tickets, Shares: h.shares, Keys: h.keys, Rules: h.rules, Editors: h.editors, Locks: h.locks, Offers: shared.Offers, Log: j.Page,
		Secure: c.PublicURL.Scheme == "https", Exposed: exposed(c), Brand: brand, Entered: h.hasSignedIn, Saves: h.saves, Changes: h.changes,
	}
	h.pages.Provider, h.pages.Proxy, h.pages.Phones = h.signInAtProvider(), h.signInByProxy(), h.phones
	h.pages.Ancestors = c.Ancestors()
	if c.PrivacyURL.URL != nil {
		h.pages.Privacy = c.PrivacyURL.String()
	}
	if h.provider != nil {
		h.provider.Redirect = h.pages.CallbackURL()
	}
	if c.SignIn.Kind == "upstream" {
		h.pages.Password = &oauth.PasswordSignIn{Check: h.checkPassword, Upstream: c.SignIn.Upstream, Now: time.Now}
	}
	h.pages.Launching = h.launching()
	h.pages.History = h.history
	h.pages.Comments, h.pages.Commented = h.commentsOn, h.comments.Commented
	h.openDoctor()
	h.pages.Admin, h.pages.Checkup, h.pages.Audit = h.isAdmin, h.checkup, h.deed
}

const brand = "davwopi"

// exposed tells plain http on a network, of which pages warn.
func exposed(c *config.Config) bool {
	return c.PublicURL.Scheme != "https" && !config.IsLoopback(c.PublicURL.Hostname())
}

// hosts are the names that are served, lower case, without port.
func hosts(c *config.Config) []string {
	list := []string{strings.ToLower(c.PublicURL.Hostname()), strings.ToLower(c.WOPIURL.Hostname())}
	for _, name := range c.AllowedHosts {
		list = append(list, strings.ToLower(name))
	}
	return list
}

func (h *house) rootName(upstream string) string {
	up, err := h.upstreams.Get(upstream)
	if err != nil {
		return upstream
	}
	return up.DisplayName
}

// checkPassword asks the upstream whether it knows the person.
func (h *house) checkPassword(ctx context.Context, user, password string) error {
	up, err := h.upstreams.Get(h.config.SignIn.Upstream)
	if err != nil {
		return err
	}
	_, err = up.Client.As(davbackend.Credential{Kind: "password", User: user, Secret: password}).Stat(ctx, "/")
	if errors.Is(err, dav.ErrUnauthorized) || errors.Is(err, dav.ErrDenied) {
		return oauth.ErrRefused
	}
	return err
}

// checkAppPassword takes any user name: the password alone is the person's.
func (h *house) checkAppPassword(ctx context.Context, _, password string) (oauth.AppPassword, error) {
	return h.passwords.Check(ctx, password)
}
