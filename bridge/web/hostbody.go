package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// hostBody is the host page. The access token is in Token alone. An address that is "" is
// not offered.
type hostBody struct {
	ActionURL string
	Token     string
	TTL       int64      // access_token_ttl: ms since 1970
	Holder    words.Text // who has the file, for the text editor; nil nobody
	Config    string     // ONLYOFFICE's docs_api_config
	Icon      string
	Name      string
	Kind      string
	Own       bool // the editor is ours
	Back      step
	Download  string
	Details   string
	Share     string
	Switch    step // to editing, or to reading
	Apps      []launchLink
	Formats   []format // in which the file can be downloaded besides its own
	Rename    bool     // by the page; editors have their own ways besides
	SaveAs    bool     // likewise
	Note      words.Text
	NoteKey   string // what the script knows the note by, "" it stays until it is hidden
	Way       step   // that the note offers
	Comments  step   // where they are
	Script    hostScript
}

// hostScript is what the page's script is told.
type hostScript struct {
	Origin    string   `json:"origin"` // of the frame, "" the page's own: messages of no other are heard
	Office    string   `json:"office"` // whose messages they are
	Name      string   `json:"name"`
	Brand     string   `json:"brand"`
	Folder    string   `json:"folder"`
	Page      string   `json:"page"`     // this one
	Edit      string   `json:"edit"`     // host page in edit mode, "" not allowed
	Rename    string   `json:"rename"`   // where the document gets another name, "" by the editor
	Renew     string   `json:"renew"`    // where a new token is asked for, "" nowhere
	State     string   `json:"state"`    // where to ask how things stand, "" nowhere
	Ask       string   `json:"ask"`      // the token for that, "" the session is enough
	Beside    string   `json:"beside"`   // where to ask for the page of a file beside this one, "" nowhere
	Pictures  string   `json:"pictures"` // where pictures are listed, "" nowhere
	Picture   string   `json:"picture"`  // where the address of one is asked for
	Share     string   `json:"share"`    // where the file is shared, "" nowhere
	Details   string   `json:"details"`  // the file's own page, "" nowhere
	Editing   bool     `json:"editing"`  // the page is for editing
	Editor    string   `json:"editor"`   // identity of the editor
	Called    string   `json:"called"`   // the editor's name for people
	User      string   `json:"user"`     // UserID of the person for whom the page was made
	Expires   int64    `json:"expires"`
	SignIn    string   `json:"signIn"`
	Ancestors []string `json:"ancestors"` // origins of pages that may frame this one

	Docs *docsScript `json:"docs,omitempty"` // of an editor that is opened by the Docs API; nil: by a form
}

// forceSave lets ONLYOFFICE save when the person says so, and not only after the last one
// has left: its own configuration, below which ours is merged.
const forceSave = `{"editorConfig":{"customization":{"forcesave":true}}}`

// hostBody is what every host page has, and what it may do.
func (s *site) hostBody(r *http.Request, o opening, a discovery.Action, token string, expires int64) (hostBody, policy) {
	e, origin := o.Place.Entry, a.Origin()
	body := hostBody{
		ActionURL: passed(a.URL(s.params(e.ID, r)), r.URL.Query()),
		Token:     token, TTL: expires, Name: e.Name, Kind: kindOf(extension(e.Name)), Icon: icon(a.Icon),
		Back: step{words.Say("step.close_it"), s.path("closed")},
		Script: hostScript{
			Origin: origin, Office: a.Office.String(), Name: e.Name, Brand: s.brand(), Folder: s.path("closed"), Editing: a.Mode != discovery.ModeView,
			Editor: a.Editor.URL, Called: a.Editor.Name, Expires: expires, Ancestors: s.Ancestors,
		},
	}
	if a.Office == wopi.OnlyOffice && body.Script.Editing {
		body.Config = forceSave
	}
	allow := policy{Frame: origin, Form: origin, Image: originOf(body.Icon)}
	if a.Office == wopi.TextEditor {
		// Ours is on whatever name the person came by, localhost or 127.0.0.1.
		body.ActionURL, body.Icon, body.Script.Origin, body.Own = onlyPath(body.ActionURL), onlyPath(body.Icon), "", true
		allow = policy{Frame: "'self'"}
	}
	return body, allow
}

