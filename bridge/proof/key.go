package proof

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Lengths of a modulus that are taken, in bits. Longer ones only cost time.
const (
	minBits = 1024
	maxBits = 8192
)

// ParseKey reads one key of discovery's proof-key element: modulus and exponent
// (base64, big-endian) if they are there and sound, or else value (base64 of a
// CSP public key blob). A key whose modulus and value are both empty is absent:
// nil without an error. Lengths from 1,024 to 8,192 bits are taken.
func ParseKey(modulus, exponent, value string) (*rsa.PublicKey, error) {
	modulus, exponent, value = clean(modulus), clean(exponent), clean(value)
	if modulus == "" && value == "" {
		return nil, nil
	}
	key, err := parseNumbers(modulus, exponent)
	if err == nil {
		return key, nil
	}
	if value != "" {
		key, blobErr := parseBlob(value)
		if blobErr == nil {
			return key, nil
		}
		err = errors.Join(err, blobErr)
	}
	return nil, fmt.Errorf("proof: bad key in discovery: %w", err)
}

// clean drops the white space by which long attributes are broken into lines.
func clean(s string) string { return strings.Join(strings.Fields(s), "") }

func parseNumbers(modulus, exponent string) (*rsa.PublicKey, error) {
	n, err := decode(modulus)
	if err != nil {
		return nil, fmt.Errorf("modulus: %w", err)
	}
	e, err := decode(exponent)
	if err != nil {
		return nil, fmt.Errorf("exponent: %w", err)
	}
	return newKey(n, e)
}

// blobHeader is PUBLICKEYBLOB of version 2 for CALG_RSA_KEYX, then "RSA1".
var blobHeader = []byte{6, 2, 0, 0, 0, 0xa4, 0, 0, 'R', 'S', 'A', '1'}

func parseBlob(value string) (*rsa.PublicKey, error) {
	blob, err := decode(value)
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	body, ok := bytes.CutPrefix(blob, blobHeader)
	if !ok || len(body) < 8 {
		return nil, errors.New("value: not a CSP public key blob")
	}
	bits := binary.LittleEndian.Uint32(body)
	n := slices.Clone(body[8:])
	if uint64(len(n))*8 != uint64(bits) {
		return nil, errors.New("value: wrong length")
	}
	slices.Reverse(n)
	return newKey(n, binary.BigEndian.AppendUint32(nil, binary.LittleEndian.Uint32(body[4:])))
}

func decode(s string) ([]byte, error) {
	if len(s) > maxSignature {
		return nil, errors.New("too long")
	}
	return base64.StdEncoding.DecodeString(s)
}

func newKey(modulus, exponent []byte) (*rsa.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	switch {
	case n.BitLen() < minBits || n.BitLen() > maxBits:
		return nil, fmt.Errorf("modulus of %d bits", n.BitLen())
	case n.Bit(0) == 0:
		return nil, errors.New("modulus is even")
	case e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0:
		return nil, errors.New("exponent is not an odd number from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// FormatKey is the reverse of [ParseKey]: the three attributes by which
// discovery publishes key.
func FormatKey(key *rsa.PublicKey) (modulus, exponent, value string) {
	n, e := key.N.Bytes(), big.NewInt(int64(key.E)).Bytes()
	blob := slices.Clone(blobHeader)
	blob = binary.LittleEndian.AppendUint32(blob, uint32(len(n)*8))
	blob = binary.LittleEndian.AppendUint32(blob, uint32(key.E))
	little := slices.Clone(n)
	slices.Reverse(little)
	b64 := base64.StdEncoding.EncodeToString
	return b64(n), b64(e), b64(append(blob, little...))
}
