package davbackend_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// The table of the package: what each status of each method means.
func TestStatuses(t *testing.T) {
	writes := "PUT DELETE MKCOL MOVE COPY"
	for _, c := range []struct {
		status  int
		methods string // "" all
		want    error
	}{
		{401, "", dav.ErrUnauthorized},
		{403, "PROPFIND LIST GET LOCK REFRESH UNLOCK " + writes, dav.ErrDenied},
		{404, "", dav.ErrNotFound},
		{410, "", dav.ErrNotFound},
		{405, "PUT DELETE MOVE COPY LOCK GET PROPFIND", dav.ErrUnsupported},
		{405, "MKCOL", dav.ErrExists},
		{501, "LOCK UNLOCK PUT", dav.ErrUnsupported},
		{409, "PUT MKCOL MOVE COPY LOCK", dav.ErrNotFound},
		{409, "REFRESH", dav.ErrNotFound},
		{409, "UNLOCK", dav.ErrChanged},
		{412, "PUT DELETE MOVE COPY REFRESH", dav.ErrChanged},
		{400, writes + " PROPFIND GET", dav.ErrBadName},
		{400, "UNLOCK REFRESH", dav.ErrChanged},
		{400, "LOCK", dav.ErrUnsupported},
		{414, writes, dav.ErrBadName},
		{413, "PUT", dav.ErrTooLarge},
		{423, "PUT DELETE MOVE COPY LOCK REFRESH UNLOCK PROPPATCH", dav.ErrLocked},
		{424, "MOVE DELETE COPY", dav.ErrLocked},
		{423, "GET", dav.ErrUnavailable}, // passing, somebody's PUT (Nextcloud)
		{507, writes + " LOCK", dav.ErrFull},
		{429, "", dav.ErrUnavailable},
		{408, "", dav.ErrUnavailable},
		{500, "", dav.ErrUnavailable},
		{502, "", dav.ErrUnavailable},
		{503, "", dav.ErrUnavailable},
		{599, "", dav.ErrUnavailable},
		{302, "", dav.ErrUnavailable},
	} {
		for _, html := range []bool{false, true} {
			w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
				if c.status == 302 {
					w.Header().Set("Location", "https://elsewhere.example/login?secret=1")
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(c.status)
				if html {
					fmt.Fprint(w, "<html><body>Requested page&nbsp;locked<br></body></html>")
				}
			})
			for method, call := range every(t.Context(), w.view(), "/a") {
				if c.methods != "" && !strings.Contains(" "+c.methods+" ", " "+method+" ") {
					continue
				}
				err := call()
				if !errors.Is(err, c.want) {
					t.Errorf("%d to %s (HTML %v): %v, want %v", c.status, method, html, err, c.want)
				}
				var said *davbackend.StatusError
				if !errors.As(err, &said) || said.Status != c.status {
					t.Errorf("%d to %s: no StatusError in %v", c.status, method, err)
				}
				if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "/a")) {
					t.Errorf("%d to %s: error tells too much: %v", c.status, method, err)
				}
			}
		}
	}
}

