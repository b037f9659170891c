package office

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

// A Client is one office talking to one WOPI file (or container) endpoint. It may
// be used concurrently as long as its fields stay as they are.
type Client struct {
	WOPISrc, AccessToken string
	HTTP                 *http.Client    // nil: http.DefaultClient
	Current, Old         *rsa.PrivateKey // sign when set

	Office wopi.Office      // whose manners to have; AnyOffice: token in the query, nothing else
	LockID string           // with which Open locks; "": as the office makes it
	TTL    time.Time        // access_token_ttl; zero: left out
	Now    func() time.Time // for X-WOPI-TimeStamp; nil: time.Now
}

// An Answer is what came back, with the whole body: see [Client.Send] for bodies
// that are too long for that.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Lock returns X-WOPI-Lock, and whether it is there at all.
func (a Answer) Lock() (lock string, present bool) {
	values := a.Header.Values(wopi.HeaderLock)
	return strings.Join(values, ","), len(values) > 0
}

// ItemVersion returns X-WOPI-ItemVersion.
func (a Answer) ItemVersion() string { return a.Header.Get(wopi.HeaderItemVersion) }

// JSON decodes the body.
func (a Answer) JSON(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("office: answer %d is not JSON: %w", a.Status, err)
	}
	return nil
}

// String is for messages of tests.
func (a Answer) String() string {
	body := a.Body
	if len(body) > 200 {
		body = body[:200]
	}
	s := strconv.Itoa(a.Status)
	for _, name := range []string{wopi.HeaderLock, wopi.HeaderLockFailureReason, wopi.HeaderServerError, wopi.HeaderInvalidFileNameError, wopi.HeaderValidRelativeTarget} {
		if values := a.Header.Values(name); len(values) > 0 {
			s += fmt.Sprintf(" %s: %q", name, values)
		}
	}
	return fmt.Sprintf("%s %q", s, body)
}

// Do sends one request: override "" for none; headers as given, beside those that
// every request of this office has. Suffix is "", "contents" and the like.
func (c *Client) Do(ctx context.Context, method, suffix, override string, header map[string]string, body []byte) (Answer, error) {
	res, err := c.Send(ctx, method, suffix, override, header, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("office: reading the answer: %w", err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: all}, nil
}

// Send is [Client.Do] for bodies of any length in both directions. Size -1 sends
// the body chunked. The caller closes the answer's body.
func (c *Client) Send(ctx context.Context, method, suffix, override string, header map[string]string, body io.Reader, size int64) (*http.Response, error) {
	address, err := c.address(suffix)
	if err != nil {
		return nil, err
	}
	if size == 0 || method == http.MethodGet {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	if body != http.NoBody {
		req.ContentLength = size
	}
	if override != "" {
		req.Header.Set(wopi.HeaderOverride, override)
	}
	c.manners(req)
	c.sign(req, address)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	return res, nil
}

// address is WOPISrc with suffix and token. A URL that was handed out by the
// host carries its own token already.
func (c *Client) address(suffix string) (string, error) {
	u, err := url.Parse(c.WOPISrc)
	if err != nil {
		return "", fmt.Errorf("office: %w", err)
	}
	base, query, own := strings.Cut(c.WOPISrc, "?")
	if suffix = strings.Trim(suffix, "/"); suffix != "" {
		base += "/" + suffix
	}
	if own && u.Query().Has("access_token") {
		return base + "?" + query, nil
	}
	address := base + "?access_token=" + url.QueryEscape(c.AccessToken)
	if !c.TTL.IsZero() {
		address += "&access_token_ttl=" + strconv.FormatInt(c.TTL.UnixMilli(), 10)
	}
	return address, nil
}

// token is the decoded token of the request's address, the one that is signed.
func token(req *http.Request) string { return req.URL.Query().Get("access_token") }

func (c *Client) manners(req *http.Request) {
	h := req.Header
	switch c.Office {
	case wopi.Collabora:
		h.Set("User-Agent", "COOLWSD HTTP Agent 25.04.9.4")
		h.Set("Authorization", "Bearer "+token(req))
		h.Set(wopi.HeaderCoolServerID, "a1b2c3")
	case wopi.OnlyOffice:
		h.Set("User-Agent", "Node.js/6.13")
		h.Set(wopi.HeaderClientVersion, "9.3.0.1")
		h.Set(wopi.HeaderCorrelationID, "6f0c1f2e-31d7-4d0a-8b4e-0a4f2b7f6a11")
		h.Set(wopi.HeaderSessionID, "0b7e0001-0000-0000-0000-0000000000aa")
	case wopi.Microsoft:
		h.Set("Authorization", "Bearer "+token(req))
		h.Set(wopi.HeaderClientVersion, "16.0.19000.41000")
		h.Set(wopi.HeaderCorrelationID, "6f0c1f2e-31d7-4d0a-8b4e-0a4f2b7f6a11")
		h.Set(wopi.HeaderSessionID, "0b7e0001-0000-0000-0000-0000000000aa")
		h.Set(wopi.HeaderMachineName, "FRONT-1")
	}
}

func (c *Client) sign(req *http.Request, address string) {
	if c.Current == nil {
		return
	}
	now := time.Now()
	if c.Now != nil {
		now = c.Now()
	}
	ticks := wopi.Ticks(now)
	req.Header.Set(wopi.HeaderTimeStamp, strconv.FormatInt(ticks, 10))
	current := proof.Sign(c.Current, token(req), address, ticks)
	req.Header.Set(wopi.HeaderProof, current)
	switch {
	case c.Old != nil:
		req.Header.Set(wopi.HeaderProofOld, proof.Sign(c.Old, token(req), address, ticks))
	case c.Office == wopi.Collabora:
		req.Header.Set(wopi.HeaderProofOld, current)
	}
}

// At returns a client for another file, whose URL the host handed out with a
// token of its own.
func (c *Client) At(handedOut string) (*Client, error) {
	u, err := url.Parse(handedOut)
	if err != nil {
		return nil, fmt.Errorf("office: %w", err)
	}
	other := *c
	other.WOPISrc, _, _ = strings.Cut(handedOut, "?")
	if other.AccessToken = u.Query().Get("access_token"); other.AccessToken == "" {
		return nil, fmt.Errorf("office: no access_token in a URL that the host handed out")
	}
	return &other, nil
}

func with(more map[string]string, pairs ...string) map[string]string {
	header := maps.Clone(more)
	if header == nil {
		header = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		header[pairs[i]] = pairs[i+1]
	}
	return header
}
