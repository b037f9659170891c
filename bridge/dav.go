package bridge

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/davbackend/dav"
	"davwopi/oauth"
)

// A DAVDoor puts the embedded upstream at /dav/, behind app passwords and our own
// rules. All fields are set before use; it may be used concurrently.
type DAVDoor struct {
	// Server serves paths below "/".
	Server http.Handler
	// As, if not nil, is Server for one request with that app password, whose owner is told
	// properties of their own.
	As func(by oauth.AppPassword) http.Handler
	// Prefix is the path under which programs see the server, which Destination
	// carries, without a slash at its end.
	Prefix string
	// Check returns the app password's row, or an error that wraps
	// [oauth.ErrAppPassword]; any other error is a fault.
	Check func(ctx context.Context, user, password string) (oauth.AppPassword, error)
	// Rules limit what the person reaches on Upstream.
	Rules    access.Rules
	Upstream string
	// Fault is told what went wrong here.
	Fault func(*http.Request, error)
	// Audit hears of passwords that are none, and of deletions. Nil: nobody does.
	Audit func(*http.Request, Deed)
}

// maxBasic bounds a user name and an app password, in bytes.
const maxBasic = 256

// ServeHTTP lets a request in or refuses it.
func (d *DAVDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	user, password, given := r.BasicAuth()
	err := oauth.ErrAppPassword
	var by oauth.AppPassword
	if given && len(user) <= maxBasic && len(password) <= maxBasic {
		by, err = d.Check(r.Context(), user, password)
	}
	switch {
	case errors.Is(err, oauth.ErrAppPassword):
		if given { // programs ask without one first
			d.audit(r, Deed{What: "sign_in", Tried: user, Err: err})
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="davwopi", charset="UTF-8"`)
		http.Error(w, "an app password is wanted", http.StatusUnauthorized)
		return
	case err != nil:
		d.Fault(r, err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	who := by.Principal
	if status := d.judge(r, who); status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		endpoint.FileBytes(w.Header(), name)
	}
	seen := &statusWriter{ResponseWriter: w}
	server := d.Server
	if d.As != nil {
		server = d.As(by)
	}
	http.StripPrefix("/dav", server).ServeHTTP(seen, r)
	if r.Method == http.MethodDelete && seen.sent() < http.StatusMultipleChoices && seen.sent() != http.StatusMultiStatus {
		d.audit(r, Deed{What: "delete", Who: who, Name: strings.TrimPrefix(r.URL.Path, "/dav")})
	}
}

func (d *DAVDoor) audit(r *http.Request, deed Deed) {
	if d.Audit != nil {
		deed.By = "dav"
		d.Audit(r, deed)
	}
}

// judge asks the rules about every place that the request reads or writes. It
// returns 0, or the status of the refusal: what is hidden is not there. A folder
// in which something is hidden cannot be listed or taken as a whole, since the
// server would show or move that too.
func (d *DAVDoor) judge(r *http.Request, who oauth.Principal) int {
	if len(d.Rules) == 0 || r.Method == http.MethodOptions {
		return 0
	}
	at, ok := davPath(strings.TrimPrefix(r.URL.Path, "/dav"))
	if !ok {
		return http.StatusBadRequest
	}
	if d.Rules.Allows(who, d.Upstream, at) < access.View {
		return http.StatusNotFound
	}
	have, need := d.Rules.AllowsBelow(who, d.Upstream, at), access.Edit
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		have, need = d.Rules.Allows(who, d.Upstream, at), access.View
	case "PROPFIND":
		have, need = d.Rules.AllowsChildren(who, d.Upstream, at), access.View
		if r.Header.Get("Depth") == "0" {
			have = d.Rules.Allows(who, d.Upstream, at)
		}
	case http.MethodPut, "MKCOL", "PROPPATCH", "UNLOCK":
		have = d.Rules.Allows(who, d.Upstream, at)
	case "COPY":
		need = access.View
	}
	if have < need {
		return http.StatusForbidden
	}
	if r.Method != "COPY" && r.Method != "MOVE" {
		return 0
	}
	return d.judgeTarget(r, who)
}

// judgeTarget asks about Destination, which COPY and MOVE replace as a whole.
func (d *DAVDoor) judgeTarget(r *http.Request, who oauth.Principal) int {
	u, err := url.Parse(r.Header.Get("Destination"))
	if err != nil {
		return http.StatusBadRequest
	}
	rest, ok := strings.CutPrefix(u.Path, d.Prefix)
	if !ok {
		return http.StatusBadGateway // RFC 4918 9.8.5: another server's
	}
	to, ok := davPath(rest)
	if !ok {
		return http.StatusBadRequest
	}
	if d.Rules.AllowsBelow(who, d.Upstream, to) < access.Edit {
		return http.StatusForbidden
	}
	return 0
}

// davPath is the clean path that a URL's path means, as the rules know it.
func davPath(decoded string) (string, bool) {
	if decoded == "" {
		decoded = "/"
	}
	p, err := dav.ParsePath(decoded)
	return string(p), err == nil
}
