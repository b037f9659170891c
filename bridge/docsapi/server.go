package docsapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Server is a document server, asked over the Docs API. All fields are set before use;
// safe for concurrent use.
type Server struct {
	URL    *url.URL // as configured: what browsers and we use
	Secret Secret
	Header string            // in which its tokens come, "" Authorization
	HTTP   http.RoundTripper // nil: one with time limits of its own
	Now    func() time.Time  // nil: time.Now
	Idle   time.Duration     // ends the reading of a result on which no byte has moved for so long; 0: a minute
}

var (
	// ErrDown is returned when a document server does not answer, or not as one.
	ErrDown = errors.New("docsapi: document server does not answer")
	// ErrForeign is returned for an address that is not the document server's.
	ErrForeign = errors.New("docsapi: not an address of the document server")
)

const (
	askFor    = 30 * time.Second // for an answer of the command service
	maxAnswer = 4 << 20          // bytes of one: a list of forgotten keys may be long
)

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// base is the address below which everything lies, without a slash at its end.
func (s *Server) base() string { return strings.TrimRight(s.URL.String(), "/") }

// API is the address of the script that makes an editor, for one document key.
func (s *Server) API(key string) string {
	return s.base() + "/web-apps/apps/api/documents/api.js?shardkey=" + url.QueryEscape(key)
}

// Origin is scheme, host and port, as browsers compare them.
func (s *Server) Origin() string { return s.URL.Scheme + "://" + s.URL.Host }

// owns reports whether address is one of the document server's, and parses it: same
// scheme, host and port, and nothing but these before the path.
func (s *Server) owns(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, ErrForeign
	}
	if !strings.EqualFold(u.Scheme, s.URL.Scheme) || !strings.EqualFold(u.Hostname(), s.URL.Hostname()) || portOf(u) != portOf(s.URL) {
		return nil, ErrForeign
	}
	return u, nil
}

func portOf(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
}

var errRedirected = errors.New("docsapi: the document server sends us elsewhere")

func (s *Server) client() *http.Client {
	c := &http.Client{Transport: s.HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirected }}
	if c.Transport == nil {
		c.Transport = patient
	}
	return c
}

// patient waits long for the beginning of an answer: a document server converts first.
var patient = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 2 * time.Minute
	t.DisableCompression = true // results are zip files, and their length is wanted
	return t
}()

// post asks one of the services. paths are the address below the server's, the present
// one first; the next is tried where there is nothing (404). The parameters go in the body's token.
func (s *Server) post(ctx context.Context, key string, parameters any, answer any, paths ...string) error {
	token, err := s.Secret.signShort(parameters, s.now())
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return fmt.Errorf("docsapi: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for i, path := range paths {
		address := s.base() + path
		if key != "" {
			address += "?shardkey=" + url.QueryEscape(key)
		}
		status, err := s.postOnce(ctx, address, body, answer)
		if err != nil {
			return err
		}
		if status != http.StatusNotFound || i == len(paths)-1 {
			if status != http.StatusOK {
				return fmt.Errorf("%w: %s answers %d", ErrDown, path, status)
			}
			return nil
		}
	}
	return nil
}

func (s *Server) postOnce(ctx context.Context, address string, body []byte, answer any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("docsapi: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := s.client().Do(req)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDown, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.StatusCode, nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDown, err)
	}
	if len(text) > maxAnswer || json.Unmarshal(text, answer) != nil {
		return 0, fmt.Errorf("%w: its answer is not one of a document server", ErrDown)
	}
	return res.StatusCode, nil
}
