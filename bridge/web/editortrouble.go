package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/oauth"
)

// failOpening answers where a host page could not be made.
func (s *site) failOpening(w http.ResponseWriter, r *http.Request, o opening, err error) {
	switch {
	case o.Session == "":
		s.failOnce(w, r, o, err)
	case errors.Is(err, discovery.ErrDown):
		back, _ := s.backFrom(r.Context(), o) // an error is another trouble; there is a way back in any case
		download := step{words.Say("step.download_file"), s.path("download", string(o.Place.Entry.ID))}
		s.answer(w, r, o.Who, s.editorTrouble(o, step{words.Say("step.again"), "?again"}, download, back), err)
	default:
		s.fail(w, r, o.Who, err)
	}
}

// failOnce is failOpening for a page that was opened by a ticket. The ticket is used
// up: neither trying again nor signing in would bring the page back.
func (s *site) failOnce(w http.ResponseWriter, r *http.Request, o opening, err error) {
	t := s.trouble(err)
	switch {
	case errors.Is(err, discovery.ErrDown):
		t = s.editorTrouble(o)
	case t.signIn != "":
		t = trouble{Status: http.StatusForbidden, Title: words.Say("once_sign_in.title"),
			Words: []words.Text{words.Say("once_sign_in.words")}}
	}
	t.Actions, t.Again, t.retry = nil, nil, 0
	if !errors.Is(err, access.ErrToken) { // whose words say it already
		t.Words = append(t.Words, words.Say("once.words"))
	}
	s.answer(w, r, oauth.Principal{}, t, err)
}

// editorTrouble says which editor does not answer, and ways on. o is what should
// have been opened.
func (s *site) editorTrouble(o opening, ways ...step) trouble {
	names, addresses := s.editorsDown(o.Editor)
	t := trouble{
		Status: http.StatusServiceUnavailable, retry: 30, Title: words.Say("editor_down.some"), Again: words.Say("again.document"), Actions: ways,
		Detail: words.Say("editor_down.detail", "n", len(addresses), "addresses", addresses),
	}
	switch len(names) {
	case 0: // it came back meanwhile
		t.Title, t.Detail = words.Say("editor_down.back"), nil
	case 1:
		t.Title = words.Say("down.title", "name", names[0])
	default:
		t.Words = append(t.Words, words.Say("editor_down.none", "names", names))
	}
	t.Words = append(t.Words, words.Say("editor_down.words", "name", o.Place.Entry.Name))
	return t
}

// editorsDown are the editors that never answered, by what people know them by. One
// that never told its kind is known by its host. only is URL or name of the one that
// is wanted, "" any.
func (s *site) editorsDown(only string) (names []words.Text, addresses []string) {
	for i, status := range s.Editors.Status() {
		e := status.Editor
		if status.Err == nil || !status.Fetched.IsZero() || only != "" && only != e.URL && !strings.EqualFold(only, e.Name) {
			continue
		}
		name := words.Plain(e.Name)
		if u, err := url.Parse(e.URL); s.Editors.List[i].Name == "" && status.Office == wopi.AnyOffice && err == nil && u.Host != "" {
			name = words.Say("editor_down.at", "host", u.Host)
		}
		names, addresses = append(names, name), append(addresses, e.URL)
	}
	return names, addresses
}

// askAgain asks the editors that never answered once more, for somebody who has
// pressed Try again. How often they are really asked is discovery's to say.
func (s *site) askAgain(ctx context.Context) {
	var all sync.WaitGroup
	for _, status := range s.Editors.Status() {
		if status.Err != nil && status.Fetched.IsZero() {
			all.Go(func() { s.Editors.Refetch(ctx, status.Editor.URL) })
		}
	}
	all.Wait()
}
