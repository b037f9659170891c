package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// A trouble is what a person is told when something is not as it should be: what
// happened, and what can be done. Never a bare status, never an error's own text.
type trouble struct {
	Status  int
	Title   words.Text
	Words   []words.Text
	Actions []step
	Detail  words.Text // for whoever runs the server, nil nothing
	Again   words.Text // what the page does by itself as soon as it can be shown, nil nothing
	Since   time.Time  // of an outage; zero none
	Stored  []stored   // what can be had all the same
	retry   int        // Retry-After in seconds, 0 none
	signIn  string     // go to sign-in instead, with this word
}

// A step is a way on.
type step struct {
	Name words.Text
	Href string
}

// outages remembers since when an upstream has not answered.
type outages struct {
	mu    sync.Mutex
	since map[string]time.Time // by upstream; guarded by mu
}

func (o *outages) began(upstream string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since[upstream].IsZero() {
		o.since[upstream] = time.Now()
	}
	return o.since[upstream]
}

// when is since when an upstream has not answered, zero if it has.
func (o *outages) when(upstream string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since[upstream]
}

func (o *outages) over(upstream string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.since, upstream)
}

// fail answers with the page for err and tells the log.
func (s *site) fail(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	s.answer(w, r, who, s.trouble(err), err)
}

// failList is fail for a list of files: in an outage it tells what can be had all the
// same.
func (s *site) failList(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	t := s.trouble(err)
	var storedErr error
	t.Stored, storedErr = s.stored(r.Context(), who, err)
	s.answer(w, r, who, t, errors.Join(err, storedErr))
}

// answer answers err with the page of t and tells the log.
func (s *site) answer(w http.ResponseWriter, r *http.Request, who oauth.Principal, t trouble, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the browser went away
	}
	if t.signIn != "" {
		t.Status = http.StatusUnauthorized
	}
	s.note(r, t.Status, err)
	if t.signIn != "" {
		s.toSignIn(w, r, t.signIn)
		return
	}
	s.tell(w, r, who, t)
}

// note tells the log, with the status that says whose fault it is.
func (s *site) note(r *http.Request, status int, err error) {
	s.Log(r, &wopi.Error{Status: status, Err: err})
}

// tell answers with the page of a trouble.
func (s *site) tell(w http.ResponseWriter, r *http.Request, who oauth.Principal, t trouble) {
	if r.Method != http.MethodGet {
		t.Again = nil // only what changes nothing is asked for again without being told to
	}
	if s.guest() {
		t.Detail = nil // whose server it is, and where, is nothing to them
	}
	if t.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(t.retry))
	}
	s.show(w, r, t.Status, "trouble", t.Title, who, policy{}, t)
}

// trouble is the table from errors to what people are told (DESIGN 11).
func (s *site) trouble(err error) trouble {
	var at *placeError
	if errors.As(err, &at) && at.Upstream != nil {
		if t, ok := s.upstreamTrouble(at); ok {
			return t
		}
	}
	if t, ok := s.shareTrouble(err); ok {
		return t
	}
	back := step{words.Say("step.files"), s.path()}
	switch {
	case errors.Is(err, idmap.ErrNotFound), errors.Is(err, idmap.ErrMissing), errors.Is(err, dav.ErrNotFound):
		return trouble{Status: http.StatusNotFound, Title: words.Say("gone.title"),
			Words:   []words.Text{words.Say("gone.words")},
			Actions: []step{back}}
	case errors.Is(err, oauth.ErrLink):
		return trouble{Status: http.StatusGone, Title: words.Say("used_link.title"),
			Words:   []words.Text{words.Say("used_link.words")},
			Detail:  words.Say("used_link.detail"),
			Actions: []step{{words.Say("step.sign_in"), s.top("signin")}}}
	case errors.Is(err, access.ErrToken):
		return trouble{Status: http.StatusGone, Title: words.Say("ticket.title"),
			Words: []words.Text{words.Say("ticket.words")}}
	case errors.Is(err, access.ErrNeedsSignIn):
		return trouble{signIn: "again"}
	case errors.Is(err, saves.ErrNoEntry):
		return trouble{Status: http.StatusNotFound, Title: words.Say("no_entry.title"),
			Words:   []words.Text{words.Say("no_entry.words")},
			Actions: []step{{words.Say("step.saves"), s.path("saves")}, back}}
	case errors.Is(err, saves.ErrInUse):
		return trouble{Status: http.StatusConflict, Title: words.Say("in_use.title"),
			Words:   []words.Text{words.Say("in_use.words")},
			Actions: []step{{words.Say("step.saves"), s.path("saves")}}}
	}
	if sqldb.IsUnavailable(err) {
		return trouble{Status: http.StatusServiceUnavailable, Title: words.Say("database.title"),
			Words: []words.Text{words.Say("database.words")}, Again: words.Say("again.list"), retry: 5}
	}
	return trouble{Status: http.StatusInternalServerError, Title: words.Say("broken.title"),
		Words:   []words.Text{words.Say("broken.words")},
		Actions: []step{{words.Say("step.again"), ""}, back}}
}

