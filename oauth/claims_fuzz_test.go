package oauth

import (
	"testing"
)

// FuzzClaims: whoever a provider speaks of is a principal that can be stored, with the subject as
// the provider wrote it, and no name of theirs becomes a login that was not asked for.
func FuzzClaims(f *testing.F) {
	f.Add(`{"sub":"a","name":"Anna","groups":["x","y"],"email":"a@b","email_verified":true}`, "email")
	f.Add(`{"sub":"a\u0000","preferred_username":"admin"}`, "")
	f.Add(`{"sub":["a"],"groups":"x y","aud":{"a":1}}`, "preferred_username")
	f.Add(`{"sub":"a","email":"root@b","email_verified":"true"}`, "email")
	f.Fuzz(func(t *testing.T, raw, login string) {
		said, err := decodeClaims([]byte(raw))
		if err != nil {
			return
		}
		c := Claims{Login: login}
		p, err := c.principal("https://id.example", said)
		if login == "" && p.Login != "" {
			t.Fatalf("%s: login %q", raw, p.Login)
		}
		if verified, _ := said["email_verified"].(bool); login == "email" && !verified && p.Login != "" {
			t.Fatalf("%s: %q is not verified", raw, p.Login)
		}
		texts(said["aud"])
		if err != nil {
			return
		}
		if p.Subject != said["sub"] || p.Key() == "" || p.Check() != nil {
			t.Fatalf("%s: %+v", raw, p)
		}
	})
}
