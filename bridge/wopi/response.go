package wopi

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Response is a success: always status 200, never 201 or 204, which offices
// take for failures. Whoever gets a Response with a Stream must close its Body.
type Response struct {
	JSON        any               // marshalled as application/json; nil none
	Stream      *Stream           // file bytes instead
	Pour        Pour              // JSON that is written as it comes, instead
	ItemVersion string            // X-WOPI-ItemVersion, "" omitted
	Lock        *LockID           // X-WOPI-Lock (GetLock only), sent even if empty
	Header      map[string]string // any other WOPI header (X-WOPI-EnumerationIncomplete)
}

// Pour writes a JSON answer that is too large to be held at once. An error before
// it has written much is a refusal like any other; after that the answer is broken
// off, so that nobody takes half of it for the whole.
type Pour func(io.Writer) error

// A Stream is the bytes of a file on their way to an office.
type Stream struct {
	Body io.ReadCloser
	Size int64  // exactly the bytes that Body yields
	Name string // for Content-Disposition: attachment
	ETag string
}

// An Error is a refusal in WOPI's terms. It is plain data: the endpoint writes
// it, everything but Err goes to the office.
type Error struct {
	Status      int     // HTTP status
	Lock        *LockID // X-WOPI-Lock, sent even if empty; nil to omit
	Reason      string  // X-WOPI-LockFailureReason on 409, X-WOPI-ServerError on 500; printable ASCII on the wire
	InvalidName string  // X-WOPI-InvalidFileNameError
	InvalidBox  string  // X-WOPI-InvalidContainerNameError
	ValidTarget string  // X-WOPI-ValidRelativeTarget (plain; encoded to UTF-7 when sent)
	JSON        any     // body (Collabora's status code)
	Said        []any   // what pages of ours say (words.Text), its arguments text; nil they find words themselves
	Err         error   // for our log, never sent

	RetryAfter time.Duration // Retry-After, in whole seconds; 0 omitted
}

// Error is for our log. It holds no lock ID.
func (e *Error) Error() string {
	s := fmt.Sprintf("wopi: %d %s", e.Status, http.StatusText(e.Status))
	for _, reason := range []string{e.Reason, e.InvalidName} {
		if reason != "" {
			s += ": " + reason
		}
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
