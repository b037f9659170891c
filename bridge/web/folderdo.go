package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"davwopi/bridge/access"
	"davwopi/bridge/words"
	"davwopi/oauth"
)

// doing adds to the page of a folder what this person can do there, and what they have
// just done.
func (s *site) doing(r *http.Request, who oauth.Principal, at place, body *folderBody) error {
	body.ID = at.Entry.ID
	if !at.Entry.Path.IsRoot() {
		body.About = s.path("document", string(at.Entry.ID))
	}
	if at.Rights >= access.Edit && s.Saves != nil {
		body.Make = s.path("folder", string(at.Entry.ID), "new")
		body.Upload = s.path("folder", string(at.Entry.ID), "upload")
		body.Kinds = s.menuKinds(r)
	}
	body.Links = s.visit == nil
	if s.visit == nil && at.Rights >= access.Edit {
		body.Trash = s.hasTrash(r.Context(), who, at)
	}
	return s.justDone(r, who, body)
}

// menuKinds are the kinds of which everybody makes one now and then; the page has all.
func (s *site) menuKinds(r *http.Request) []blankKind {
	var out []blankKind
	seen := make(map[string]bool)
	for _, k := range s.newKinds(r.Context()) {
		if !seen[k.Kind] {
			seen[k.Kind] = true
			out = append(out, k)
		}
	}
	return out
}

// justDone tells what the address says that was done, to whom it was.
func (s *site) justDone(r *http.Request, who oauth.Principal, body *folderBody) error {
	id := r.URL.Query().Get("done")
	if id == "" || s.Changes == nil {
		return nil
	}
	done, err := s.Changes.get(r.Context(), id, who.UserID())
	if err == errNoChange {
		return nil
	}
	if err != nil {
		return err
	}
	body.Done = &doneBody{Words: done.words()}
	if done.undoable() {
		body.Done.Undo = s.path("undo", id)
	}
	for i := range body.Rows {
		one := &body.Rows[i]
		if one.Fresh = one.ID == done.file && done.kind != didDelete; one.Fresh && one.Kind != "folder" {
			body.Done.Open = one.Href
		}
	}
	return nil
}

// words say what was done.
func (c change) words() words.Text {
	switch c.kind {
	case didUpload:
		if c.count == 1 {
			return words.Say("did.uploaded_one", "name", c.name)
		}
		return words.Say("did.uploaded", "n", c.count)
	case didRename:
		return words.Say("did.renamed", "old", c.old, "name", c.name)
	case didMove:
		return words.Say("did.moved", "name", c.name, "folder", c.old)
	}
	return words.Say("did."+c.kind, "name", c.name)
}

// matching are the members whose names contain what was asked for, in whatever case and
// however their letters are composed.
func matching(all []*member, query string) []*member {
	query = folded(strings.TrimSpace(query))
	if query == "" {
		return all
	}
	out := all[:0]
	for _, m := range all {
		if strings.Contains(folded(m.name()), query) {
			out = append(out, m)
		}
	}
	return out
}

// folded is a name without what people do not type: case and marks on letters.
func folded(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// search fills in what the form of a search keeps, and the way out of it.
func (s *site) search(q url.Values, by string, down bool, body *folderBody) {
	v := url.Values{}
	add := func(name, value string) {
		body.Fields = append(body.Fields, [2]string{name, value})
		v.Set(name, value)
	}
	if by != "name" || down {
		add("sort", by)
	}
	if down {
		add("dir", "desc")
	}
	if q.Has("all") {
		add("all", "")
	}
	body.Clear = "?" + v.Encode()
}

// aboutFolder is a folder as the page about it shows it.
func (s *site) aboutFolder(at place) row {
	seen := memberOf(at.Seen)
	one := s.row(at.Entry, &seen, at.Rights)
	one.Name = s.folderName(at)
	return one
}
