package web

import (
	"context"
	"net/http"
	"slices"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/words"
)

// categories are the values of VALIDATOR_TEST_CATEGORY, and what they play.
var categories = []string{"All", "OfficeOnline", "OfficeNativeClient"}

// category is what r says of the validator's tests, "" nothing.
func category(r *http.Request) string {
	if c := r.URL.Query().Get("category"); slices.Contains(categories, c) {
		return c
	}
	return ""
}

// askCategory answers instead of the host page where an editor would play the WOPI
// validator over the file and nobody has said which of its tests. A ticket's page asks
// nothing, since it is made once: without a category, the validator plays all.
func (s *site) askCategory(w http.ResponseWriter, r *http.Request, o opening) bool {
	if o.Session == "" || category(r) != "" {
		return false
	}
	a, err := s.action(r.Context(), o)
	if err != nil || !a.Validates() {
		return false
	}
	back, _ := s.backFrom(r.Context(), o) // there is a way back in any case
	s.show(w, r, http.StatusOK, "validator", words.Plain(o.Place.Entry.Name), o.Who, policy{}, struct {
		Name, Editor string
		Edit         bool
		Back         step
	}{o.Place.Entry.Name, a.Editor.Name, min(o.Rights, o.Place.Rights) >= access.Edit && o.Mode == discovery.ModeEdit, back})
	return true
}

// action is what the editor does with o's file.
func (p *Pages) action(ctx context.Context, o opening) (discovery.Action, error) {
	ext := extension(o.Place.Entry.Name)
	a, err := p.Editors.Action(ctx, ext, o.Mode, o.Place.Seen.Size, o.Editor)
	if err == nil && a.Mode == discovery.ModeConvert && !p.mayConvert(o) {
		return p.Editors.Action(ctx, ext, discovery.ModeView, o.Place.Seen.Size, o.Editor)
	}
	return a, err
}

// mayConvert asks whether the editor may make a copy of o's file beside it
// (PutRelativeFile). Afterwards it leads to the copy's own page, which a ticket does
// not open.
func (p *Pages) mayConvert(o opening) bool {
	at := o.Place
	return p.Offers.WriteRelative && o.Session != "" && o.Scope != at.Entry.ID && min(o.Rights, at.Rights) >= access.Edit &&
		p.Rules.Allows(o.Who, at.Upstream.Name, string(at.Entry.Path.Parent())) >= access.Edit
}

// conversion offers to make a copy that can be edited of a file that can only be read;
// the zero step if there is nothing to offer.
func (s *site) conversion(ctx context.Context, o opening) step {
	o.Mode = discovery.ModeEdit
	a, err := s.action(ctx, o)
	if err != nil || a.Mode != discovery.ModeConvert {
		return step{}
	}
	name := words.Say("convert.newer")
	if a.Target != "" {
		name = words.Say("convert.as", "ext", a.Target)
	}
	return step{name, s.path("edit", string(o.Place.Entry.ID))}
}
