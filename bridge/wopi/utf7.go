package wopi

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxUTF7 bounds a value before it is decoded. The longest legal name, 255
// bytes, needs less than a tenth of it.
const maxUTF7 = 16 << 10

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// DecodeUTF7 decodes the value of a header that holds a name (RFC 2152).
//
// Characters that a strict encoder would have encoded are accepted as they
// are. A run may end with "-", with any character outside the base64 alphabet,
// or with the value. A value with bytes above 0x7f is not UTF-7; it is taken
// as UTF-8. The error wraps [ErrMalformed] for a run that ends in the middle
// of a character or with bits left that are not zero, for "+" before nothing,
// for unpaired surrogates, control characters and values over 16 KiB.
func DecodeUTF7(s string) (string, error) {
	if len(s) > maxUTF7 {
		return "", fmt.Errorf("%w: name of %d bytes", ErrMalformed, len(s))
	}
	name, err := decodeUTF7(s)
	if err != nil {
		return "", err
	}
	for _, r := range name {
		if isControl(r) {
			return "", fmt.Errorf("%w: name has the control character %U", ErrMalformed, r)
		}
	}
	return name, nil
}

func decodeUTF7(s string) (string, error) {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		if !utf8.ValidString(s) {
			return "", fmt.Errorf("%w: name is neither UTF-7 nor UTF-8", ErrMalformed)
		}
		return s, nil
	}
	var b strings.Builder
	for s != "" {
		direct, rest, found := strings.Cut(s, "+")
		b.WriteString(direct)
		if !found {
			break
		}
		if after, ok := strings.CutPrefix(rest, "-"); ok {
			b.WriteByte('+')
			s = after
			continue
		}
		run := rest
		if i := strings.IndexFunc(rest, notBase64); i >= 0 {
			run = rest[:i]
		}
		text, err := decodeRun(run)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = strings.TrimPrefix(rest[len(run):], "-")
	}
	return b.String(), nil
}

func notBase64(r rune) bool { return !strings.ContainsRune(base64Alphabet, r) }

// decodeRun decodes base64 of UTF-16 in big-endian order, without padding.
func decodeRun(run string) (string, error) {
	var units []uint16
	var bits, n uint32
	for i := range len(run) {
		bits = bits<<6 | uint32(strings.IndexByte(base64Alphabet, run[i]))
		if n += 6; n >= 16 {
			n -= 16
			units = append(units, uint16(bits>>n))
			bits &= 1<<n - 1
		}
	}
	if len(units) == 0 || n >= 6 || bits != 0 {
		return "", fmt.Errorf("%w: UTF-7 ends in the middle of a character", ErrMalformed)
	}
	for i := 0; i < len(units); i++ {
		if !utf16.IsSurrogate(rune(units[i])) {
			continue
		}
		if i+1 == len(units) || utf16.DecodeRune(rune(units[i]), rune(units[i+1])) == utf8.RuneError {
			return "", fmt.Errorf("%w: UTF-7 with an unpaired surrogate", ErrMalformed)
		}
		i++
	}
	return string(utf16.Decode(units)), nil
}

// EncodeUTF7 encodes a name for a header in the way of .NET: only RFC 2152's
// set D and spaces stay as they are, every run is closed with "-". A space at
// either end is encoded too, since HTTP would cut it off, and so are control
// characters. Bytes that are not UTF-8 become U+FFFD.
func EncodeUTF7(s string) string {
	var b strings.Builder
	var run []byte
	flush := func() {
		if len(run) == 0 {
			return
		}
		b.WriteByte('+')
		b.WriteString(base64.RawStdEncoding.EncodeToString(run))
		b.WriteByte('-')
		run = run[:0]
	}
	for i, r := range s {
		switch {
		case r == ' ' && i > 0 && i < len(s)-1, isDirect(r):
			flush()
			b.WriteByte(byte(r))
		case r == '+' && len(run) == 0:
			b.WriteString("+-")
		default:
			for _, u := range utf16.AppendRune(nil, r) {
				run = append(run, byte(u>>8), byte(u))
			}
		}
	}
	flush()
	return b.String()
}

// isDirect is RFC 2152's set D.
func isDirect(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r < utf8.RuneSelf && strings.ContainsRune("'(),-./:?", r)
}

func isControl(r rune) bool { return r < 0x20 || 0x7f <= r && r <= 0x9f }
