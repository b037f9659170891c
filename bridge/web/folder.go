package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A row is one file or folder of a listing.
type row struct {
	Name, Kind     string
	KindName       words.Text
	Href           string // where the name leads
	View, Download string // other ways, "" none
	Comments       string // where the comments are, "" there are none
	Share          string // where it is shared, "" nowhere
	Apps           []launchLink
	Size           int64 // bytes, -1 none
	Modified       time.Time
	Holder         words.Text // who has it open, nil nobody
	Since          time.Time
	Waits          string // the upstream that this waits for, "" it is there
	About          string // the page that says all about it, with all that can be done
	Can            string // "c": this person may rename, move and delete it
	Fresh          bool   // it was just made, renamed or put here
	ID             idmap.FileID
}

// A crumb is a way to a folder. Of all files together it has no name: they are nobody's.
type crumb struct{ Name, Href string }

type folderBody struct {
	Name      string
	Crumbs    []crumb // above this folder
	Rows      []row
	Total     int
	Hidden    int    // names that begin with a dot and are not shown
	ShowAll   string // the address that shows them
	HideDots  string // the address that hides them again, "" they are not shown
	Held      bool   // somebody has one of the rows open
	Commented bool   // one of the rows has comments
	Launched  bool   // one of the rows has links to apps
	Cut       bool   // the folder has more than was read
	Seen      int    // entries that were read
	Page      int    // from 1
	Pages     int
	Prev      string
	Next      string
	Sort      map[string]sortLink
	Read      bool   // the rules let this person only read here
	Share     string // where the folder is shared, "" nowhere

	ID     idmap.FileID
	Make   string // where something new is made, "" not by this person
	Upload string // where files are uploaded, "" not by this person
	Kinds  []blankKind
	Trash  bool        // what is deleted here can be had back
	Links  bool        // addresses of rows are good for others, too
	Query  string      // what names have to contain, "" anything
	Clear  string      // the address without that
	Fields [][2]string // of the address, that a search keeps
	Done   *doneBody
	About  string // the page about the folder itself, "" the root's
}

// doneBody says what was just done.
type doneBody struct {
	Words words.Text
	Undo  string // where to post that it is taken back, "" it cannot be
	Open  string // where what was made opens, "" nowhere
}

type sortLink struct {
	Href string
	Aria string // aria-sort: "ascending", "descending", "none"
}

// serveRoot is GET /: the one folder where everything begins, or a choice.
func (s *site) serveRoot(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	type root struct{ Name, Href string }
	var roots []root
	var failed error
	var single place
	for _, up := range s.Upstreams.List {
		for _, path := range s.Rules.Entrances(session.Principal, up.Name) {
			at, err := s.at(r.Context(), session.Principal, up, path)
			if err != nil {
				failed = cmp.Or(failed, err)
				continue
			}
			single = at
			name := at.Entry.Name
			if path.IsRoot() || name == "" {
				name = s.upstreamName(up.Name)
			}
			roots = append(roots, root{name, s.path("folder", string(at.Entry.ID))})
		}
	}
	switch {
	case len(roots) == 0 && failed == nil:
		failed = idmap.ErrNotFound
		fallthrough
	case len(roots) == 0:
		s.failList(w, r, session.Principal, failed)
	case len(roots) == 1 && failed == nil:
		s.listFolder(w, r, session.Principal, single)
	default:
		if failed != nil {
			s.Log(r, failed)
		}
		s.show(w, r, http.StatusOK, "roots", words.Say("folder.files"), session.Principal, policy{}, struct {
			Roots  []root
			Failed words.Text
		}{roots, s.explainShortly(failed)})
	}
}

// serveFolder is GET /folder/{id}.
func (s *site) serveFolder(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	at, err := s.locate(r.Context(), session.Principal, idmap.FileID(mux.Vars(r)["id"]))
	if err != nil {
		s.failList(w, r, session.Principal, err)
		return
	}
	if at.Entry.Kind != idmap.Container {
		http.Redirect(w, r, s.path("view", string(at.Entry.ID)), http.StatusSeeOther)
		return
	}
	s.listFolder(w, r, session.Principal, at)
}

