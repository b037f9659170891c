package main

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"davwopi/config"
)

// newCertificates fetches certificates for the configured names, and no others, when they are
// first wanted, and renews them by itself.
func newCertificates(c *config.Config) (*autocert.Manager, error) {
	a := c.TLS.ACME
	transport, err := newTransport(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls.acme: %w", err)
	}
	client := &acme.Client{HTTPClient: &http.Client{Transport: transport}, UserAgent: brand}
	if a.Directory.URL != nil {
		client.DirectoryURL = a.Directory.String()
	}
	return &autocert.Manager{
		Prompt:     autocert.AcceptTOS, // that is what tls.acme.enabled says
		Cache:      autocert.DirCache(filepath.Join(c.State.Dir, "acme")),
		HostPolicy: autocert.HostWhitelist(a.Domains...),
		Client:     client,
		Email:      a.Email,
	}, nil
}

// listenHTTP opens the plain address at which the authority asks; nil if there is none.
func listenHTTP(c *config.Config) (net.Listener, error) {
	if !c.TLS.ACME.Enabled || c.TLS.ACME.HTTPListen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.TLS.ACME.HTTPListen)
	if err != nil {
		return nil, fmt.Errorf("tls.acme.http_listen: %w", err)
	}
	return l, nil
}

// plainHTTP answers the authority, and sends people on to the public address.
func plainHTTP(c *config.Config, certificates *autocert.Manager) http.Handler {
	answers := certificates.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use https", http.StatusBadRequest)
			return
		}
		// Not to the path that was asked for: it may hold what must not travel readable.
		http.Redirect(w, r, c.PublicURL.String(), http.StatusFound)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host // the names that certificates are for have no port
		}
		answers.ServeHTTP(w, r)
	})
}
