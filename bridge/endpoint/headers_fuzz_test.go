package endpoint

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"davwopi/bridge/wopi"
)

// FuzzHeaders: headers are read or refused with 400; what is read is bounded and is text, and a
// suggested name is never refused.
func FuzzHeaders(f *testing.F) {
	f.Add("A", "B", "+AOQ-.docx", "name", "12", "1/1")
	f.Add("", "\x00", "a+b", "+", "-1", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, lock, old, suggested, requested, size, session string) {
		r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		for name, value := range map[string]string{
			wopi.HeaderLock: lock, wopi.HeaderOldLock: old, wopi.HeaderSuggestedTarget: suggested, wopi.HeaderRequestedName: requested,
			wopi.HeaderSize: size, wopi.HeaderMaxExpectedSize: size, wopi.HeaderSessionID: session,
		} {
			r.Header.Set(name, value)
		}
		h, err := readHeaders(r)
		if err != nil {
			if status := Refusal(err).Status; status != http.StatusBadRequest {
				t.Fatalf("%v: %d", err, status)
			}
			return
		}
		if h.OldLock == nil || len(h.Session) > 128 || h.Size < -1 || h.MaxExpectedSize < 0 {
			t.Fatalf("%+v", h)
		}
		for _, name := range []*string{h.SuggestedTarget, h.RequestedName} {
			if name == nil || !utf8.ValidString(*name) {
				t.Fatalf("%q %q: %v", suggested, requested, name)
			}
		}
	})
}

// FuzzToken: the token is the first of the query, as it stands there and decoded.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"access_token=wbw_a", "x=1&ACCESS_TOKEN=a%2Bb", "access_token=%zz", "access_token=&access_token=b", "access_token=a;b"} {
		f.Add(s, "Bearer c")
	}
	f.Fuzz(func(t *testing.T, query, authorization string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{"Authorization": {authorization}}}
		decoded, raw := readToken(r)
		if raw == "" {
			return // none in the query
		}
		if plain, err := url.QueryUnescape(raw); err != nil || plain != decoded || !strings.Contains(query, "="+raw) {
			t.Fatalf("%q: %q %q", query, decoded, raw)
		}
	})
}
