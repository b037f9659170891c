package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
)

// OpaqueLen is the length in characters of what [NewOpaque] appends to its prefix.
const OpaqueLen = 43

// IDLen is the length in characters of what [NewID] returns.
const IDLen = 26

// NewOpaque returns prefix followed by 256 random bits as 43 characters of the base64url alphabet
// (RFC 4648 section 5, unpadded): a secret to be handed out once and kept as [Hash] only.
func NewOpaque(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash returns the SHA-256 under which a secret of [NewOpaque] is stored. Its 256 random bits need no
// slow hash and no salt. The text is hashed, not the bytes behind it, so that another spelling of the same
// bytes is another secret.
func Hash(opaque string) []byte {
	sum := sha256.Sum256([]byte(opaque))
	return sum[:]
}

// NewID returns 128 random bits as 26 characters [a-z2-7]: the key of a row, which may be shown.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base32Lower(b[:])
}

// IsID reports whether s has the form that [NewID] gives: the check for row keys that came from outside.
func IsID(s string) bool {
	if len(s) != IDLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// RowKey joins the parts of a composite key so that no two lists of parts give the same key: each
// part is preceded by its length in eight bytes. It is the additional data of [Sealer.Seal].
func RowKey(parts ...string) string {
	var b []byte
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return string(b)
}

func base32Lower(b []byte) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(b)
}
