package web

import (
	"net/http"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// confirmBody asks whether something is meant, on a page of its own that needs no script.
type confirmBody struct {
	Title  words.Text
	Words  []words.Text
	Action string // where the answer yes is posted
	Button words.Text
	Danger bool // what is done cannot be undone
	Back   step
}

// said are the words for what was just done, by the word in the address.
var said = map[string]words.Text{
	"released":  words.Say("said.released"),
	"restored":  words.Say("said.restored"),
	"dropped":   words.Say("said.dropped"),
	"undone":    words.Say("said.undone"),
	"delivered": words.Say("said.delivered"),

	"session_over": words.Say("said.session_over"),
}

// confirm answers with the question.
func (s *site) confirm(w http.ResponseWriter, r *http.Request, who oauth.Principal, b confirmBody) {
	s.show(w, r, http.StatusOK, "confirm", b.Title, who, policy{}, b)
}

// done goes to a page that says what was done.
func (s *site) done(w http.ResponseWriter, r *http.Request, page, what string) {
	http.Redirect(w, r, s.path(page)+"?said="+what, http.StatusSeeOther)
}
