package proof_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

func vectorKeys(t testing.TB) proof.Keys {
	t.Helper()
	current, err := proof.ParseKey(vectorModulus, "AQAB", "")
	if err != nil {
		t.Fatal(err)
	}
	old, err := proof.ParseKey("", "", vectorOldValue)
	if err != nil {
		t.Fatal(err)
	}
	return proof.Keys{Current: current, Old: old}
}

var vectorTime = wopi.FromTicks(vectorTicks)

func vectorRequest() proof.Request {
	return proof.Request{Token: vectorToken, URL: vectorURL, TimeStamp: strconv.Itoa(vectorTicks), Proof: vectorProof, ProofOld: vectorProofOld}
}

// The published bytes and their sum tell a wrong layout from a wrong key.
func TestVectorIsConsistent(t *testing.T) {
	raw, err := hex.DecodeString(vectorBytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	if hex.EncodeToString(sum[:]) != vectorSum {
		t.Error("the sum is not that of the bytes")
	}
	signature, err := base64.StdEncoding.DecodeString(vectorProof)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(vectorKeys(t).Current, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
}

func TestVectorHolds(t *testing.T) {
	rotated, err := vectorKeys(t).Check(vectorRequest(), vectorTime)
	if err != nil || rotated {
		t.Errorf("rotated %v, %v", rotated, err)
	}
}

func TestCrossedPairsOfTheVectorFail(t *testing.T) {
	keys := vectorKeys(t)
	r := vectorRequest()
	r.ProofOld = ""
	if _, err := (proof.Keys{Current: keys.Old}).Check(r, vectorTime); !errors.Is(err, proof.ErrProof) {
		t.Errorf("proof under the old key: %v", err)
	}
	r.Proof, r.ProofOld = "", vectorProofOld
	if _, err := (proof.Keys{Current: keys.Current}).Check(r, vectorTime); !errors.Is(err, proof.ErrProof) {
		t.Errorf("old proof under the current key: %v", err)
	}
}

type pair struct{ current, old *rsa.PrivateKey }

func newPair(t testing.TB) pair {
	t.Helper()
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	return pair{keys[0], keys[1]}
}

func (p pair) public() proof.Keys {
	return proof.Keys{Current: &p.current.PublicKey, Old: &p.old.PublicKey}
}

const url = "https://bridge.example.test/wopi/files/abc?access_token=tok%2B&access_token_ttl=0"

func TestCheck(t *testing.T) {
	p := newPair(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ticks := wopi.Ticks(now)
	byCurrent, byOld := proof.Sign(p.current, "tok+", url, ticks), proof.Sign(p.old, "tok+", url, ticks)
	invalid := base64.StdEncoding.EncodeToString([]byte("INVALID"))
	for _, tt := range []struct {
		name            string
		proof, proofOld string
		rotated         bool
		want            error
	}{
		{"CurrentValid.OldValid", byCurrent, byOld, false, nil},
		{"CurrentValid.OldInvalid", byCurrent, invalid, false, nil},
		{"CurrentValid without ProofOld", byCurrent, "", false, nil},
		{"both signed with the current key, as Collabora does", byCurrent, byCurrent, false, nil},
		{"CurrentInvalid.OldValidSignedWithCurrentKey", invalid, byCurrent, true, nil},
		{"CurrentValidSignedWithOldKey.OldInvalid", byOld, invalid, true, nil},
		{"CurrentInvalid.OldValidSignedWithOldKey", invalid, byOld, false, proof.ErrProof},
		{"CurrentInvalid.OldInvalid", invalid, invalid, false, proof.ErrProof},
		{"no headers", "", "", false, proof.ErrProof},
		{"not base64", "!", "!", false, proof.ErrProof},
		{"endless headers", strings.Repeat("A", 1<<20), strings.Repeat("A", 1<<20), false, proof.ErrProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := proof.Request{Token: "tok+", URL: url, TimeStamp: strconv.FormatInt(ticks, 10), Proof: tt.proof, ProofOld: tt.proofOld}
			rotated, err := p.public().Check(r, now)
			if !errors.Is(err, tt.want) || rotated != tt.rotated {
				t.Errorf("rotated %v, %v; want %v, %v", rotated, err, tt.rotated, tt.want)
			}
		})
	}
}

func TestCheckOfWhatWasSigned(t *testing.T) {
	p := newPair(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	good := proof.Request{Token: "tok+", RawToken: "tok%2B", URL: url, TimeStamp: strconv.FormatInt(wopi.Ticks(now), 10)}
	for _, tt := range []struct {
		name   string
		signed string // token under the signature
		change func(*proof.Request)
		want   error
	}{
		{"the decoded token", "tok+", func(*proof.Request) {}, nil},
		{"the token as it stands in the URL", "tok%2B", func(*proof.Request) {}, nil},
		{"the raw token is not known", "tok%2B", func(r *proof.Request) { r.RawToken = "" }, proof.ErrProof},
		{"another token", "other", func(*proof.Request) {}, proof.ErrProof},
		{"the URL in another case", "tok+", func(r *proof.Request) { r.URL = strings.ToLower(r.URL) }, nil},
		{"another query", "tok+", func(r *proof.Request) { r.URL += "&x=1" }, proof.ErrProof},
		{"another scheme", "tok+", func(r *proof.Request) { r.URL = "http" + r.URL[5:] }, proof.ErrProof},
		{"another time", "tok+", func(r *proof.Request) { r.TimeStamp = strconv.FormatInt(wopi.Ticks(now)+1, 10) }, proof.ErrProof},
		{"no key is known", "tok+", func(r *proof.Request) { r.Proof = "" }, proof.ErrProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			r.Proof = proof.Sign(p.current, tt.signed, r.URL, wopi.Ticks(now))
			tt.change(&r)
			if _, err := p.public().Check(r, now); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
	r := good
	r.Proof = proof.Sign(p.current, "tok+", r.URL, wopi.Ticks(now))
	if _, err := (proof.Keys{}).Check(r, now); !errors.Is(err, proof.ErrProof) {
		t.Errorf("without keys nothing holds: %v", err)
	}
}

func TestCheckOfTime(t *testing.T) {
	p := newPair(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	stamp := func(d time.Duration) string { return strconv.FormatInt(wopi.Ticks(now.Add(d)), 10) }
	for _, tt := range []struct {
		name, stamp string
		want        error
	}{
		{"now", stamp(0), nil},
		{"20 minutes old", stamp(-20 * time.Minute), nil},
		{"older than 20 minutes", stamp(-20*time.Minute - time.Second), proof.ErrTime},
		{"5 minutes ahead", stamp(5 * time.Minute), nil},
		{"more than 5 minutes ahead", stamp(5*time.Minute + time.Second), proof.ErrTime},
		{"the year 2015", "635753664000000000", proof.ErrTime},
		{"zero", "0", proof.ErrTime},
		{"the largest", "9223372036854775807", proof.ErrTime},
		{"the smallest", "-9223372036854775808", proof.ErrTime},
		{"too large", "9223372036854775808", proof.ErrTime},
		{"missing", "", proof.ErrTime},
		{"not a number", "soon", proof.ErrTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ticks, _ := strconv.ParseInt(tt.stamp, 10, 64)
			r := proof.Request{Token: "t", URL: url, TimeStamp: tt.stamp, Proof: proof.Sign(p.current, "t", url, ticks)}
			if _, err := p.public().Check(r, now); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}

func TestParseKey(t *testing.T) {
	current := vectorKeys(t).Current
	for _, tt := range []struct {
		name                     string
		modulus, exponent, value string
		want                     bool // the vector's current key, else an error
	}{
		{"modulus and exponent", vectorModulus, "AQAB", "", true},
		{"the blob alone", "", "", vectorValue, true},
		{"all three", vectorModulus, "AQAB", vectorValue, true},
		{"a broken modulus beside a good blob", "!", "AQAB", vectorValue, true},
		{"a missing exponent beside a good blob", vectorModulus, "", vectorValue, true},
		{"broken into lines", vectorModulus[:40] + "\n  " + vectorModulus[40:], " AQAB", "", true},
		{"a missing exponent", vectorModulus, "", "", false},
		{"not base64", "!", "AQAB", "!", false},
		{"a blob cut short", "", "", vectorValue[:len(vectorValue)-8], false},
		{"a blob without a header", "", "", vectorModulus, false},
		{"a short modulus", "AQID", "AQAB", "", false},
		{"an exponent of 1", vectorModulus, "AQ==", "", false},
		{"an even exponent", vectorModulus, "AQAC", "", false},
		{"a huge exponent", vectorModulus, vectorModulus, "", false},
		{"an even modulus", vectorModulus[:len(vectorModulus)-4] + "DA==", "AQAB", "", false},
		{"an endless modulus", strings.Repeat("A", 1<<20), "AQAB", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := proof.ParseKey(tt.modulus, tt.exponent, tt.value)
			if tt.want && (err != nil || !key.Equal(current)) {
				t.Errorf("got %v, %v", key, err)
			}
			if !tt.want && (err == nil || key != nil) {
				t.Errorf("got %v, %v; want an error", key, err)
			}
		})
	}
	if key, err := proof.ParseKey("", "", ""); key != nil || err != nil {
		t.Errorf("an absent key: %v, %v", key, err)
	}
	if key, err := proof.ParseKey("", "AQAB", ""); key != nil || err != nil {
		t.Errorf("an exponent alone: %v, %v", key, err)
	}
}

func TestFormatKey(t *testing.T) {
	keys := vectorKeys(t)
	modulus, exponent, value := proof.FormatKey(keys.Current)
	if modulus != vectorModulus || exponent != "AQAB" || value != vectorValue {
		t.Error("the current key is not as published")
	}
	modulus, _, value = proof.FormatKey(keys.Old)
	if modulus != vectorOldModulus || value != vectorOldValue {
		t.Error("the old key is not as published")
	}
}

// No bytes make ParseKey panic, and what it takes can be written and read again.
func FuzzParseKey(f *testing.F) {
	f.Add(vectorModulus, "AQAB", vectorValue)
	f.Add("", "", vectorValue)
	f.Add("AA==", "AQ==", "BgIAAACkAABSU0Ex")
	f.Fuzz(func(t *testing.T, modulus, exponent, value string) {
		key, err := proof.ParseKey(modulus, exponent, value)
		if err != nil || key == nil {
			return
		}
		m, e, v := proof.FormatKey(key)
		if again, err := proof.ParseKey(m, e, ""); err != nil || !again.Equal(key) {
			t.Fatalf("%v, %v", again, err)
		}
		if again, err := proof.ParseKey("", "", v); err != nil || !again.Equal(key) {
			t.Fatalf("%v, %v", again, err)
		}
	})
}
