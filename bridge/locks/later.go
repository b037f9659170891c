package locks

import (
	"errors"
	"time"
)

// laterError is a settler's word that nothing failed, but that the time has not
// come.
type laterError struct{ until time.Time }

func (e *laterError) Error() string { return "locks: not before " + e.until.Format(time.RFC3339) }

func asLater(err error, into **laterError) bool { return errors.As(err, into) }
