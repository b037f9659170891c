package web

import (
	"net/http"
	"time"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// A Checkup is what looking at everything has shown, for whoever runs the server. It
// holds no secret.
type Checkup struct {
	At      time.Time
	Version string
	Items   []Ailment // worst first
}

// An Ailment is one line of it.
type Ailment struct {
	Severity string // error, warning, hint, ok
	About    string // which server, editor, address or folder; may be ""
	Text     words.Text
	Paste    []Paste
}

// A Paste is a text to put into somebody's configuration.
type Paste struct {
	Where words.Text
	Text  string
}

// Word is the severity in a word for people.
func (a Ailment) Word() words.Text { return words.Say("severity." + a.Severity) }

// serveDoctor is GET /doctor, for administrators; for others there is no such page.
// It takes as long as looking takes.
func (s *site) serveDoctor(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	found, err := s.Checkup(r.Context())
	if err != nil {
		s.fail(w, r, session.Principal, err)
		return
	}
	s.show(w, r, http.StatusOK, "doctor", words.Say("doctor.title"), session.Principal, policy{}, doctorBody(found))
}

// isAdmin tells who sees the page and the link to it.
func (p *Pages) isAdmin(who oauth.Principal) bool {
	return p.Admin != nil && p.Checkup != nil && who.Subject != "" && p.Admin(who)
}

// doctorPage is a check-up with what is fine set apart.
type doctorPage struct {
	Checkup
	Sick, Well []Ailment
	Summary    words.Text
	Kind       string // of the summary's box: "", warn, bad
}

func doctorBody(c Checkup) doctorPage {
	b := doctorPage{Checkup: c, Summary: words.Say("doctor.all_well")}
	count := map[string]int{}
	for _, a := range c.Items {
		count[a.Severity]++
		if a.Severity == "ok" {
			b.Well = append(b.Well, a)
		} else {
			b.Sick = append(b.Sick, a)
		}
	}
	switch {
	case count["error"] > 0:
		b.Kind, b.Summary = "bad", words.Say("doctor.errors", "n", count["error"])
	case count["warning"] > 0:
		b.Kind, b.Summary = "warn", words.Say("doctor.warnings")
	case count["hint"] > 0:
		b.Summary = words.Say("doctor.hints")
	}
	return b
}