func TestQuotaPreconditionIsFull(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="urn:s"><s:message>x</s:message><d:quota-not-exceeded/></d:error>`)
	})
	if err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{}); !errors.Is(err, dav.ErrFull) {
		t.Errorf("RFC 4331 4: %v", err)
	}
}

// 207 to a method that is done or not: the first failure counts, 424 only if alone.
func TestMultistatusOfWrites(t *testing.T) {
	response := func(status int) string {
		return fmt.Sprintf("<d:response><d:href>/base/a</d:href><d:status>HTTP/1.1 %d x</d:status></d:response>", status)
	}
	for _, c := range []struct {
		name      string
		responses []string
		want      error
	}{
		{"all good", []string{response(204)}, nil},
		{"nothing in it", nil, nil},
		{"locked", []string{response(423)}, dav.ErrLocked},
		{"424 first, the reason after", []string{response(424), response(403)}, dav.ErrDenied},
		{"424 alone", []string{response(424)}, dav.ErrLocked},
		{"good, then full", []string{response(200), response(507)}, dav.ErrFull},
		{"per property", []string{strings.Replace(file("/base/a", ""), "200 OK", "409 Conflict", 1)}, nil},
	} {
		w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
			if r.Method == "PROPFIND" {
				multi(w, file("/base/a", ""))
				return
			}
			multi(w, c.responses...)
		})
		calls := every(t.Context(), w.view(), "/a")
		for _, method := range []string{"PUT", "MOVE", "COPY", "DELETE", "MKCOL"} {
			err := calls[method]()
			if c.name == "per property" {
				if err == nil {
					t.Errorf("%s, %s: no error", c.name, method)
				}
				continue
			}
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s, %s: %v", c.name, method, err)
			}
		}
	}
	w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.WriteHeader(http.StatusMultiStatus)
		fmt.Fprint(w, "<html>")
	})
	if err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{}); !errors.Is(err, dav.ErrUnavailable) {
		t.Errorf("207 that is HTML: %v", err)
	}
}

func TestHolderIsNamed(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, r *http.Request, _ seen) {
		if r.Method != "PROPFIND" {
			w.WriteHeader(http.StatusLocked)
			return
		}
		multi(w, file("/base/a", `<d:lockdiscovery><d:activelock><d:owner>ours</d:owner><d:locktoken><d:href>t:1</d:href></d:locktoken></d:activelock>
			<d:activelock><d:owner>Jane</d:owner><d:locktoken><d:href>t:2</d:href></d:locktoken></d:activelock></d:lockdiscovery>`))
	})
	err := w.view().Put(t.Context(), "/a", body("x"), davbackend.Condition{Token: "t:1"})
	var locked *davbackend.LockedError
	if !errors.As(err, &locked) || locked.Holder != "Jane" || !errors.Is(err, dav.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// What a person reads when the upstream cannot be reached.
func TestUnavailableSaysWhich(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet()
	t.Cleanup(secure.Close)
	open := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(open.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	failing := func(err error) http.RoundTripper {
		return roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, url string
		transport http.RoundTripper
		ctx       context.Context
		reason    string
	}{
		{"refused", "http://" + closed.Addr().String(), nil, t.Context(), "connection refused"},
		{"unknown authority", secure.URL, nil, t.Context(), "certificate is not signed by a known authority"},
		{"https to a plain port", strings.Replace(open.URL, "http:", "https:", 1), nil, t.Context(), "answer is not TLS"},
		{"other name in the certificate", strings.Replace(secure.URL, "https://127.0.0.1", "https://localhost", 1), trustName(secure), t.Context(), "certificate is for another host name"},
		{"no such name", "http://nas.example", failing(&net.DNSError{Name: "nas.example", IsNotFound: true}), t.Context(), `"nas.example" cannot be resolved`},
		{"cancelled", open.URL, nil, cancelled, "cancelled"},
		{"anything else", "http://nas.example", failing(errors.New("boom")), t.Context(), "request failed"},
	} {
		client := &davbackend.Client{Base: parse(t, c.url), Transport: c.transport}
		_, err := client.As(davbackend.Credential{Kind: "password", User: "ann", Secret: "hunter2"}).Stat(c.ctx, "/a")
		client.CloseIdle()
		var u *davbackend.UnavailableError
		if !errors.Is(err, dav.ErrUnavailable) || !errors.As(err, &u) || !strings.Contains(u.Reason, c.reason) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.url) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: must say which server and no secret: %v", c.name, err)
		}
	}
	if _, err := (&davbackend.Client{Base: parse(t, open.URL)}).As(davbackend.Credential{}).Stat(cancelled, "/"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: the cause is lost: %v", err)
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// trustName trusts the certificate of s for whatever name it has.
func trustName(s *httptest.Server) *http.Transport {
	t := davbackend.NewTransport()
	t.TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	return t
}

func TestAnswerThatIsNotWebDAV(t *testing.T) {
	for name, page := range map[string]string{
		"login page": "<!DOCTYPE html><html><body>Sign in<br></body></html>",
		"empty":      "",
		"other XML":  `<rss/>`,
		"cut short":  `<multistatus xmlns="DAV:"><response>`,
	} {
		w := serve(t, func(w http.ResponseWriter, _ *http.Request, _ seen) { fmt.Fprint(w, page) })
		calls := every(t.Context(), w.view(), "/a")
		for _, method := range []string{"PROPFIND", "LIST"} {
			if err := calls[method](); !errors.Is(err, dav.ErrUnavailable) || !strings.Contains(err.Error(), "not WebDAV") {
				t.Errorf("%s, %s: %v", name, method, err)
			}
		}
	}
}
