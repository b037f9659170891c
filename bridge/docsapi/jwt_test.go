package docsapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

var demo = Secret("bridge-demo-secret-0123456789abcdef")

var someday = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// reference/wopi.md 16.5.
var vectors = []struct{ claims, token string }{
	{`{"c":"info","key":"k7f3a1-00017"}`,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjIjoiaW5mbyIsImtleSI6Ims3ZjNhMS0wMDAxNyJ9.0i1-3UTROV425UP-_EoJyf-_hexRed_KOvJbAp29gus"},
	{`{"payload":{"c":"info","key":"k7f3a1-00017"}}`,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwYXlsb2FkIjp7ImMiOiJpbmZvIiwia2V5IjoiazdmM2ExLTAwMDE3In19.OuFoj5930S_iqhzrZjlEvFRvKWRpxbflfSQGjuFIQTA"},
	{`{"key":"k7f3a1-00017","status":4}`,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJrZXkiOiJrN2YzYTEtMDAwMTciLCJzdGF0dXMiOjR9.eqq1THe8eWRX6jL_aVfKJhze61f_Ezs319cxOa3F6Lo"},
	{`{"payload":{"url":"https://bridge.example.test/oo/dl/k7f3a1-00017"}}`,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwYXlsb2FkIjp7InVybCI6Imh0dHBzOi8vYnJpZGdlLmV4YW1wbGUudGVzdC9vby9kbC9rN2YzYTEtMDAwMTcifX0.fWD4yKN4vm8jgkggHCj5srdsCqlAN69DK7o_gqiKkzQ"},
}

func TestTheVectorsOfTheReference(t *testing.T) {
	for _, v := range vectors {
		got, err := demo.Open(v.token, someday)
		if err != nil || string(got) != v.claims {
			t.Errorf("%s: %s, %v", v.claims, got, err)
		}
		made, err := demo.Sign(json.RawMessage(v.claims))
		if err != nil {
			t.Fatal(err)
		}
		// The members of a JOSE header have no order, so the signature may differ; what it
		// says must not.
		if back, err := demo.Open(made, someday); err != nil || string(back) != v.claims {
			t.Errorf("%s: signed and opened it is %s, %v", v.claims, back, err)
		}
		head, err := base64.RawURLEncoding.DecodeString(made[:strings.IndexByte(made, '.')])
		if err != nil || !strings.Contains(string(head), `"HS256"`) || !strings.Contains(string(head), `"JWT"`) {
			t.Errorf("header %s, %v", head, err)
		}
	}
	if got := unwrap([]byte(vectors[1].claims)); string(got) != vectors[0].claims {
		t.Errorf("unwrapped %s", got)
	}
	if got := unwrap([]byte(vectors[0].claims)); string(got) != vectors[0].claims {
		t.Errorf("what is not wrapped became %s", got)
	}
}

// forge makes a token with any header, signed with key by HS256 or with nothing.
func forge(head, claims, signature string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(head)) + "." + enc([]byte(claims)) + "." + signature
}

func TestTokensThatAreRefused(t *testing.T) {
	claims := `{"key":"k","status":2,"url":"https://ds.example/x"}`
	good, err := demo.Sign(json.RawMessage(claims))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Secret("another-secret-0123456789abcdefgh").Sign(json.RawMessage(claims))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	at := func(exp, nbf time.Time) string {
		token, err := demo.Sign(map[string]any{"exp": exp.Unix(), "nbf": nbf.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, token := range map[string]string{
		"nothing":                          "",
		"no JWT":                           "hello",
		"alg none":                         forge(`{"alg":"none","typ":"JWT"}`, claims, ""),
		"alg none with a signature":        forge(`{"alg":"none"}`, claims, parts[2]),
		"alg None":                         forge(`{"alg":"None"}`, claims, ""),
		"HS512 in the header":              forge(`{"alg":"HS512","typ":"JWT"}`, claims, parts[2]),
		"RS256 in the header":              forge(`{"alg":"RS256","typ":"JWT"}`, claims, parts[2]),
		"unsigned":                         parts[0] + "." + parts[1] + ".",
		"two parts":                        parts[0] + "." + parts[1],
		"another secret":                   other,
		"other claims, the same signature": forge(`{"alg":"HS256","typ":"JWT"}`, strings.Replace(claims, "ds.example", "evil.example", 1), parts[2]),
		"expired":                          at(someday.Add(-61*time.Second), someday.Add(-time.Hour)),
		"not good yet":                     at(someday.Add(time.Hour), someday.Add(61*time.Second)),
		"too long":                         strings.Repeat("x", maxJWT+1),
	} {
		if claims, err := demo.Open(token, someday); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %s, %v", name, claims, err)
		} else if len(token) > 20 && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error repeats the token", name)
		}
	}
	for _, bad := range []string{`{"exp":"soon"}`, `{"exp":-5}`, `{"exp":1e300}`, `[1]`, `"x"`} {
		token, err := demo.Sign(json.RawMessage(bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := demo.Open(token, someday); !errors.Is(err, ErrToken) {
			t.Errorf("claims %s: %v", bad, err)
		}
	}
	if _, err := demo.Open(at(someday.Add(-59*time.Second), someday.Add(59*time.Second)), someday); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	for _, none := range []Secret{nil, {}} {
		if _, err := none.Open(good, someday); !errors.Is(err, ErrToken) {
			t.Errorf("without a secret: %v", err)
		}
		if _, err := none.Sign(1); !errors.Is(err, ErrToken) {
			t.Errorf("signed without a secret: %v", err)
		}
	}
}

func TestAShortSecretSignsAsTheDocumentServerDoes(t *testing.T) {
	// HMAC-SHA256 by openssl with the key "secret", ONLYOFFICE's default.
	const token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjIjoidmVyc2lvbiJ9.noAX_X8Lp2rRoCTiMM6hvHAC0WbS3Rl5WgekOuSfyiE"
	if got, err := Secret("secret").Open(token, someday); err != nil || string(got) != `{"c":"version"}` {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.token)
	}
	f.Add(forge(`{"alg":"none"}`, `{}`, ""))
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := demo.Open(token, someday)
		if err != nil {
			return
		}
		// Nothing opens that would not have been signed with the secret.
		again, err := demo.Sign(json.RawMessage(claims))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := demo.Open(again, someday); err != nil || string(back) != string(claims) {
			t.Errorf("%s became %s, %v", claims, back, err)
		}
	})
}
