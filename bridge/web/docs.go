package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A DocsOpening is a person at a document that is opened by the Docs API.
type DocsOpening struct {
	Grant access.Grant
	File  idmap.Entry
	Edit  bool   // the person wants to edit
	Type  string // desktop, mobile or embedded
	Lang  string
	Back  string // absolute address
	Share bool   // the person can share the file
	// Create is where a new document of the kind is made beside this one, "" nowhere, and
	// Templates from what of the people's own.
	Create    string
	Templates []DocsTemplate
	// Visible are those of the person's recent files that they still see.
	Visible func(ctx context.Context, files []idmap.FileID) []DocsLink
}

// A DocsLink is a file in a list of the editor's.
type DocsLink struct{ Title, URL, Folder string }

// A DocsTemplate is a file of which new documents can be made.
type DocsTemplate struct{ Title, Image, URL string }

// A DocsPage is what the page around such an editor is made of.
type DocsPage struct {
	Script string   // address of the script that makes the editor
	Config any      // of the editor
	Events []string // of it that the page answers
	Ask    string   // path below which the page asks
	Token  string   // with which it asks
	Edit   bool     // the editor edits
}

// Docs is the Docs API of the house.
type Docs struct {
	// Open makes the page for an editor.
	Open func(ctx context.Context, o DocsOpening) (DocsPage, error)
	// ConvertToken is the token by which a page has the grant's file converted.
	ConvertToken func(g access.Grant) string
	// Downloads are the formats in which a file can be downloaded besides its own.
	Downloads func(name string) []string
}

// docsScript is what the script of the page is told of the Docs API.
type docsScript struct {
	API    string   `json:"api"`
	Config any      `json:"config"`
	Events []string `json:"events"`
	Ask    string   `json:"ask"`
	Token  string   `json:"token"`
	Copies string   `json:"copies"` // path below which files of ours are edited, "" not
}

// recentWithin bounds how long the page waits for the names of recent files.
const recentWithin = 2 * time.Second

// docsPage is hostPage for an editor that is opened by the Docs API.
func (s *site) docsPage(w http.ResponseWriter, r *http.Request, o opening, a discovery.Action, g access.Grant, asked discovery.Mode) {
	if a.Mode == discovery.ModeConvert {
		s.convertingPage(w, r, o, a, g, "")
		return
	}
	ctx, back := r.Context(), step{Href: s.path("closed")}
	if o.Session != "" {
		var err error
		if back, err = s.backFrom(ctx, o); err != nil {
			s.failOpening(w, r, o, err)
			return
		}
	}
	create, templates := s.docsCreate(ctx, o)
	page, err := s.Docs.Open(ctx, DocsOpening{
		Create: create, Templates: templates,
		Grant: g, File: o.Place.Entry, Edit: a.Mode != discovery.ModeView, Type: docsType(r), Lang: language(r),
		Back: s.absolute(back.Href), Share: o.Session != "" && s.sharing(o.Place.Entry.ID) != "",
		Visible: func(ctx context.Context, files []idmap.FileID) []DocsLink {
			if o.Session == "" || s.visit != nil {
				return nil
			}
			return s.recentLinks(ctx, o.Who, files)
		},
	})
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	if !page.Edit {
		a.Mode = discovery.ModeView
	}
	body, allow := s.hostBody(r, o, a, "", g.Expires.UnixMilli())
	body.ActionURL, allow.Form = "", ""
	if o.Session != "" {
		err = s.ownAddresses(r, o, a, &body)
	} else {
		s.askedByToken(g, &body)
	}
	if err == nil {
		err = s.whoElse(ctx, o, a, asked, &body)
	}
	if err == nil {
		body.Comments, err = s.commentsOn(ctx, o)
	}
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	body.Script.Docs = &docsScript{API: page.Script, Config: page.Config, Events: page.Events, Ask: page.Ask, Token: page.Token}
	if o.Session != "" {
		body.Script.Docs.Copies = s.path("edit")
		body.Formats = s.docsFormats(o)
	}
	if s.Saves != nil {
		s.Saves.Saw(o.Place.Entry.ID, o.Who.UserID())
	}
	s.show(w, r, http.StatusOK, "host", words.Plain(body.Name), o.Who, allow, body)
}

// docsFormats are what o's document can be downloaded as.
func (s *site) docsFormats(o opening) (formats []format) {
	if s.Docs.Downloads == nil {
		return nil
	}
	for _, to := range s.Docs.Downloads(o.Place.Entry.Name) {
		formats = append(formats, format{strings.ToUpper(to), s.path("convert", string(o.Place.Entry.ID)) + "?to=" + to})
	}
	return formats
}

// docsCreate is where documents like o's are made beside it.
func (s *site) docsCreate(ctx context.Context, o opening) (string, []DocsTemplate) {
	e := o.Place.Entry
	if o.Session == "" || s.visit != nil || s.allows(o.Who, o.Place.Upstream.Name, string(e.Path.Parent())) < access.Edit {
		return "", nil
	}
	folder, err := s.IDs.KnownAt(ctx, e.Space, e.Path.Parent())
	if err != nil {
		return "", nil // it is offered to nobody
	}
	ext, page := extension(e.Name), s.absolute(s.path("folder", string(folder.ID), "new"))+"?kind="
	create := ""
	if slices.Contains(blankFormats, ext) {
		create = page + ext
	}
	if o.Place.Upstream.Templates == "" {
		return create, nil
	}
	at, err := s.locate(ctx, o.Who, folder.ID)
	if err != nil {
		return create, nil
	}
	var list []DocsTemplate
	for _, t := range s.templates(ctx, o.Who, at) {
		if t.Ext == ext {
			name := strings.TrimPrefix(t.Value, "/")
			list = append(list, DocsTemplate{Title: name, Image: s.absolute(s.base + "/static/icon.svg"), URL: page + url.QueryEscape(t.Value)})
		}
	}
	return create, list
}

