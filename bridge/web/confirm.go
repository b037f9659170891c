package web

import (
	"net/http"

	"davwopi/oauth"
)

// confirmBody asks whether something is meant, on a page of its own that needs no script.
type confirmBody struct {
	Title  string
	Words  []string
	Action string // where the answer yes is posted
	Button string
	Danger bool // what is done cannot be undone
	Back   step
}

// said are the words for what was just done, by the word in the address.
var said = map[string]string{
	"released":  "It is released.",
	"restored":  "It is back, as a document of its own beside the other one.",
	"dropped":   "It is gone.",
	"undone":    "The earlier version is back. What it has replaced is kept here for a while, so this can be undone too.",
	"delivered": "It is on its way with your sign-in.",
}

// confirm answers with the question.
func (s *site) confirm(w http.ResponseWriter, r *http.Request, who oauth.Principal, b confirmBody) {
	s.show(w, r, http.StatusOK, "confirm", b.Title, who, policy{}, b)
}

// done goes to a page that says what was done.
func (s *site) done(w http.ResponseWriter, r *http.Request, page, what string) {
	http.Redirect(w, r, s.path(page)+"?said="+what, http.StatusSeeOther)
}
