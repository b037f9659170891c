package idmap

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
)

// A FileID is the permanent name of a file or container: 26 characters of
// [a-z2-7], which carry 128 random bits. [ParseFileID] is the only way in from
// outside. It is no secret: knowing it gives no right.
//
// The alphabet is one that no office rewrites: ONLYOFFICE replaces every
// character but [0-9A-Za-z._=-] in the last segment of WOPISrc, and would open
// two files as one if that made their names equal.
type FileID string

const fileIDLength = 26

// ErrBadFileID is returned by [ParseFileID].
var ErrBadFileID = errors.New("idmap: malformed file ID")

var fileIDEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ParseFileID checks the form of a file ID. It returns [ErrBadFileID], and never
// says whether the ID exists.
func ParseFileID(s string) (FileID, error) {
	if len(s) != fileIDLength {
		return "", fmt.Errorf("%w: %d characters", ErrBadFileID, len(s))
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return "", fmt.Errorf("%w: character %d", ErrBadFileID, i+1)
		}
	}
	return FileID(s), nil
}

// newFileID makes an ID that nobody has.
func newFileID() FileID { return FileID(random(16)) }

// random returns n random bytes in the alphabet of IDs.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return fileIDEncoding.EncodeToString(b)
}
