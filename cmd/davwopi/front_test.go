package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// writePair writes a certificate with that serial number, and its key, of that time.
func writePair(t *testing.T, dir string, serial int64, at time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: at, NotAfter: at.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestACertificateIsReadAgain: a renewed one is served without a restart, a broken one is not, and
// a key that others may read is refused.
func TestACertificateIsReadAgain(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	certFile, keyFile := writePair(t, dir, 1, now.Add(-time.Hour))
	c, err := newCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	served := func(want int64) {
		t.Helper()
		c.looked = time.Time{} // as after ten seconds
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil || leaf.SerialNumber.Int64() != want {
			t.Errorf("serves %v (%v), want %d", leaf.SerialNumber, err, want)
		}
	}
	served(1)
	writePair(t, dir, 2, now.Add(-time.Minute))
	served(2)
	if err := os.WriteFile(certFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	served(2)
	if runtime.GOOS == "windows" {
		return // no such modes
	}
	writePair(t, dir, 3, now)
	if err := os.Chmod(keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := newCertificate(certFile, keyFile); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key for everybody: %v", err)
	}
}

// TestHeadersAreBounded: headers beyond the limit are answered 431 before anybody reads them.
func TestHeadersAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	for size, want := range map[int]int{32 << 10: http.StatusNoContent, 128 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// What does not fit may be refused while it is still being sent.
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: "+strings.Repeat("x", size)+"\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		r.Body.Close()
		c.Close()
		if r.StatusCode != want {
			t.Errorf("%d bytes: %s", size, r.Status)
		}
	}
}
