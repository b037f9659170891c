package proof

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"davwopi/bridge/wopi"
)

var (
	// ErrProof is returned when no pair of signature and key holds.
	ErrProof = errors.New("proof: no signature holds")
	// ErrTime is returned when X-WOPI-TimeStamp is missing, unreadable, or out
	// of bounds. New keys would not help.
	ErrTime = errors.New("proof: timestamp too old or in the future")
)

// How far X-WOPI-TimeStamp may be from now.
const (
	MaxAge   = 20 * time.Minute
	MaxAhead = 5 * time.Minute
)

// Keys are the public keys an editor publishes; nil where absent.
type Keys struct{ Current, Old *rsa.PublicKey }

// A Request is what was signed.
type Request struct {
	Token     string // decoded
	RawToken  string // as it stands in the URL; tried when different and not ""
	URL       string // as the office sent it
	TimeStamp string // header, decimal ticks
	Proof     string // header, base64
	ProofOld  string
}

// Check returns nil if the request was signed by the holder of k: X-WOPI-Proof
// under the current key, X-WOPI-ProofOld under the current key, or X-WOPI-Proof
// under the old key. The last two mean that a rotation of keys is under way,
// which rotated says: discovery should be fetched again.
//
// It returns [ErrTime] for a bad or untimely timestamp and [ErrProof] if nothing
// holds. No error repeats anything of the request.
func (k Keys) Check(r Request, now time.Time) (rotated bool, err error) {
	ticks, err := strconv.ParseInt(r.TimeStamp, 10, 64)
	if err != nil {
		return false, fmt.Errorf("%w: not a number", ErrTime)
	}
	at := wopi.FromTicks(ticks)
	if now.Sub(at) > MaxAge || at.Sub(now) > MaxAhead {
		return false, ErrTime
	}
	sums := [][32]byte{sha256.Sum256(signed(r.Token, r.URL, ticks))}
	if r.RawToken != "" && r.RawToken != r.Token {
		sums = append(sums, sha256.Sum256(signed(r.RawToken, r.URL, ticks)))
	}
	for _, pair := range []struct {
		key       *rsa.PublicKey
		signature string
		rotated   bool
	}{
		{k.Current, r.Proof, false},
		{k.Current, r.ProofOld, true},
		{k.Old, r.Proof, true},
	} {
		if holds(pair.key, pair.signature, sums) {
			return pair.rotated, nil
		}
	}
	return false, ErrProof
}

// maxSignature bounds a header before it is decoded: base64 of the longest key.
const maxSignature = maxBits / 8 * 2

func holds(key *rsa.PublicKey, signature string, sums [][32]byte) bool {
	if key == nil || signature == "" || len(signature) > maxSignature {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	for _, sum := range sums {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil {
			return true
		}
	}
	return false
}

// signed returns the bytes under a proof: token, upper-case URL and ticks, each
// after its length in four bytes.
func signed(token, url string, ticks int64) []byte {
	url = strings.ToUpper(url)
	b := make([]byte, 0, 20+len(token)+len(url))
	b = binary.BigEndian.AppendUint32(b, uint32(len(token)))
	b = append(b, token...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(url)))
	b = append(b, url...)
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(ticks))
}

// Sign returns the value of X-WOPI-Proof (or X-WOPI-ProofOld) for a decoded
// access token, the absolute URL of the request and the ticks of
// X-WOPI-TimeStamp. It is for whoever plays the office. The result is "" if
// the key is too short to sign.
func Sign(key *rsa.PrivateKey, token, url string, ticks int64) string {
	sum := sha256.Sum256(signed(token, url, ticks))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(signature)
}
