package endpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"davwopi/bridge/wopi"
)

func TestToken(t *testing.T) {
	for _, c := range []struct {
		name, query, header, decoded, raw string
	}{
		{"query parameter", "access_token=abc", "", "abc", "abc"},
		{"among others, name in any case", "a=1&Access_Token=a%2Bb&c=2", "", "a+b", "a%2Bb"},
		{"the query parameter wins over the header", "access_token=abc", "Bearer xyz", "abc", "abc"},
		{"Authorization header where the parameter is missing", "x=1", "Bearer xyz", "xyz", ""},
		{"scheme in any case", "", "bearer  xyz", "xyz", ""},
		{"another scheme", "", "Basic xyz", "", ""},
		{"malformed escape", "access_token=a%zz", "Bearer xyz", "", ""},
		{"none", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/wopi/files/x?"+c.query, strings.NewReader("access_token=eaten"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			decoded, raw := readToken(r)
			if decoded != c.decoded || raw != c.raw {
				t.Errorf("got %q %q, want %q %q", decoded, raw, c.decoded, c.raw)
			}
			body := make([]byte, 18)
			if n, _ := r.Body.Read(body); n != 18 {
				t.Error("the body was eaten")
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	read := func(header ...string) (Headers, error) {
		r := httptest.NewRequest("POST", "/", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return readHeaders(r)
	}
	t.Run("absent headers", func(t *testing.T) {
		h, err := read()
		if err != nil || h.Lock != nil || h.OldLock != nil || h.Size != -1 || h.MaxExpectedSize != 1<<31-1 || h.SuggestedTarget != nil {
			t.Errorf("%+v %v", h, err)
		}
	})
	t.Run("X-WOPI-OldLock present and empty matches nothing", func(t *testing.T) {
		h, err := read("X-WOPI-OldLock", "", "X-WOPI-Lock", `{"S":"a","F":4}`)
		if err != nil || h.OldLock == nil || *h.OldLock != "" || *h.Lock != `{"S":"a","F":4}` {
			t.Errorf("%+v %v", h, err)
		}
	})
	t.Run("names are UTF-7", func(t *testing.T) {
		h, err := read("X-WOPI-RequestedName", "Gr+APYA3w-e", "X-WOPI-SuggestedTarget", ".docx")
		if err != nil || *h.RequestedName != "Größe" || *h.SuggestedTarget != ".docx" {
			t.Errorf("%+v %v", h, err)
		}
	})
	t.Run("True as .NET writes it", func(t *testing.T) {
		if h, _ := read("X-WOPI-OverwriteRelativeTarget", "True"); !h.Overwrite {
			t.Error("not read")
		}
	})
	t.Run("the newer timestamp is preferred", func(t *testing.T) {
		h, _ := read("X-LOOL-WOPI-Timestamp", "old", "X-COOL-WOPI-Timestamp", "new")
		if h.Timestamp != "new" {
			t.Error(h.Timestamp)
		}
		if h, _ = read("X-LOOL-WOPI-Timestamp", "old"); h.Timestamp != "old" {
			t.Error(h.Timestamp)
		}
	})
	for _, bad := range [][2]string{
		{"X-WOPI-Lock", strings.Repeat("x", 1025)}, {"X-WOPI-Lock", "ä"}, {"X-WOPI-OldLock", "a\tb"},
		{"X-WOPI-RequestedName", "a+AP"}, {"X-WOPI-RelativeTarget", strings.Repeat("a", maxNameHeader+1)},
	} {
		if _, err := read(bad[0], bad[1]); !errors.Is(err, wopi.ErrMalformed) {
			t.Errorf("%s: %.20q: %v", bad[0], bad[1], err)
		}
	}
}

func TestSignedAddresses(t *testing.T) {
	parse := func(s string) *url.URL { u, _ := url.Parse(s); return u }
	e := &Endpoint{URLs: URLs{Public: parse("https://docs.example/sub"), WOPI: parse("http://bridge:8880")}}
	r := httptest.NewRequest(http.MethodGet, "/wopi/files/a%2Fb?access_token=x%2By&z", nil)
	r.RequestURI = "/wopi/files/a%2Fb?access_token=x%2By&z"
	got := e.signedAddresses(r)
	want := []string{
		"http://bridge:8880/wopi/files/a%2Fb?access_token=x%2By&z",
		"https://docs.example/sub/wopi/files/a%2Fb?access_token=x%2By&z",
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q", got)
	}
	r.RequestURI = "/sub/wopi/files/a"
	if got := e.signedAddresses(r); got[1] != "https://docs.example/sub/wopi/files/a" {
		t.Errorf("the prefix stands twice: %q", got)
	}
}

func TestHeadersGivenTwiceAreRefused(t *testing.T) {
	for _, name := range []string{wopi.HeaderLock, wopi.HeaderOldLock, wopi.HeaderRequestedName, wopi.HeaderRelativeTarget, wopi.HeaderSuggestedTarget} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Add(name, "a")
		r.Header.Add(name, "b")
		if _, err := readHeaders(r); !errors.Is(err, wopi.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
