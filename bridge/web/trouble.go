package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// A trouble is what a person is told when something is not as it should be: what
// happened, and what can be done. Never a bare status, never an error's own text.
type trouble struct {
	Status  int
	Title   string
	Words   []string
	Actions []step
	Detail  string    // for whoever runs the server, "" nothing
	Again   string    // what the page does by itself as soon as it can be shown, "" nothing
	Since   time.Time // of an outage; zero none
	Stored  []stored  // what can be had all the same
	retry   int       // Retry-After in seconds, 0 none
	signIn  string    // go to sign-in instead, with this word
}

// A step is a way on.
type step struct{ Name, Href string }

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
		t.Again = "" // only what changes nothing is asked for again without being told to
	}
	if s.guest() {
		t.Detail = "" // whose server it is, and where, is nothing to them
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
	back := step{"Back to the files", s.path()}
	switch {
	case errors.Is(err, idmap.ErrNotFound), errors.Is(err, idmap.ErrMissing), errors.Is(err, dav.ErrNotFound):
		return trouble{Status: http.StatusNotFound, Title: "This file is not here any more",
			Words:   []string{"It was deleted, or moved to where it cannot be seen with your account. If somebody sent you this address, ask them to share the file again."},
			Actions: []step{back}}
	case errors.Is(err, oauth.ErrLink):
		return trouble{Status: http.StatusGone, Title: "This link no longer works",
			Words:   []string{"A sign-in link works once, and only for a while. It has been used, or its time has passed. Ask whoever runs this server for a new one."},
			Detail:  "the command “davwopi invite” makes a new one.",
			Actions: []step{{"Go to the sign-in page", s.top("signin")}}}
	case errors.Is(err, access.ErrToken):
		return trouble{Status: http.StatusGone, Title: "This entrance was used already",
			Words: []string{"It works once and only for a minute. Please open the document again from where you came."}}
	case errors.Is(err, access.ErrNeedsSignIn):
		return trouble{signIn: "again"}
	case errors.Is(err, saves.ErrNoEntry):
		return trouble{Status: http.StatusNotFound, Title: "This does not lie here any more",
			Words:   []string{"It has arrived where it belongs, was dropped, or its time is over."},
			Actions: []step{{"Go to your saves", s.path("saves")}, back}}
	case errors.Is(err, saves.ErrInUse):
		return trouble{Status: http.StatusConflict, Title: "This is just being saved",
			Words:   []string{"Please wait a moment, and look again."},
			Actions: []step{{"Go to your saves", s.path("saves")}}}
	}
	return trouble{Status: http.StatusInternalServerError, Title: "Something went wrong here",
		Words:   []string{"That is our fault, not yours. Your files are not affected. Please try again; if it happens again, tell whoever runs this server. The log says more."},
		Actions: []step{{"Try again", ""}, back}}
}

// upstreamTrouble is about a file server that refuses or does not answer.
func (s *site) upstreamTrouble(at *placeError) (trouble, bool) {
	name := s.upstreamName(at.Upstream.Name)
	back, again := step{"Back to the files", s.path()}, step{"Try again", ""}
	file := "This file"
	if at.Name != "" {
		file = "“" + at.Name + "”"
	}
	switch err := at.Err; {
	case errors.Is(err, dav.ErrUnavailable), errors.Is(err, dav.ErrIncomplete), errors.Is(err, dav.ErrSyntax):
		reason := "it broke off in the middle of an answer"
		var u *davbackend.UnavailableError
		if errors.As(err, &u) {
			reason = u.Reason + " (" + u.Origin + ")"
		}
		return trouble{Status: http.StatusServiceUnavailable, Title: name + " does not answer", Since: s.outages.began(at.Upstream.Name),
			Words:  []string{"The server that keeps the files cannot be reached just now. Your files are not affected. Check that it is switched on and connected."},
			Detail: reason + ".", Again: "goes on", Actions: []step{again}, retry: 10}, true
	case errors.Is(err, dav.ErrUnauthorized) && at.Upstream.Service == nil:
		return trouble{signIn: "refused"}, true
	case errors.Is(err, dav.ErrUnauthorized):
		return trouble{Status: http.StatusBadGateway, Title: name + " refuses our password",
			Words: []string{"The account with which this server reads the files was not accepted. Nothing is wrong with your own sign-in.",
				"Whoever runs this server can put that right."},
			Detail: "the account is set by upstream.user and upstream.password in davwopi.yaml.", Actions: []step{again}}, true
	case errors.Is(err, dav.ErrDenied):
		return trouble{Status: http.StatusForbidden, Title: "You have no access to this",
			Words:   []string{fmt.Sprintf("%s does not let this account open it. Ask the owner to share it with you.", name)},
			Actions: []step{back}}, true
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		return trouble{Status: http.StatusNotFound, Title: file + " is not here any more",
			Words:   []string{fmt.Sprintf("It was deleted, or moved to where it cannot be seen. %s was asked just now.", name)},
			Actions: []step{back}}, true
	}
	return trouble{}, false
}

// explainShortly is a sentence for a part of a page that is missing.
func (s *site) explainShortly(err error) string {
	if err == nil {
		return ""
	}
	if t := s.trouble(err); t.Title != "" {
		return t.Title + "."
	}
	return "A part of the files needs a new sign-in."
}

// failBadForm answers a form that could not be read.
func (s *site) failBadForm(w http.ResponseWriter, r *http.Request, err error) {
	s.note(r, http.StatusBadRequest, err)
	s.tell(w, r, oauth.Principal{}, trouble{Status: http.StatusBadRequest, Title: "That could not be read",
		Words: []string{"The form arrived incomplete. Please try once more."}, Actions: []step{{"Back", s.path()}}})
}

// serveUnknown is every address that names nothing.
func (s *site) serveUnknown(w http.ResponseWriter, r *http.Request) {
	s.tell(w, r, oauth.Principal{}, trouble{Status: http.StatusNotFound, Title: "There is no page here",
		Words: []string{"The address may have been cut off or mistyped."}, Actions: []step{{"Go to the files", s.path()}}})
}

// serveClosed is where a document that came by a ticket is left.
func (s *site) serveClosed(w http.ResponseWriter, r *http.Request) {
	s.tell(w, r, oauth.Principal{}, trouble{Status: http.StatusOK, Title: "The document is closed",
		Words: []string{"You can close this tab."}})
}
