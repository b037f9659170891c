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
}{
	{errOperation, http.StatusNotImplemented, "operation not supported"},
	{access.ErrToken, http.StatusUnauthorized, "access token not valid here"},
	{access.ErrExpired, http.StatusUnauthorized, "access token expired"},
	{access.ErrNeedsSignIn, http.StatusUnauthorized, "sign in again"},
	{access.ErrManyShares, http.StatusNotImplemented, "this person has too many links; some must be revoked first"},
	{ErrNetwork, http.StatusForbidden, "editors are not served at this address"},
	{proof.ErrProof, http.StatusInternalServerError, "proof key check failed"},
	{proof.ErrTime, http.StatusInternalServerError, "proof key check failed: timestamp too old"},
	{discovery.ErrDown, http.StatusInternalServerError, "proof keys of the editor cannot be fetched"},
	{wopi.ErrMalformed, http.StatusBadRequest, "a header is malformed"},
	{dav.ErrBadPath, http.StatusBadRequest, "name not possible"},
	{dav.ErrBadName, http.StatusBadRequest, "name refused by the file server"},
	{errHalfAnswer, http.StatusInternalServerError, "the file server's answer broke off"},
	{dav.ErrIncomplete, http.StatusBadRequest, "body incomplete; nothing was changed"},
	{idmap.ErrNotFound, http.StatusNotFound, "no such file"},
	{idmap.ErrMissing, http.StatusNotFound, "the file was deleted or moved out of reach"},
	{dav.ErrNotFound, http.StatusNotFound, "the file was deleted or moved out of reach"},
	{dav.ErrDenied, http.StatusNotFound, "the file server denies access"},
	{dav.ErrUnauthorized, http.StatusUnauthorized, "the file server wants a new sign-in"},
	{dav.ErrTooLarge, http.StatusRequestEntityTooLarge, "too large"},
	{dav.ErrFull, http.StatusRequestEntityTooLarge, "no space left on the file server"},
	{dav.ErrExists, http.StatusConflict, "a file of that name exists"},
	{locks.ErrNotEmpty, http.StatusConflict, "the folder is not empty"},
	{dav.ErrChanged, http.StatusConflict, "changed outside meanwhile"},
	{saves.ErrNoRoom, http.StatusInternalServerError, "no space left for the save journal"},
	{dav.ErrUnsupported, http.StatusNotImplemented, "not supported by the file server"},
	{dav.ErrUnavailable, http.StatusInternalServerError, "the file server does not answer"},
	{locks.ErrBusy, http.StatusInternalServerError, "somebody else works on this file; try again"},
	{locks.ErrStale, http.StatusInternalServerError, "a newer operation took over; try again"},
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
		return &wopi.Error{Status: http.StatusServiceUnavailable, Reason: "the state database does not answer; try again", RetryAfter: databaseRetry, Err: err}
	case errors.As(err, &conflict):
		return outside(conflict)
	case errors.As(err, &mismatch):
		return &wopi.Error{Status: http.StatusConflict, Lock: &mismatch.Current, Reason: mismatch.Reason, Err: err}
	case errors.As(err, &kept):
		return keptRefusal(kept)
	case errors.As(err, &held):
		return &wopi.Error{Status: http.StatusConflict, Lock: new(wopi.LockID), Reason: "locked on the file server by " + or(held.Holder, "another program"), Err: err}
	case errors.Is(err, ErrCrowd):
		return &wopi.Error{Status: http.StatusServiceUnavailable, Reason: "too many requests at once with this access token", RetryAfter: turnPatience, Err: err}
	case errors.Is(err, dav.ErrLocked):
		return &wopi.Error{Status: http.StatusConflict, Lock: new(wopi.LockID), Reason: "locked on the file server by another program", Err: err}
	}
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return &wopi.Error{Status: row.status, Reason: row.reason, Err: err}
		}
	}
	return &wopi.Error{Status: http.StatusInternalServerError, Err: err}
}

func outside(c *saves.ConflictError) *wopi.Error {
	e := &wopi.Error{Status: http.StatusConflict, Lock: &c.Current, Reason: "changed outside meanwhile", Err: c}
	if c.Copy != "" {
		e.Reason = "changed outside meanwhile; your version was saved beside it as a conflict copy"
	}
	if c.Ask {
		e.JSON = wopi.DocumentChanged()
	}
	return e
}

// keptRefusal answers for bytes that are in the journal but not on the upstream.
func keptRefusal(k *saves.KeptError) *wopi.Error {
	e := &wopi.Error{Status: http.StatusInternalServerError, Reason: "not saved on the file server yet; the bytes are kept", Err: k}
	switch {
	case errors.Is(k.Err, dav.ErrFull):
		e.Status, e.Reason = http.StatusRequestEntityTooLarge, "no space left on the file server; the bytes are kept"
	case errors.Is(k.Err, dav.ErrTooLarge):
		e.Status, e.Reason = http.StatusRequestEntityTooLarge, "too large for the file server; the bytes are kept"
	case errors.Is(k.Err, dav.ErrDenied):
		e.Status, e.Reason = http.StatusNotFound, "the file server does not let this person write; the bytes are kept"
	}
	return e
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
