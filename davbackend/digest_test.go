package davbackend

import (
	"strings"
	"testing"
)

// RFC 7616 3.9.1 and RFC 2617 3.5, with their own nonces and cnonces.
func TestDigestVectors(t *testing.T) {
	for _, c := range []struct {
		name, header, cnonce, user, secret, uri, response string
	}{
		{"RFC 7616 3.9.1, MD5",
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", "/dir/index.html", "8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 7616 3.9.1, SHA-256",
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", "/dir/index.html", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC 2617 3.5",
			`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"0a4f113b", "Mufasa", "Circle Of Life", "/dir/index.html", "6629fae49393a05397450978507c4ef1"},
	} {
		ch := strongest(parseChallenges([]string{c.header}))
		if ch == nil {
			t.Errorf("%s: no challenge", c.name)
			continue
		}
		ch.cnonce = c.cnonce
		got, err := ch.authorize(Credential{Kind: "password", User: c.user, Secret: c.secret}, "GET", c.uri)
		if err != nil || !strings.Contains(got, `response="`+c.response+`"`) || !strings.Contains(got, "nc=00000001") {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
		if again, _ := ch.authorize(Credential{}, "GET", c.uri); !strings.Contains(again, "nc=00000002") {
			t.Errorf("%s: count does not rise: %s", c.name, again)
		}
	}
}

func TestChallenges(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		want    string // scheme and algorithm of the strongest, "" none
	}{
		{"Basic", []string{`Basic realm="x"`}, "basic "},
		{"Basic without parameters", []string{`Basic`}, "basic "},
		{"lower case", []string{`basic realm=x`}, "basic "},
		{"two in one value", []string{`Basic realm="x", Digest realm="y", nonce="n", qop="auth"`}, "digest "},
		{"two in one value, the other order", []string{`Digest realm="y", nonce="n", algorithm=MD5, Basic realm="x"`}, "digest MD5"},
		{"two values, SHA-256 is stronger", []string{`Digest realm="y", nonce="n", algorithm=MD5`, `Digest realm="y", nonce="n", algorithm=SHA-256`}, "digest SHA-256"},
		{"a comma and a word inside quotes", []string{`Digest realm="a, Basic b", nonce="n"`}, "digest "},
		{"an unknown algorithm falls back to Basic", []string{`Digest realm="y", nonce="n", algorithm=FOO, Basic realm="x"`}, "basic "},
		{"auth-int alone cannot be answered", []string{`Digest realm="y", nonce="n", qop="auth-int"`}, ""},
		{"no nonce", []string{`Digest realm="y"`}, ""},
		{"others", []string{"Negotiate", `Bearer realm="x"`, "NTLM"}, ""},
		{"token68", []string{`Negotiate abc==, Basic realm="x"`}, "basic "},
		{"header injection by algorithm", []string{`Digest realm="y", nonce="n", algorithm="MD5-sess, x=y"`}, ""},
		{"endless", []string{`Digest realm="` + strings.Repeat("x", 10000) + `", nonce="n"`}, ""},
		{"nothing", nil, ""},
	} {
		best := strongest(parseChallenges(c.headers))
		got := ""
		if best != nil {
			got = best.scheme + " " + best.algorithm
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Basic realm="x", Digest realm="a, \"b", nonce="n", qop="auth", algorithm=SHA-256-sess`)
	f.Add(`Negotiate abc==, Digest nonce=n,opaque=,stale=true`)
	f.Add(`Digest nonce="\`)
	f.Fuzz(func(t *testing.T, s string) {
		best := strongest(parseChallenges([]string{s}))
		if best == nil || !best.digest() {
			return
		}
		got, err := best.authorize(Credential{Kind: "password", User: `a"b`, Secret: "s"}, "PUT", "/x")
		if err != nil {
			t.Fatal(err)
		}
		p := parseParams(strings.TrimPrefix(got, "Digest "))
		if p["nonce"] != best.nonce || p["realm"] != best.realm || p["username"] != `a"b` || p["opaque"] != best.opaque || p["response"] == "" {
			t.Fatalf("%q is answered with %q", s, got)
		}
	})
}
