package oauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/idp"
)

// roundTrip is what lies between us and the provider.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// keptTokensOf has signed mira in at p, whose access token has ended. way, if any, is between us and the provider's
// token endpoint from now on.
func keptTokensOf(t *testing.T, db *sqldb.DB, way func(next http.RoundTripper, r *http.Request) (*http.Response, error)) *ProviderTokens {
	t.Helper()
	c := setClock(db)
	p := idp.New(t, c.Now)
	o := signInAt(t, p, db)
	back, cookie := begin(t, p, o)
	in, err := o.Finish(t.Context(), back, cookie)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := NewProviderTokens(t.Context(), db, testSealer(t), o)
	if err != nil {
		t.Fatal(err)
	}
	in.Tokens.Expires = c.Now()
	if err := kept.Put(t.Context(), "mira", in.Tokens); err != nil {
		t.Fatal(err)
	}
	next := o.Provider.client.Transport
	o.Provider.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "/token") {
			return next.RoundTrip(r)
		}
		return way(next, r)
	})
	return kept
}

// TestAProxysAnswerIsNoRefusal: what says nothing in the provider's own words, as the page of a proxy before it does, is no
// verdict about the person: their tokens are not thrown away.
func TestAProxysAnswerIsNoRefusal(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden, http.StatusRequestEntityTooLarge} {
		broken := true
		kept := keptTokensOf(t, sqldbtest.New(t), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if !broken {
				return next.RoundTrip(r)
			}
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {"text/html"}}, Request: r,
				Body: io.NopCloser(strings.NewReader("<html>not now</html>")),
			}, nil
		})
		if err := kept.StillThere(t.Context(), "mira"); !errors.Is(err, ErrProvider) || errors.Is(err, ErrNoCredential) {
			t.Errorf("%d: %v", status, err)
		}
		broken = false
		if _, err := kept.Get(t.Context(), "mira", ""); err != nil {
			t.Errorf("after %d: %v", status, err)
		}
	}
}

// TestNewTokensAreKept also if nobody waits for them any more: the provider takes the former refresh token for stolen.
func TestNewTokensAreKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	kept := keptTokensOf(t, sqldbtest.New(t), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		cancel() // the time of the renewal is over, just now
		return resp, err
	})
	row, err := kept.row(ctx, "mira")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kept.refresh(ctx, "mira", row); err != nil {
		t.Errorf("renewed, and not kept: %v", err)
	}
	now, err := kept.row(t.Context(), "mira")
	if err != nil || now.tokens.Refresh == row.tokens.Refresh {
		t.Errorf("the former refresh token is kept, %v", err)
	}
}
