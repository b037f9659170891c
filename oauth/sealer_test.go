package oauth

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestSealerOpensWhatItSealed(t *testing.T) {
	s := testSealer(t)
	rapid.Check(t, func(t *rapid.T) {
		aad, plain := rapid.String().Draw(t, "aad"), rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		one, err := s.Seal(aad, plain)
		if err != nil {
			t.Fatal(err)
		}
		two, _ := s.Seal(aad, plain)
		if bytes.Equal(one, two) {
			t.Fatal("the nonce is not fresh")
		}
		got, err := s.Open(aad, one)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%x, %v", got, err)
		}
	})
}

func TestSealerRefuses(t *testing.T) {
	s := testSealer(t)
	other, err := NewSealer([]byte("another key of 32 bytes in total"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal("row 1", []byte("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, s *Sealer, aad string, blob []byte) {
		t.Helper()
		if got, err := s.Open(aad, blob); !errors.Is(err, ErrUnsealed) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	refused("another row", s, "row 2", sealed)
	refused("another key", other, "row 1", sealed)
	refused("another key under our key's name", other, "row 1", append(append([]byte{sealVersion}, other.keys().id[:]...), sealed[sealHead:]...))
	refused("one byte more", s, "row 1", append(bytes.Clone(sealed), 0))
	for n := range sealed {
		refused("cut short", s, "row 1", sealed[:n])
		for bit := range 8 {
			blob := bytes.Clone(sealed)
			blob[n] ^= 1 << bit
			refused("a changed bit", s, "row 1", blob)
		}
	}
}

func TestSealerMACIsHKDFPerPurpose(t *testing.T) {
	s := testSealer(t)
	prk, err := hkdf.Extract(sha256.New, []byte("0123456789abcdef0123456789abcdef"), []byte("davwopi"))
	if err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{"", "a", "a purpose with many words in it"} {
		key, err := hkdf.Expand(sha256.New, prk, "mac "+purpose, 32)
		if err != nil {
			t.Fatal(err)
		}
		want := hmac.New(sha256.New, key)
		want.Write([]byte("message"))
		if got := s.MAC(purpose, []byte("message")); !bytes.Equal(got, want.Sum(nil)) {
			t.Errorf("%q: RFC 5869 section 2.3 gives %x, not %x", purpose, want.Sum(nil), got)
		}
	}
	if bytes.Equal(s.MAC("a", []byte("m")), s.MAC("b", []byte("m"))) || bytes.Equal(s.MAC("a", []byte("m")), s.MAC("a", []byte("n"))) {
		t.Error("two purposes or messages have one MAC")
	}
}

func TestNewSealerWantsAWholeKey(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := NewSealer(make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestSealerIsIndependentOfItsKeyAfterwards(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	before := s.MAC("a", nil)
	clear(key)
	if !bytes.Equal(before, s.MAC("a", nil)) {
		t.Error("the caller's slice is still the key")
	}
}

func TestSealerAndSecretsDoNotPrint(t *testing.T) {
	s := testSealer(t)
	prk := string(s.keys().prk)
	mustHide(t, s, prk, "0123456789abcdef")
	mustHide(t, *s, prk, "0123456789abcdef")
	mustHide(t, struct{ S Sealer }{*s}, prk)
	mustHide(t, struct{ s Sealer }{*s}, prk)
	secret := Secret{KindPassword, "anna", "hunter2"}
	mustHide(t, secret, "hunter2", "anna")
	mustHide(t, &secret, "hunter2")
	mustHide(t, struct{ In Secret }{secret}, "hunter2")
	mustHide(t, []Secret{secret}, "hunter2")
	mustHide(t, map[string]Secret{"a": secret}, "hunter2")
	mustHide(t, &Credentials{sealer: s}, prk)
	mustHide(t, Credentials{sealer: s}, prk)
}

func FuzzSealerOpen(f *testing.F) {
	s := testSealer(f)
	sealed, err := s.Seal("row", []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Add([]byte{sealVersion})
	f.Add(append([]byte{sealVersion}, s.keys().id[:]...))
	f.Fuzz(func(t *testing.T, blob []byte) {
		// A seed may be of another process, with another nonce; but nothing else was ever sealed.
		plain, err := s.Open("row", blob)
		if err == nil && (string(plain) != "plain" || len(blob) != len(sealed)) || err != nil && !errors.Is(err, ErrUnsealed) {
			t.Errorf("%x opened: %q, %v", blob, plain, err)
		}
		if _, err := s.Open("another row", blob); !errors.Is(err, ErrUnsealed) {
			t.Errorf("%x opened in another row: %v", blob, err)
		}
	})
}
