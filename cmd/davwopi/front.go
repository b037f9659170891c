package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/acme/autocert"

	"davwopi/config"
)

// A front is where people and editors come in.
type front struct {
	public       net.Listener
	plain        net.Listener      // tls.acme.http_listen; nil: none
	certificates *autocert.Manager // nil: no ACME
}

// openFront opens the public listener, on https where that is configured.
func openFront(c *config.Config) (*front, error) {
	f := &front{}
	var err error
	if c.TLS.ACME.Enabled {
		if f.certificates, err = newCertificates(c); err != nil {
			return nil, err
		}
	}
	if f.public, err = listen(c, f.certificates); err != nil {
		return nil, err
	}
	if f.plain, err = listenHTTP(c); err != nil {
		return nil, closeAll(err, f.public)
	}
	return f, nil
}

func listen(c *config.Config, certificates *autocert.Manager) (net.Listener, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", c.Listen, err)
	}
	secure, err := tlsConfig(c, certificates)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if secure == nil {
		return l, nil
	}
	return tls.NewListener(l, secure), nil
}

// tlsConfig is how the public listener speaks https; nil if it does not.
func tlsConfig(c *config.Config, certificates *autocert.Manager) (*tls.Config, error) {
	switch {
	case certificates != nil:
		t := certificates.TLSConfig()
		t.MinVersion = tls.VersionTLS12
		return t, nil
	case c.TLS.CertFile != "":
		pair, err := newCertificate(c.TLS.CertFile, c.TLS.KeyFile)
		if err != nil {
			return nil, err
		}
		return &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
	}
	return nil, nil
}
