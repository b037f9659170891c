package endpoint

import (
	"errors"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/proof"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

var (
	errOperation  = errors.New("operation not supported")
	errHalfAnswer = errors.New("endpoint: the file server's answer broke off")
	errBroken     = errors.New("endpoint: answer broken off") // after its beginning was sent
)

// statuses is the table from our errors to WOPI's statuses: the first that the
// error wraps decides. Reasons are sent to the editor, which may show them.
var statuses = []struct {
	err    error
	status int
	reason string
	said   words.Text // by our text editor; nil it has words of its own for the status
}{
	{errOperation, http.StatusNotImplemented, "operation not supported", nil},
	{access.ErrToken, http.StatusUnauthorized, "access token not valid here", nil},
	{access.ErrExpired, http.StatusUnauthorized, "access token expired", nil},
	{access.ErrNeedsSignIn, http.StatusUnauthorized, "sign in again", nil},
	{access.ErrManyShares, http.StatusNotImplemented, "this person has too many links; some must be revoked first", nil},
	{ErrNetwork, http.StatusForbidden, "editors are not served at this address", nil},
	{proof.ErrProof, http.StatusInternalServerError, "proof key check failed", nil},
	{proof.ErrTime, http.StatusInternalServerError, "proof key check failed: timestamp too old", nil},
	{discovery.ErrDown, http.StatusInternalServerError, "proof keys of the editor cannot be fetched", nil},
	{wopi.ErrMalformed, http.StatusBadRequest, "a header is malformed", nil},
	{dav.ErrBadPath, http.StatusBadRequest, "name not possible", words.Say("name.characters")},
	{dav.ErrBadName, http.StatusBadRequest, "name refused by the file server", words.Say("refusal.bad_name")},
	{errHalfAnswer, http.StatusInternalServerError, "the file server's answer broke off", words.Say("refusal.down")},
	{dav.ErrIncomplete, http.StatusBadRequest, "body incomplete; nothing was changed", nil},
	{idmap.ErrNotFound, http.StatusNotFound, "no such file", nil},
	{idmap.ErrMissing, http.StatusNotFound, "the file was deleted or moved out of reach", nil},
	{dav.ErrNotFound, http.StatusNotFound, "the file was deleted or moved out of reach", nil},
	{dav.ErrDenied, http.StatusNotFound, "the file server denies access", words.Say("refusal.denied")},
	{dav.ErrUnauthorized, http.StatusUnauthorized, "the file server wants a new sign-in", nil},
	{dav.ErrTooLarge, http.StatusRequestEntityTooLarge, "too large", words.Say("refusal.large")},
	{dav.ErrFull, http.StatusRequestEntityTooLarge, "no space left on the file server", words.Say("refusal.full")},
	{dav.ErrExists, http.StatusConflict, "a file of that name exists", words.Say("name.taken")},
	{locks.ErrNotEmpty, http.StatusConflict, "the folder is not empty", nil},
	{dav.ErrChanged, http.StatusConflict, "changed outside meanwhile", words.Say("refusal.outside")},
	{saves.ErrNoRoom, http.StatusInternalServerError, "no space left for the save journal", words.Say("refusal.no_room")},
	{dav.ErrUnsupported, http.StatusNotImplemented, "not supported by the file server", words.Say("refusal.unsupported")},
	{dav.ErrUnavailable, http.StatusInternalServerError, "the file server does not answer", words.Say("refusal.down")},
	{locks.ErrBusy, http.StatusInternalServerError, "somebody else works on this file; try again", words.Say("refusal.busy")},
	{locks.ErrStale, http.StatusInternalServerError, "a newer operation took over; try again", words.Say("refusal.busy")},
}

// Refusal returns what the editor is told about err. It is the only place where
// an error of ours becomes a status of WOPI. Anything unknown is a 500 that says
// nothing.
func Refusal(err error) *wopi.Error {
	var already *wopi.Error
	var mismatch *locks.MismatchError
	var conflict *saves.ConflictError
	var kept *saves.KeptError
	var held *davbackend.LockedError
	switch {
	case errors.As(err, &already):
		return already
	case sqldb.IsUnavailable(err):
		return &wopi.Error{Status: http.StatusServiceUnavailable, Reason: "the state database does not answer; try again", Said: words.Say("refusal.database"), RetryAfter: databaseRetry, Err: err}
	case errors.As(err, &conflict):
		return outside(conflict)
	case errors.As(err, &mismatch):
		return &wopi.Error{Status: http.StatusConflict, Lock: &mismatch.Current, Reason: mismatch.Reason, Said: heldBy(mismatch), Err: err}
	case errors.As(err, &kept):
		return keptRefusal(kept)
	case errors.As(err, &held):
		return &wopi.Error{Status: http.StatusConflict, Lock: new(wopi.LockID), Reason: "locked on the file server by " + or(held.Holder, "another program"), Said: heldElsewhere(held.Holder), Err: err}
	case errors.Is(err, ErrCrowd):
		return &wopi.Error{Status: http.StatusServiceUnavailable, Reason: "too many requests at once with this access token", Said: words.Say("refusal.crowd"), RetryAfter: turnPatience, Err: err}
	case errors.Is(err, dav.ErrLocked):
		return &wopi.Error{Status: http.StatusConflict, Lock: new(wopi.LockID), Reason: "locked on the file server by another program", Said: heldElsewhere(""), Err: err}
	}
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return &wopi.Error{Status: row.status, Reason: row.reason, Said: row.said, Err: err}
		}
	}
	return &wopi.Error{Status: http.StatusInternalServerError, Err: err}
}

func outside(c *saves.ConflictError) *wopi.Error {
	e := &wopi.Error{Status: http.StatusConflict, Lock: &c.Current, Reason: "changed outside meanwhile", Said: words.Say("refusal.outside"), Err: c}
	if c.Copy != "" {
		e.Said = words.Say("refusal.outside_copied")
		e.Reason = "changed outside meanwhile; your version was saved beside it as a conflict copy"
	}
	if c.Ask {
		e.JSON = wopi.DocumentChanged()
	}
	return e
}

// keptRefusal answers for bytes that are in the journal but not on the upstream.
func keptRefusal(k *saves.KeptError) *wopi.Error {
	e := &wopi.Error{Status: http.StatusInternalServerError, Reason: "not saved on the file server yet; the bytes are kept", Said: words.Say("refusal.kept"), Err: k}
	switch {
	case errors.Is(k.Err, dav.ErrFull):
		e.Status, e.Reason, e.Said = http.StatusRequestEntityTooLarge, "no space left on the file server; the bytes are kept", words.Say("refusal.kept_full")
	case errors.Is(k.Err, dav.ErrTooLarge):
		e.Status, e.Reason, e.Said = http.StatusRequestEntityTooLarge, "too large for the file server; the bytes are kept", words.Say("refusal.kept_large")
	case errors.Is(k.Err, dav.ErrDenied):
		e.Status, e.Reason, e.Said = http.StatusNotFound, "the file server does not let this person write; the bytes are kept", words.Say("refusal.kept_denied")
	}
	return e
}

// heldBy says who has a file, or what keeps it.
func heldBy(m *locks.MismatchError) words.Text {
	switch {
	case m.Reason == locks.ErrWaiting().Reason:
		return words.Say("refusal.waiting")
	case m.Foreign:
		return heldElsewhere(m.Holder)
	}
	return words.Say("refusal.elsewhere")
}

// heldElsewhere is about a lock that no editor of ours has taken; holder may be "".
func heldElsewhere(holder string) words.Text {
	if holder == "" {
		return words.Say("refusal.program")
	}
	return words.Say("refusal.held", "name", holder)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
