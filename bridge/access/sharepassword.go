package access

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MinSharePassword is the least length of a link's password, in characters.
const MinSharePassword = 6

const (
	maxSharePassword = 1024 // bytes
	// passwordRounds is OWASP's figure for PBKDF2 with SHA-256, of 2023. It costs a tenth of a second.
	passwordRounds = 600_000
	passwordScheme = "pbkdf2-sha256"
	passwordKey    = 32 // bytes
)

// checkPassword says whether a link may have that password. "" is none.
func checkPassword(password string) error {
	switch {
	case password == "":
		return nil
	case utf8.RuneCountInString(password) < MinSharePassword:
		return fmt.Errorf("%w: the password has less than %d characters", ErrGrant, MinSharePassword)
	case len(password) > maxSharePassword || !storable(password):
		return fmt.Errorf("%w: bad password", ErrGrant)
	}
	return nil
}

// hashPassword returns the text that is stored: scheme, rounds, salt, key.
func hashPassword(password string, rounds int) (string, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	key, err := pbkdf2.Key(sha256.New, password, salt, rounds, passwordKey)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return strings.Join([]string{passwordScheme, strconv.Itoa(rounds), encode(salt), encode(key)}, "$"), nil
}

// isPassword compares in constant time. What is not a stored text is nobody's password.
func isPassword(stored, password string) bool {
	parts := strings.Split(stored, "$")
	if len(parts) != 4 || parts[0] != passwordScheme || password == "" || len(password) > maxSharePassword {
		return false
	}
	rounds, err := strconv.Atoi(parts[1])
	if err != nil || rounds < 1 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[3])
	if err != nil || len(want) != passwordKey {
		return false
	}
	got, err := pbkdf2.Key(sha256.New, password, salt, rounds, passwordKey)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}
