package wopi

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrMalformed is wrapped by every error about something that an office sent
// and that cannot be what WOPI says it is. The answer to it is 400.
var ErrMalformed = errors.New("wopi: malformed")

// MaxLockID is the length of the longest lock ID, in bytes. We say
// SupportsExtendedLockLength, so it is 1,024 and not 256.
const MaxLockID = 1024

// A LockID is WOPI's opaque lock string: 1 to [MaxLockID] bytes of printable
// ASCII, compared byte by byte. It often looks like JSON and never is to be
// read. The zero LockID, "", stands for "no lock" in an answer.
type LockID string

// ParseLockID takes the value of X-WOPI-Lock or X-WOPI-OldLock. The error wraps
// [ErrMalformed] and does not repeat the value.
func ParseLockID(header string) (LockID, error) {
	if header == "" {
		return "", fmt.Errorf("%w: lock ID is empty", ErrMalformed)
	}
	if len(header) > MaxLockID {
		return "", fmt.Errorf("%w: lock ID has %d bytes, more than %d", ErrMalformed, len(header), MaxLockID)
	}
	for i := range len(header) {
		if header[i] < 0x20 || header[i] > 0x7e {
			return "", fmt.Errorf("%w: lock ID has a byte that is not printable ASCII at %d", ErrMalformed, i)
		}
	}
	return LockID(header), nil
}

// ReadLock reads the lock ID of the header called name. It is nil when the
// header is missing or empty: RenameFile of an unlocked file comes with an
// empty X-WOPI-Lock. The error wraps [ErrMalformed]; two headers of that name
// are an error, since a proxy and we might each believe another one.
func ReadLock(h http.Header, name string) (*LockID, error) {
	values := h.Values(name)
	switch {
	case len(values) > 1:
		return nil, fmt.Errorf("%w: %s is given %d times", ErrMalformed, name, len(values))
	case len(values) == 0 || values[0] == "":
		return nil, nil
	}
	id, err := ParseLockID(values[0])
	if err != nil {
		return nil, err
	}
	return &id, nil
}
