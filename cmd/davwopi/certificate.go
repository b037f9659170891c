package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// A certificate is read again when its files change, so that a renewal needs no
// restart. A broken new one is not taken: the old one goes on.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	pair    *tls.Certificate // guarded by mu
	changed time.Time        // of the newer file when pair was read; guarded by mu
	looked  time.Time        // guarded by mu
}

func newCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// read loads the pair. The caller holds mu or is alone.
func (c *certificate) read() error {
	if err := checkSecret(c.keyFile); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	changed, err := c.newest()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.pair, c.changed = &pair, changed
	return nil
}

func (c *certificate) newest() (time.Time, error) {
	var newest time.Time
	for _, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// get is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > 10*time.Second {
		c.looked = now
		if newest, err := c.newest(); err == nil && !newest.Equal(c.changed) {
			_ = c.read() // half-written files: the old pair serves, the next look tries again
		}
	}
	return c.pair, nil
}