// upstreamTrouble is about a file server that refuses or does not answer.
func (s *site) upstreamTrouble(at *placeError) (trouble, bool) {
	name := s.upstreamName(at.Upstream.Name)
	back, again := step{words.Say("step.files"), s.path()}, step{words.Say("step.again"), ""}
	gone := words.Say("gone.title")
	if at.Name != "" {
		gone = words.Say("gone.named", "name", at.Name)
	}
	switch err := at.Err; {
	case errors.Is(err, dav.ErrUnavailable), errors.Is(err, dav.ErrIncomplete), errors.Is(err, dav.ErrSyntax):
		detail := words.Say("down.broke_off")
		var u *davbackend.UnavailableError
		if errors.As(err, &u) {
			var reason any = words.English(u.Reason)
			if known := words.Failure(err); known != nil {
				reason = known
			}
			detail = words.Say("down.detail", "reason", reason, "origin", u.Origin)
		}
		return trouble{Status: http.StatusServiceUnavailable, Title: words.Say("down.title", "name", name), Since: s.outages.began(at.Upstream.Name),
			Words:  []words.Text{words.Say("down.words")},
			Detail: detail, Again: words.Say("again.list"), Actions: []step{again}, retry: 10}, true
	case errors.Is(err, dav.ErrUnauthorized) && at.Upstream.Service == nil:
		return trouble{signIn: "refused"}, true
	case errors.Is(err, dav.ErrUnauthorized):
		return trouble{Status: http.StatusBadGateway, Title: words.Say("refused.title", "name", name),
			Words:  []words.Text{words.Say("refused.words"), words.Say("refused.who")},
			Detail: words.Say("refused.detail"), Actions: []step{again}}, true
	case errors.Is(err, dav.ErrDenied):
		return trouble{Status: http.StatusForbidden, Title: words.Say("denied.title"),
			Words:   []words.Text{words.Say("denied.words", "name", name)},
			Actions: []step{back}}, true
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		var lost *lostError
		if s.visit == nil && errors.As(err, &lost) {
			back = step{words.Say("step.folder"), s.path("folder", string(lost.Folder))}
		}
		return trouble{Status: http.StatusNotFound, Title: gone,
			Words:   []words.Text{words.Say("gone.asked", "name", name)},
			Actions: []step{back}}, true
	}
	return trouble{}, false
}

// explainShortly is a sentence for a part of a page that is missing.
func (s *site) explainShortly(err error) words.Text {
	if err == nil {
		return nil
	}
	if t := s.trouble(err); len(t.Title) > 0 {
		return words.Say("part.why", "title", t.Title)
	}
	return words.Say("part.sign_in")
}

// failBadForm answers a form that could not be read.
func (s *site) failBadForm(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		s.note(r, http.StatusRequestEntityTooLarge, err)
		s.tell(w, r, s.whoever(r), trouble{Status: http.StatusRequestEntityTooLarge, Title: words.Say("too_large.title"),
			Words: []words.Text{words.Say("too_large.words", "size", words.Size(large.Limit))}, Actions: []step{{words.Say("step.to_files"), s.path()}}})
		return
	}
	s.note(r, http.StatusBadRequest, err)
	s.tell(w, r, s.whoever(r), trouble{Status: http.StatusBadRequest, Title: words.Say("form.title"),
		Words: []words.Text{words.Say("form.words")}, Actions: []step{{words.Say("step.files"), s.path()}}})
}

// whoever is signed in, for a page that nobody has to be for; zero if nobody is.
func (s *site) whoever(r *http.Request) oauth.Principal {
	session, err := s.session(r)
	if err != nil {
		return oauth.Principal{}
	}
	return session.Principal
}

// serveUnknown is every address that names nothing.
func (s *site) serveUnknown(w http.ResponseWriter, r *http.Request) {
	s.tell(w, r, s.whoever(r), trouble{Status: http.StatusNotFound, Title: words.Say("unknown.title"),
		Words: []words.Text{words.Say("unknown.words")}, Actions: []step{{words.Say("step.to_files"), s.path()}}})
}

// serveClosed is where a document that came by a ticket is left.
func (s *site) serveClosed(w http.ResponseWriter, r *http.Request) {
	s.tell(w, r, oauth.Principal{}, trouble{Status: http.StatusOK, Title: words.Say("closed.title"),
		Words: []words.Text{words.Say("closed.words")}})
}
