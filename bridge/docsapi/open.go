package docsapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// An Opening is a person at a document: what an editor's configuration is made of.
type Opening struct {
	Grant access.Grant // for this file and editor, minted for the page
	File  idmap.Entry  // as the page has just seen it
	Edit  bool         // the person wants to edit; what may be is decided here
	Type  string       // desktop, mobile or embedded; "" desktop
	Lang  string       // RFC 5646 tag of the browser, "" the editor's own
	Back  string       // absolute address to which the editor's close button leads
	Share bool         // the person can share the file
	// Create is where a new document of the kind is made, "" nowhere, and Templates from what.
	Create    string
	Templates []Template
	// Visible tells which of the person's own recent files they still see, and where each
	// is opened. Nil: none is listed.
	Visible func(ctx context.Context, files []idmap.FileID) []Link
}

// A Link is a document in a list of the editor's.
type Link struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	Folder string `json:"folder,omitempty"`
}

// A Template is a file of which new documents can be made.
type Template struct {
	Title string `json:"title"`
	Image string `json:"image"`
	URL   string `json:"url"`
}

// A Page is what the page around the editor is made of.
type Page struct {
	API    string // address of the script that makes the editor
	Origin string // of the document server
	Edit   bool   // the editor edits
	Holder string // who has the file in another program, so that it can only be read; "" nobody
	Config Config
	Events []string // that the page answers
	Ask    string   // path below which it asks, without a slash at its end
	Token  string   // that it shows then; it is good for nothing else
	Key    string
}

// Config is DocsAPI's configuration (reference/wopi.md 16.1). Token is over all the rest.
type Config struct {
	Type         string       `json:"type"`
	DocumentType string       `json:"documentType"`
	Document     document     `json:"document"`
	Editor       editorConfig `json:"editorConfig"`
	Token        string       `json:"token,omitempty"`
}

type document struct {
	FileType    string      `json:"fileType"`
	Key         string      `json:"key"`
	Title       string      `json:"title"`
	URL         string      `json:"url"`
	Permissions permissions `json:"permissions"`
}

type permissions struct {
	Chat                 bool `json:"chat"`
	Comment              bool `json:"comment"`
	Copy                 bool `json:"copy"`
	Download             bool `json:"download"`
	Edit                 bool `json:"edit"`
	FillForms            bool `json:"fillForms"`
	ModifyContentControl bool `json:"modifyContentControl"`
	ModifyFilter         bool `json:"modifyFilter"`
	Print                bool `json:"print"`
	Protect              bool `json:"protect"`
	Review               bool `json:"review"`
}

type editorConfig struct {
	CallbackURL   string        `json:"callbackUrl"`
	Mode          string        `json:"mode"`
	Lang          string        `json:"lang,omitempty"`
	Region        string        `json:"region,omitempty"`
	User          user          `json:"user"`
	CoEditing     coEditing     `json:"coEditing"`
	Recent        []Link        `json:"recent,omitempty"`
	CreateURL     string        `json:"createUrl,omitempty"`
	Templates     []Template    `json:"templates,omitempty"`
	Customization customization `json:"customization"`
}

type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type coEditing struct {
	Mode   string `json:"mode"`
	Change bool   `json:"change"`
}

type customization struct {
	Anonymous anonymous `json:"anonymous"`
	AutoSave  bool      `json:"autosave"`
	Close     visible   `json:"close"`
	Feedback  bool      `json:"feedback"`
	ForceSave bool      `json:"forcesave"` // the save button saves to the file, and not only in the session
	GoBack    *goBack   `json:"goback,omitempty"`
	Help      bool      `json:"help"`
}

type anonymous struct {
	Request bool `json:"request"`
}

type visible struct {
	Visible bool `json:"visible"`
}

type goBack struct {
	URL   string `json:"url"`
	Blank bool   `json:"blank"`
}

// documentTypes are the editors, by file type.
var documentTypes = byType(map[string]string{
	"word":    "doc docm docx dot dotm dotx epub fb2 fodt htm html hwp hwpx md mht mhtml odt ott pages rtf stw sxw txt wps wpt xml",
	"cell":    "csv et ett fods numbers ods ots sxc tsv xls xlsb xlsm xlsx xlt xltm xltx",
	"slide":   "dps dpt fodp key odg odp otp pot potm potx pps ppsm ppsx ppt pptm pptx sxi",
	"pdf":     "djvu oxps pdf xps",
	"diagram": "vsdm vsdx vssm vssx vstm vstx",
})

func byType(kinds map[string]string) map[string]string {
	out := make(map[string]string)
	for kind, types := range kinds {
		for _, t := range strings.Fields(types) {
			out[t] = kind
		}
	}
	return out
}

const (
	maxRecent = 8 // files in the editor's list of recent ones
	// believed is how long a session counts as live without a word of the document server.
	believed = 5 * time.Minute
)

