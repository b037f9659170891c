package bridge

import (
	"net/http"
	"strings"
)

// Why a request reaches no room, as [Bridge.Refuse] is told it.
const (
	refusedHost    = "host"    // it asks for a name that is not ours
	refusedPath    = "path"    // its path has parts that name nothing
	refusedForeign = "foreign" // a page of somebody else wants something done here
	refusedBroken  = "broken"  // a bug of ours
)

// refuse answers what reaches no room: with a page for a person, else with text.
func (b *Bridge) refuse(w http.ResponseWriter, r *http.Request, status int, why, text string) {
	if b.Refuse != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
		b.Refuse(w, r, status, why)
		return
	}
	http.Error(w, text, status)
}