// listFolder answers with one page of a folder.
func (s *site) listFolder(w http.ResponseWriter, r *http.Request, who oauth.Principal, at place) {
	body, err := s.folder(r, who, at)
	if err == nil {
		err = s.holders(r.Context(), &body)
	}
	if err == nil {
		body.Commented, err = s.commented(r.Context(), body.Rows)
	}
	if err == nil {
		err = s.doing(r, who, at, &body)
	}
	if err != nil {
		s.failList(w, r, who, err)
		return
	}
	s.show(w, r, http.StatusOK, "folder", words.Plain(body.Name), who, policy{}, body)
}

// folder makes one page of a folder, all but who holds what.
func (s *site) folder(r *http.Request, who oauth.Principal, at place) (folderBody, error) {
	ctx := r.Context()
	l, release, err := s.list(ctx, at)
	defer release()
	if err != nil {
		return folderBody{}, &placeError{at.Upstream, at.Entry.Name, err}
	}
	s.outages.over(at.Upstream.Name)
	body := folderBody{Name: s.folderName(at), Cut: !l.whole, Seen: len(l.members), Read: at.Rights < access.Edit}
	body.Share = s.sharing(at.Entry.ID)
	if body.Crumbs, err = s.crumbs(ctx, who, at); err != nil {
		return folderBody{}, err
	}
	waits, err := s.waitings(ctx)
	if err != nil {
		return folderBody{}, err
	}
	truth, err := s.foretell(ctx, at, l, waits)
	if err != nil {
		return folderBody{}, err
	}
	body.Query = r.URL.Query().Get("q")
	page := s.paginate(r, matching(s.visible(who, at, l, r.URL.Query().Has("all"), &body), body.Query), &body)
	truth()
	l, page = l.narrow(page)
	entries, err := s.identify(ctx, at, l, page)
	if err != nil {
		return folderBody{}, err
	}
	body.Rows = s.rows(ctx, who, at, page, entries)
	if err := s.fromJournal(ctx, who, at, &body, waits); err != nil {
		return folderBody{}, err
	}
	return body, s.appsOf(r, who, at, &body, entries)
}

func (s *site) folderName(at place) string {
	if at.Entry.Path.IsRoot() || at.Entry.Name == "" {
		return s.upstreamName(at.Upstream.Name)
	}
	return at.Entry.Name
}

// crumbs are the folders above, as far as the rules let this person see them.
func (s *site) crumbs(ctx context.Context, who oauth.Principal, at place) ([]crumb, error) {
	var out []crumb
	if len(s.Upstreams.List) > 1 && s.visit == nil {
		out = append(out, crumb{"", s.path()})
	}
	above, err := s.IDs.Ancestors(ctx, at.Entry.Space, at.Entry.ID)
	if err != nil {
		return nil, err
	}
	for _, e := range above {
		if s.allows(who, at.Upstream.Name, string(e.Path)) < access.View {
			continue
		}
		name, href := e.Name, s.path("folder", string(e.ID))
		if e.Path.IsRoot() {
			name = s.upstreamName(at.Upstream.Name)
		}
		out = append(out, crumb{name, href})
	}
	return out, nil
}

// visible are the members that this person may see. all shows names with a dot too.
func (s *site) visible(who oauth.Principal, at place, l listing, all bool, body *folderBody) []*member {
	out := make([]*member, 0, len(l.members))
	folder := strings.TrimSuffix(string(at.Entry.Path), "/") + "/"
	for i := range l.members {
		m := &l.members[i]
		name := m.name()
		if lockFile(name) || s.allows(who, at.Upstream.Name, folder+name) < access.View {
			continue
		}
		if strings.HasPrefix(name, ".") && !all {
			body.Hidden++
			continue
		}
		out = append(out, m)
	}
	return out
}

// rows makes the rows of one page.
func (s *site) rows(ctx context.Context, who oauth.Principal, at place, page []*member, entries []idmap.Entry) []row {
	s.ownEditor(ctx)
	rows := make([]row, 0, len(page))
	for i, e := range entries {
		one := s.row(e, page[i], s.allows(who, at.Upstream.Name, string(e.Path)))
		if at.Rights >= access.Edit && s.mayChange(who, at.Upstream.Name, e) {
			one.Can = "c"
		}
		rows = append(rows, one)
	}
	return rows
}

