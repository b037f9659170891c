package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What a provider may send us and how long it may take.
const (
	maxProviderBody = 1 << 20 // bytes of any answer
	providerTimeout = 10 * time.Second
)

// guarded is a client for a provider's addresses that go-oidc and oauth2 may use without hanging or filling
// the memory: they set no limits of their own. It follows redirects on the same host only, so that no
// secret goes elsewhere.
func guarded(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport: boundedBodies{transport},
		Timeout:   providerTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				return errors.New("redirected to another host")
			}
			return nil
		},
	}
}

// boundedBodies ends answers that are too long with an error.
type boundedBodies struct{ next http.RoundTripper }

func (b boundedBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxProviderBody}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// maxCause bounds what is told of a provider's answer: libraries quote whole bodies.
const maxCause = 200

// providerFault says that a provider could not be asked. The libraries' errors are told but not wrapped: they
// hold whole answers. The end of ctx is an error of its own.
func providerFault(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("oauth: %s: %w", what, ctx.Err())
	}
	text := strings.ToValidUTF8(err.Error(), "")
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "..."
	}
	return because(ErrProvider, "%s: %s", what, text)
}
