package locks

import (
	"errors"

	"davwopi/bridge/wopi"
)

var (
	// ErrBusy says that another operation worked on the file for longer than the
	// caller wanted to wait. Nothing was changed.
	ErrBusy = errors.New("locks: somebody else works on this file")
	// ErrStale says that a lease was taken over while its holder slept. The holder
	// must not write any more.
	ErrStale = errors.New("locks: the lease was taken over")
)

// MismatchError is WOPI's 409: another lock is in place, or none where one is
// needed.
type MismatchError struct {
	Current wopi.LockID // "" when unlocked or held by something that is not WOPI
	Reason  string      // for X-WOPI-LockFailureReason and people; never empty
	Foreign bool        // a DAV lock, a lock file, another editor
	Holder  string      // who has the file, for people; "" not known
	Program string      // of a lock file: the program that has made it; "" none did
	File    string      // which one it is, of those below a container; "" the one that was asked about
}

// Error says the reason. It never holds the lock ID, with which anybody could
// write.
func (e *MismatchError) Error() string { return "locks: mismatch: " + e.Reason }

// SupersededError refuses a PutFile whose lock ID was held here, by the file's
// present editing or by the one before it, while somebody else holds the file
// now. The bytes are a real person's work: they are to be kept as if the file
// had been changed outside (a conflict copy), and never written to the file.
// It unwraps to the [*MismatchError] that is the answer on the wire.
type SupersededError struct {
	Editing  *Editing // the editing that held the lock ID
	Mismatch *MismatchError
}

// Error says why.
func (e *SupersededError) Error() string { return "locks: superseded: " + e.Mismatch.Reason }

// Unwrap gives the [*MismatchError].
func (e *SupersededError) Unwrap() error { return e.Mismatch }

// ErrTaker says that the upstream refuses the credential of whoever took a DAV lock, which
// somebody else needed to hand over.
var ErrTaker = errors.New("locks: the credential of whoever took the lock is refused")