// ownEditor asks what the built-in editor can do. That is made in process: a page may
// wait for it, as it must not for others. An error means that nothing can be edited.
func (s *site) ownEditor(ctx context.Context) {
	for _, e := range s.Editors.List {
		if e.Builtin != nil {
			_, _ = s.Editors.Action(ctx, "txt", discovery.ModeView, 1, e.URL)
		}
	}
}

// row decides where a name leads: into the editor where one can, to the page that
// explains editors for office files, else to the bytes.
func (s *site) row(e idmap.Entry, seen *member, rights access.Rights) row {
	id := string(e.ID)
	out := row{Name: e.Name, Size: -1, Modified: seen.modified, ID: e.ID, Share: s.sharing(e.ID), About: s.path("document", id)}
	if e.Kind == idmap.Container {
		out.Kind, out.Href = "folder", s.path("folder", id)
		out.KindName = kindName(out.Kind)
		return out
	}
	ext := extension(e.Name)
	out.Kind, out.Size = kindOf(ext), seen.size
	out.KindName = kindName(out.Kind)
	out.Download = s.path("download", id)
	view, edit := s.Editors.Can(ext)
	switch {
	case edit && rights >= access.Edit:
		out.Href, out.View = s.path("edit", id), s.path("view", id)
		if seen.size == 0 && office(out.Kind) {
			out.View = "" // a new document, of which there is nothing to see yet
		}
	case edit || view:
		out.Href = s.path("view", id)
	case office(out.Kind) && rights >= access.Edit:
		out.Href = s.path("edit", id)
	case office(out.Kind):
		out.Href = s.path("view", id)
	default:
		out.Href = out.Download
	}
	return out
}

// paginate sorts the members as the address says and returns one page of them.
func (s *site) paginate(r *http.Request, all []*member, body *folderBody) []*member {
	q := r.URL.Query()
	by, down := q.Get("sort"), q.Get("dir") == "desc"
	if orders[by] == nil {
		by, down = "name", false
	}
	order(all, by, down)
	body.Total, body.Pages = len(all), max(1, (len(all)+pageRows-1)/pageRows)
	body.Page, _ = strconv.Atoi(q.Get("page")) // what is no number is the first page
	body.Page = min(max(body.Page, 1), body.Pages)
	s.links(q, by, down, body)
	return all[(body.Page-1)*pageRows : min(body.Page*pageRows, len(all))]
}

// links are the addresses of the other pages and orders.
func (s *site) links(q url.Values, by string, down bool, body *folderBody) {
	here := func(sort string, desc bool, page int, all bool) string {
		v := url.Values{}
		if sort != "name" || desc {
			v.Set("sort", sort)
		}
		if desc {
			v.Set("dir", "desc")
		}
		if page > 1 {
			v.Set("page", strconv.Itoa(page))
		}
		if all {
			v.Set("all", "")
		}
		if body.Query != "" {
			v.Set("q", body.Query)
		}
		return "?" + v.Encode()
	}
	dots := q.Has("all")
	s.search(q, by, down, body)
	body.Sort = make(map[string]sortLink, len(orders))
	for name := range orders {
		link := sortLink{here(name, name == by && !down, 1, dots), "none"}
		if name == by {
			link.Aria = map[bool]string{false: "ascending", true: "descending"}[down]
		}
		body.Sort[name] = link
	}
	body.ShowAll = here(by, down, body.Page, true)
	if dots {
		body.HideDots = here(by, down, 1, false)
	}
	if body.Page > 1 {
		body.Prev = here(by, down, body.Page-1, dots)
	}
	if body.Page < body.Pages {
		body.Next = here(by, down, body.Page+1, dots)
	}
}

// fileIDs are those of the rows that are files.
func fileIDs(rows []row) []idmap.FileID {
	ids := make([]idmap.FileID, 0, len(rows))
	for _, r := range rows {
		if r.Kind != "folder" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// holders notes who has which file open, from the database alone.
func (s *site) holders(ctx context.Context, body *folderBody) error {
	rows := body.Rows
	ids := fileIDs(rows)
	if len(ids) == 0 {
		return nil
	}
	states, err := s.Locks.States(ctx, ids)
	if err != nil {
		return err
	}
	now, err := s.IDs.DB.Now(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		if state, ok := states[rows[i].ID]; ok {
			h := holderOf(state, now)
			rows[i].Holder, rows[i].Since = h.Name, h.Since
			body.Held = body.Held || h.Name != nil
		}
	}
	return nil
}
