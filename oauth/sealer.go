package oauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// KeyLen is the length of the secret key in bytes.
const KeyLen = 32

// A sealed blob is: one byte of version, four bytes that name the key, twelve of nonce, the
// ciphertext, sixteen of tag.
const (
	sealVersion = 1
	sealKeyID   = 4
	sealHead    = 1 + sealKeyID
)

// A Sealer keeps things readable to us only (AES-256-GCM) and signs what we hand out (HMAC-SHA256). Every
// purpose has its own key, derived from the one secret key by HKDF (RFC 5869), so that a thing made for
// one purpose is never good for another. Safe for concurrent use.
//
// It shows nothing of its keys when printed.
type Sealer struct {
	keys func() *sealerKeys // a function, because fmt looks through everything else where it cannot ask Format
}

type sealerKeys struct {
	aead cipher.AEAD
	id   [sealKeyID]byte
	prk  []byte
}

// NewSealer derives the keys from the secret key, which must have [KeyLen] bytes; otherwise the error
// wraps [ErrKey].
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeyLen {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrKey, len(key), KeyLen)
	}
	prk, err := hkdf.Extract(sha256.New, key, []byte("davwopi"))
	if err != nil {
		return nil, fmt.Errorf("oauth: derive keys: %w", err)
	}
	block, err := aes.NewCipher(expand(prk, "seal 1"))
	if err != nil {
		return nil, fmt.Errorf("oauth: derive keys: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("oauth: derive keys: %w", err)
	}
	k := &sealerKeys{aead: aead, prk: prk}
	copy(k.id[:], expand(prk, "key id"))
	return &Sealer{keys: func() *sealerKeys { return k }}, nil
}

// expand is HKDF-Expand of RFC 5869 section 2.3 for one block: T(1) = HMAC(PRK, info | 0x01). It is written
// out because, unlike the one in the library, it cannot fail.
func expand(prk []byte, info string) []byte {
	mac := hmac.New(sha256.New, prk)
	mac.Write([]byte(info))
	mac.Write([]byte{1})
	return mac.Sum(nil)
}

// Seal encrypts plain with a fresh random nonce and binds it to aad, the key of the row that keeps it
// ([RowKey]): a blob copied into another row does not open.
func (s *Sealer) Seal(aad string, plain []byte) ([]byte, error) {
	head := make([]byte, sealHead, sealHead+s.keys().aead.Overhead()+len(plain))
	head[0] = sealVersion
	copy(head[1:], s.keys().id[:])
	return s.keys().aead.Seal(head, nil, plain, sealAAD(head, aad)), nil
}

// Open returns what was sealed under aad. It returns [ErrUnsealed] if the blob was sealed with another
// secret key or for another row, is of an unknown version, or was changed by as much as a bit.
func (s *Sealer) Open(aad string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHead || sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: unknown form", ErrUnsealed)
	}
	head := sealed[:sealHead:sealHead]
	if subtle.ConstantTimeCompare(head[1:], s.keys().id[:]) != 1 {
		return nil, fmt.Errorf("%w: sealed with another secret key", ErrUnsealed)
	}
	plain, err := s.keys().aead.Open(nil, nil, sealed[sealHead:], sealAAD(head, aad))
	if err != nil {
		return nil, fmt.Errorf("%w: changed, or of another row", ErrUnsealed)
	}
	return plain, nil
}

func sealAAD(head []byte, aad string) []byte {
	return append(append([]byte(nil), head...), aad...)
}

// MAC returns the HMAC-SHA256 of msg, 32 bytes, under the key of purpose. Compare it in constant time.
func (s *Sealer) MAC(purpose string, msg []byte) []byte {
	mac := hmac.New(sha256.New, expand(s.keys().prk, "mac "+purpose))
	mac.Write(msg)
	return mac.Sum(nil)
}

// Format prints the name of the type, whatever the verb.
func (s Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "oauth.Sealer{hidden}") }