// Open makes the configuration of an editor for one person and document. Where somebody
// has the file in another program it is for reading.
func (d *Docs) Open(ctx context.Context, o Opening) (Page, error) {
	server, err := d.server(o.Grant.Editor)
	if err != nil {
		return Page{}, err
	}
	if waiting, err := d.Saves.Waiting(ctx, o.File.ID); err != nil {
		return Page{}, err
	} else if waiting != nil {
		o.File.Revision = waiting.Revision // what readers are given (DESIGN 7.5)
	}
	if err := d.stillLive(ctx, o.File.ID, o.Grant.Editor); err != nil {
		return Page{}, err
	}
	key, err := d.keyFor(ctx, o.File, o.Grant.Upstream, o.Grant.Editor)
	if err != nil {
		return Page{}, err
	}
	p := Page{
		API: server.API(key), Origin: server.Origin(), Key: key,
		Ask:   "/" + strings.TrimPrefix(d.URLs.Public.JoinPath("docsapi", "page", key).EscapedPath(), "/"),
		Token: d.Tokens.DeriveDocs(o.Grant, access.DocsPage, key),
	}
	p.Edit = o.Edit && o.Grant.Rights >= access.Edit && !o.Grant.SaveOnly
	if p.Holder, err = d.otherHolder(ctx, o.File.ID, o.Grant.Editor); err != nil {
		return Page{}, err
	}
	if p.Holder != "" {
		p.Edit = false
	}
	p.Events = events(o, p.Edit)
	p.Config = d.config(o, key, p.Edit)
	if o.Visible != nil {
		files, err := d.recent(ctx, o.Grant.Principal.UserID(), o.File.ID, maxRecent)
		if err != nil {
			return Page{}, err
		}
		p.Config.Editor.Recent = o.Visible(ctx, files)
	}
	p.Config.Token, err = server.Secret.Sign(p.Config)
	return p, err
}

// events are those that the page answers. A button without an event is not shown.
func events(o Opening, edit bool) []string {
	list := []string{"onRequestClose", "onOutdatedVersion", "onRequestRefreshFile", "onRequestUsers"}
	if o.Grant.Guest() {
		return list
	}
	list = append(list, "onRequestSaveAs")
	if o.Share {
		list = append(list, "onRequestSharingSettings")
	}
	if edit {
		return append(list, "onRequestRename", "onRequestInsertImage", "onRequestHistory", "onRequestHistoryData", "onRequestHistoryClose", "onRequestRestore")
	}
	if o.Grant.Rights >= access.Edit {
		list = append(list, "onRequestEditRights")
	}
	return list
}

func (d *Docs) config(o Opening, key string, edit bool) Config {
	ext := fileType(o.File.Name)
	c := Config{
		Type: o.Type, DocumentType: documentTypes[ext],
		Document: document{
			FileType: ext, Key: key, Title: clip(o.File.Name, maxTitle),
			URL: d.address(d.Tokens.DeriveDocs(o.Grant, access.DocsDownload, key), "download", key),
			Permissions: permissions{
				Chat: true, Copy: true, Download: true, Print: true,
				Edit: edit, Comment: edit, FillForms: edit, ModifyContentControl: edit, ModifyFilter: edit, Review: edit,
			},
		},
		Editor: editorConfig{
			CallbackURL: d.address(d.Tokens.DeriveDocs(o.Grant, access.DocsCallback, key), "callback", key),
			Mode:        "view",
			User:        user{o.Grant.Principal.UserID(), clip(nameOf(o.Grant), maxName)},
			CoEditing:   coEditing{"fast", true},
			CreateURL:   o.Create, Templates: o.Templates,
			Customization: customization{
				AutoSave: true, ForceSave: true, Close: visible{true},
			},
		},
	}
	if c.Type != "mobile" && c.Type != "embedded" {
		c.Type = "desktop"
	}
	if edit {
		c.Editor.Mode = "edit"
	}
	if o.Back != "" {
		c.Editor.Customization.GoBack = &goBack{URL: o.Back}
	}
	if language, region, _ := strings.Cut(o.Lang, "-"); language != "" {
		c.Editor.Lang = strings.ToLower(language)
		if region != "" {
			c.Editor.Region = o.Lang
		}
	}
	return c
}

func nameOf(g access.Grant) string {
	if g.Principal.Name != "" {
		return g.Principal.Name
	}
	return g.Principal.Subject
}

// fileType is the extension as the Docs API has it.
func fileType(name string) string {
	_, ext := wopi.SplitExt(name)
	return strings.ToLower(strings.TrimPrefix(ext, "."))
}

// otherHolder is who keeps a file from being edited here: through another editor, or a
// program on the upstream.
func (d *Docs) otherHolder(ctx context.Context, file idmap.FileID, editor string) (string, error) {
	now, err := d.DB.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("docsapi: holder: %w", err)
	}
	state, err := d.Locks.State(ctx, file)
	if err != nil {
		return "", err
	}
	switch {
	case state.Lock.Held(now) && state.Holder.Editor != editor:
		return nameOr(state.Holder.Name), nil
	case !state.Lock.Held(now) && state.Met != nil:
		return nameOr(state.Met.Holder), nil
	}
	return "", nil
}

// nameOr is a holder's name, "?" if it is not known.
func nameOr(name string) string {
	return cmp.Or(strings.TrimSuffix(name, " via davwopi"), "?")
}

// stillLive asks after a session of which nothing was heard for a while, so that nobody
// is led into one that a document server has lost. One that does not answer is believed
// to have it still: nobody can open anything there now.
func (d *Docs) stillLive(ctx context.Context, file idmap.FileID, editor string) error {
	list, err := d.sessions(ctx, `file = ? AND editor = ? AND state IN (?, ?)`, string(file), editor, int64(live), int64(failed))
	if err != nil {
		return err
	}
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: %w", err)
	}
	for _, s := range list {
		if s.state == live && now.Sub(s.heard) < believed {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := d.askAfter(ctx, s)
		if fresh, readErr := d.session(ctx, s.key); err == nil && readErr == nil && fresh.state == failed {
			err = d.stillKept(ctx, fresh)
		}
		cancel()
		if err != nil && !errors.Is(err, ErrDown) {
			d.OnError("docs: asking after a session", err)
		}
	}
	return nil
}