// A format is one in which a file can be downloaded.
type format struct{ Name, Href string }

// absolute makes an address of one of our paths.
func (s *site) absolute(path string) string { return s.URLs.Origin() + path }

// docsType is the kind of editor for a browser.
func docsType(r *http.Request) string {
	if t := r.URL.Query().Get("type"); t == "embedded" || t == "mobile" || t == "desktop" {
		return t
	}
	agent := r.UserAgent()
	if strings.Contains(agent, "Mobi") || strings.Contains(agent, "Android") {
		return "mobile"
	}
	return "desktop"
}

// recentLinks are those of files that who still sees, in the same order.
func (s *site) recentLinks(ctx context.Context, who oauth.Principal, files []idmap.FileID) []DocsLink {
	ctx, cancel := context.WithTimeout(ctx, recentWithin)
	defer cancel()
	found := make([]*DocsLink, len(files))
	var all sync.WaitGroup
	for i, id := range files {
		all.Go(func() {
			at, err := s.locate(ctx, who, id)
			if err != nil || at.Entry.Kind != idmap.File {
				return // it is not shown
			}
			folder := at.Entry.Path.Parent()
			link := &DocsLink{Title: at.Entry.Name, URL: s.absolute(s.path("edit", string(id)))}
			if !folder.IsRoot() && s.allows(who, at.Upstream.Name, string(folder)) >= access.View {
				link.Folder = folder.Base()
			}
			found[i] = link
		})
	}
	all.Wait()
	var list []DocsLink
	for _, link := range found {
		if link != nil {
			list = append(list, *link)
		}
	}
	return list
}

// convertingBody is the page on which a file is converted.
type convertingBody struct {
	Name, Kind, To string
	Keep           bool // the result becomes a file beside the original
	Back           step
	Download       string
	Script         convertingScript
}

type convertingScript struct {
	Ask    string `json:"ask"`  // where to ask how far it is
	Take   string `json:"take"` // where the result is fetched, "" it is kept
	Token  string `json:"token"`
	To     string `json:"to"`
	Keep   bool   `json:"keep"`
	Copies string `json:"copies"`
}

// convertingPage has o's file converted: to be downloaded in the format to, or, without
// one, to be edited as a copy.
func (s *site) convertingPage(w http.ResponseWriter, r *http.Request, o opening, a discovery.Action, g access.Grant, to string) {
	id := string(o.Place.Entry.ID)
	back, err := s.backFrom(r.Context(), o)
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	body := convertingBody{
		Name: o.Place.Entry.Name, Kind: kindOf(extension(o.Place.Entry.Name)), To: strings.ToUpper(to), Keep: to == "", Back: back, Download: s.path("download", id),
		Script: convertingScript{
			Ask: s.top("docsapi", "convert", id), Token: s.Docs.ConvertToken(g), To: to, Keep: to == "", Copies: s.path("edit"),
		},
	}
	if body.Keep {
		body.Script.To, body.To = a.Target, strings.ToUpper(a.Target)
	} else {
		body.Script.Take = s.top("docsapi", "converted", id, to)
	}
	s.show(w, r, http.StatusOK, "converting", words.Plain(body.Name), o.Who, policy{}, body)
}

// serveConvertTo is GET /convert/{id}?to=FORMAT: the page from which a file is downloaded
// in another format.
func (s *site) serveConvertTo(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, ok := s.fileHere(w, r, session.Principal)
	if !ok {
		return
	}
	o := s.bound(opening{Place: at, Who: session.Principal, Session: session.ID, Mode: discovery.ModeView, Rights: access.View})
	to, known := r.URL.Query().Get("to"), false
	if s.Docs != nil && s.Docs.Downloads != nil {
		for _, f := range s.Docs.Downloads(at.Entry.Name) {
			known = known || f == to
		}
	}
	a, found := s.docsEditor(r.Context(), at)
	if !known || !found {
		s.fail(w, r, session.Principal, idmap.ErrNotFound)
		return
	}
	_, g, err := s.grant(r.Context(), o, access.View, a.Editor.URL)
	if err != nil {
		s.failOpening(w, r, o, err)
		return
	}
	s.convertingPage(w, r, o, a, g, to)
}

// docsEditor is the first editor with the Docs API that opens the file.
func (s *site) docsEditor(ctx context.Context, at place) (discovery.Action, bool) {
	for _, e := range s.Editors.List {
		if !e.Secret {
			continue
		}
		a, err := s.Editors.Action(ctx, extension(at.Entry.Name), discovery.ModeView, at.Seen.Size, e.URL)
		if err == nil && a.Docs {
			return a, true
		}
	}
	return discovery.Action{}, false
}
