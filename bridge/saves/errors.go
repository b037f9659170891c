package saves

import (
	"errors"
	"fmt"
	"syscall"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// ErrNoRoom says that the state directory is full. Nothing was kept and nothing
// was written: the editor must keep its own copy.
var ErrNoRoom = errors.New("saves: no room in the state directory")

// ErrNoEntry says that the journal has no entry of that ID in this directory.
var ErrNoEntry = errors.New("saves: no such entry")

// ErrInUse says that a request is working on the entry right now.
var ErrInUse = errors.New("saves: the entry is being delivered")

// A ConflictError says that the file was changed outside, is gone, or is held by
// somebody else, so that the bytes were not written to it. They are in Copy
// beside it or, if that could not be made, in the journal.
type ConflictError struct {
	Copy     string         // name of the conflict copy, "" if the bytes are in the journal only
	Outside  idmap.Revision // what is at the upstream; zero: the file is gone
	Current  wopi.LockID    // the lock ID for X-WOPI-Lock, "" none
	Ask      bool           // Collabora: 409 with COOLStatusCode 1010
	Diverted bool           // ONLYOFFICE: answered 200 with Revision
	Revision idmap.Revision // of the conflict copy; only if Diverted
}

// Error says what happened, without names or lock IDs.
func (e *ConflictError) Error() string {
	where := "the bytes are in a copy beside it"
	if e.Copy == "" {
		where = "the bytes are in the journal"
	}
	if e.Outside.Number == 0 {
		return "saves: the file is gone; " + where
	}
	return "saves: changed outside; " + where
}

// A KeptError says that the bytes are not known to be on the upstream, but are
// durable here, as the journal's entry Entry. It unwraps to the reason:
// dav.ErrFull, dav.ErrTooLarge and dav.ErrDenied are final, everything else may
// pass.
type KeptError struct {
	Entry string
	Err   error
}

// Error says why the upstream has not got the bytes.
func (e *KeptError) Error() string { return "saves: kept, not delivered: " + e.Err.Error() }

// Unwrap gives the upstream's error.
func (e *KeptError) Unwrap() error { return e.Err }

var (
	// errAgain: the upstream is not in the state that the last look showed; look again.
	errAgain = errors.New("saves: the upstream changed while we worked")
	// errShort: the upstream said yes and holds something else; write again.
	errShort = errors.New("saves: the upstream did not store what it was sent")
	// errOutage: 403 to the write, and to a PROPFIND by the same credential too.
	errOutage = errors.New("saves: the upstream denies even a look")
	// errUnderWay: who had the lease before is gone, and has left an upload into place.
	errUnderWay = errors.New("saves: an upload of a bridge that is gone may be under way")
	// errNoPreimage: the step needs a pre-image, and there is none.
	errNoPreimage = errors.New("saves: the contents to be replaced cannot be kept")
	// errSuperseded: a newer save of the same editing is verified.
	errSuperseded = errors.New("saves: a newer save of this editing is already there")
)

// A foreignError is somebody else's lock. If it lasts, it counts as a change from
// outside (DESIGN 7.6).
type foreignError struct{ holder string }

func (e *foreignError) Error() string { return "saves: locked on the upstream by " + e.holder }
func (e *foreignError) Unwrap() error { return dav.ErrLocked }

// A waitsError is why a waiting save could not be delivered this time.
type waitsError struct{ err error }

func (e *waitsError) Error() string { return e.err.Error() }
func (e *waitsError) Unwrap() error { return e.err }

// transient reports whether it makes sense to try the same again within the
// request's patience (DESIGN 7.5). A refused credential is not tried again: an
// upstream may close the account after a few wrong ones.
func transient(err error) bool {
	for _, t := range []error{
		dav.ErrUnavailable, dav.ErrIncomplete, dav.ErrLocked, dav.ErrChanged,
		errAgain, errShort, errOutage, errUnderWay, locks.ErrBusy,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// final reports whether the upstream has refused for good (DESIGN 7.6).
func final(err error) bool {
	for _, t := range []error{
		dav.ErrFull, dav.ErrTooLarge, dav.ErrDenied, dav.ErrBadName, dav.ErrUnsupported, errNoPreimage,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// noRoom turns the disk's own words into [ErrNoRoom].
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return err
}
