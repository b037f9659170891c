package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

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
		return nil, cannotListen(c.Listen, err)
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

// cannotListen says why nobody could be heard at an address, and what helps.
func cannotListen(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program does already, perhaps a davwopi that still runs: stop it, or name another address with -listen or listen", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine has no such address; listen names one that it has, or 0.0.0.0 for all", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: ports below 1024 are not for everybody: take another with -listen or listen, or give the program CAP_NET_BIND_SERVICE", address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
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