// ownAddresses are those that work for somebody who is signed in.
func (s *site) ownAddresses(r *http.Request, o opening, a discovery.Action, body *hostBody) (err error) {
	e, id, j := o.Place.Entry, string(o.Place.Entry.ID), &body.Script
	if body.Back, err = s.backFrom(r.Context(), o); err != nil {
		return err
	}
	page, other := "edit", step{words.Say("host.view"), s.path("view", id)}
	if !j.Editing {
		page, other = "view", step{words.Say("script.host.edit"), s.path("edit", id)}
	}
	if _, can := s.Editors.Can(extension(e.Name)); o.Place.Rights >= access.Edit && (can || j.Editing) {
		j.Edit, body.Switch = s.path("edit", id), other
	}
	body.Download, body.Details, body.Share = s.path("download", id), s.path("document", id), s.sharing(e.ID)
	j.Folder, j.Page, j.Share, j.Details, j.User = body.Back.Href, s.path(page, id), body.Share, body.Details, o.Who.UserID()
	j.Renew, j.State = s.path(page, id, "token"), s.path("view", id, "state")
	j.SignIn = s.top("signin") + "?next=" + url.QueryEscape(s.path())
	if j.Editing && (a.Office == wopi.Collabora || body.Own) {
		body.SaveAs, j.Beside = s.mayConvert(o), s.path("edit", id, "beside")
	}
	if j.Editing && (a.Office == wopi.Collabora || a.Office == wopi.OnlyOffice) {
		j.Pictures, j.Picture = s.path("edit", id, "pictures"), s.path("edit", id, "picture")
	}
	body.Rename = j.Editing && s.mayChange(o.Who, o.Place.Upstream.Name, e)
	if !body.Own && body.Rename {
		j.Rename = s.path("edit", id, "name")
	}
	l, err := s.launcher(r, o.Who)
	if err != nil {
		return err
	}
	seen := memberOf(o.Place.Seen)
	row := s.row(e, &seen, o.Place.Rights)
	body.Apps = l.links(&row, o.Place.Upstream.Name, e, o.Place.Rights)
	return nil
}

// backFrom is the way back to the folder of o's file, or to all files if this person
// may not see it.
func (s *site) backFrom(ctx context.Context, o opening) (step, error) {
	e := o.Place.Entry
	folder, err := s.IDs.KnownAt(ctx, e.Space, e.Path.Parent())
	switch {
	case err == nil && s.allows(o.Who, o.Place.Upstream.Name, string(folder.Path)) >= access.View:
		return step{words.Say("step.folder"), s.path("folder", string(folder.ID))}, nil
	case errors.Is(err, idmap.ErrNotFound), errors.Is(err, idmap.ErrMissing):
		err = nil
	}
	if s.visit != nil {
		return step{words.Say("step.close_it"), s.path("closed")}, err // for a single file, home is that file
	}
	return step{words.Say("step.files"), s.path()}, err
}

// seenLock is who locks a file on its server, by this request's own look: nobody of ours
// holds it, so nobody has met that lock yet.
func seenLock(seen dav.Resource, state locks.State) holder {
	if state.Lock.ID != "" || state.Shadow.Token != "" {
		return holder{}
	}
	for _, l := range seen.Locks {
		if name, _, ours := strings.Cut(l.Owner, " via davwopi"); !ours { // else one of ours that is just being released
			return holder{Name: holderName(name)}
		}
	}
	return holder{}
}

// says says that a document can only be read for now.
func (h holder) says() words.Text {
	switch {
	case h.Since.IsZero():
		return words.Say("host.taken_now", "name", h.Name)
	case h.Program != "":
		return words.Say("script.host.taken_with", "name", h.Name, "at", h.Since, "program", h.Program)
	}
	return words.Say("script.host.taken", "name", h.Name, "at", h.Since)
}

// whoElse fills in what stands above the editor. The text editor says by itself
// who has the file, when it is refused the lock.
func (s *site) whoElse(ctx context.Context, o opening, a discovery.Action, asked discovery.Mode, body *hostBody) error {
	held, state, err := s.holder(ctx, o.Place.Entry.ID)
	if err != nil {
		return err
	}
	if held.Name == nil {
		held = seenLock(o.Place.Seen, state)
	}
	other := held.Name != nil && state.Holder.UserID != o.Who.UserID() && a.Mode != discovery.ModeConvert // which leaves the file as it is
	if other && body.Own {
		body.Holder = held.Name
	}
	switch {
	case other && !body.Own && state.Holder.Editor == a.Editor.URL:
		body.Note = words.Say("host.together", "name", held.Name)
	case other && !body.Own:
		body.Note, body.NoteKey = held.says(), "holder"
	case asked == discovery.ModeEdit && a.Mode == discovery.ModeView && o.Place.Rights < access.Edit && !body.Own:
		body.Note = words.Say("host.read_only")
	case a.Mode != discovery.ModeView || o.Place.Rights < access.Edit:
	default:
		if body.Way = s.conversion(ctx, o); body.Way.Href != "" {
			body.Note = words.Say("host.older", "name", a.Editor.Name)
		} else if asked == discovery.ModeEdit {
			body.Note = words.Say("host.shows", "name", a.Editor.Name)
		}
		if body.Note != nil {
			body.Switch, body.Script.Edit = step{}, body.Way.Href
		}
	}
	return nil
}
