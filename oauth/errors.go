package oauth

import (
	"errors"
	"fmt"
	"time"
)

// What this room refuses with. Every error that leaves it wraps one of these, or is an error of the
// state database or of [PasswordSignIn.Check]. None of them holds a cookie, link, password or key.
var (
	ErrNoSession    = errors.New("oauth: no such session")
	ErrLink         = errors.New("oauth: link unknown, used or expired")
	ErrNoCredential = errors.New("oauth: no credential")
	ErrCredential   = errors.New("oauth: credential not storable")
	ErrRefused      = errors.New("oauth: user name or password refused")
	ErrTooMany      = errors.New("oauth: too many attempts")
	ErrUnsealed     = errors.New("oauth: cannot unseal")
	ErrPrincipal    = errors.New("oauth: not a principal")
	ErrKey          = errors.New("oauth: secret key not usable")
	ErrAppPassword  = errors.New("oauth: app password unknown or revoked")
	ErrLimit        = errors.New("oauth: limit reached")
	ErrProvider     = errors.New("oauth: the sign-in provider cannot be asked")
	ErrBearer       = errors.New("oauth: bearer token not accepted")
	ErrFlow         = errors.New("oauth: this sign-in was not begun here, has been used, or is too old")
	ErrSignIn       = errors.New("oauth: the sign-in provider did not sign the person in")
)

// A TooManyError is an attempt that was not even looked at. It unwraps to [ErrTooMany].
type TooManyError struct {
	RetryAfter time.Duration // whole seconds, at least one: when the next attempt may be looked at
}

// Error says how long to wait.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("%v, the next in %v", ErrTooMany, e.RetryAfter)
}

// Unwrap returns [ErrTooMany].
func (e *TooManyError) Unwrap() error { return ErrTooMany }

// because says why one of these came: the log shows the ends of an error's chain, and the reason is one.
func because(refusal error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", refusal, fmt.Errorf(format, args...))
}
