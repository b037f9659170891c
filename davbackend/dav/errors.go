package dav

import "errors"

// What an upstream may answer, in WebDAV's words. davbackend returns errors that
// wrap these; what then holds on the upstream is said with each method there.
var (
	ErrNotFound     = errors.New("dav: not found")                 // 404, 410, missing parent (409 on PUT, MKCOL, MOVE, COPY)
	ErrExists       = errors.New("dav: already exists")            // Overwrite: F, If-None-Match: *, MKCOL on something
	ErrChanged      = errors.New("dav: precondition failed")       // 412 and kin, OpenCloud's 409
	ErrLocked       = errors.New("dav: locked")                    // 423
	ErrDenied       = errors.New("dav: access denied")             // 403
	ErrUnauthorized = errors.New("dav: credential refused")        // 401
	ErrFull         = errors.New("dav: no space left")             // 507
	ErrTooLarge     = errors.New("dav: too large")                 // 413
	ErrBadName      = errors.New("dav: name refused by upstream")  // 400, 414 that mean the name
	ErrUnsupported  = errors.New("dav: not supported by upstream") // 405, 501
	ErrUnavailable  = errors.New("dav: upstream unavailable")      // connection, TLS, timeout, 5xx, 429
	ErrIncomplete   = errors.New("dav: body cut short")            // body shorter than its Content-Length
)

// What the parsers of this package refuse.
var (
	ErrBadPath = errors.New("dav: bad path") // every error of ParsePath, ParseHref, CheckName and Join
	ErrSyntax  = errors.New("dav: bad syntax")
	ErrBound   = errors.New("dav: too much XML") // a limit of Limits was passed; also an ErrSyntax
)
