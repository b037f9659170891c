package access

import "errors"

// What this room refuses with. Every error that leaves it wraps one of these, one of oauth's, or an error of
// the state database. None of them holds a token, ticket, key or credential.
var (
	ErrToken       = errors.New("access: token unknown or not for this")
	ErrExpired     = errors.New("access: token expired")
	ErrUpstream    = errors.New("access: no such upstream")
	ErrNeedsSignIn = errors.New("access: no credential of this person")
	ErrGrant       = errors.New("access: not a grant")
	ErrNotAllowed  = errors.New("access: not allowed to this API key")
	ErrConfig      = errors.New("access: bad configuration")
)
