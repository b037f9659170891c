package binary

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/test/daemon"
	"davwopi/test/upstream"
)

// writeCertificate makes a certificate for 127.0.0.1 in dir.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "davwopi test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, text := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

// TestHTTPS serves https itself: the cookie is bound to the host, and to https.
func TestHTTPS(t *testing.T) {
	needDaemon(t)
	certFile, keyFile, pool := writeCertificate(t, t.TempDir(), 1)
	d := daemon.Start(t, fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\n", certFile, keyFile))
	if !strings.HasPrefix(d.Link, "https://127.0.0.1:") {
		t.Fatalf("link %q", d.Link)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer c.CloseIdleConnections()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.Post(d.Link, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	cookie := r.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-davwopi=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie[:min(len(cookie), 20)])
		}
	}
	if page := get(t, c, d.URL+"/", 200); !strings.Contains(page, "Welcome.txt") {
		t.Error("not signed in")
	}
}

// TestTwoUpstreams shows two servers side by side; a file of one is found under
// its own upstream only.
func TestTwoUpstreams(t *testing.T) {
	needDaemon(t)
	a, r := upstream.Apache(t), upstream.Rclone(t)
	put(t, a.Dir, "on-apache.txt", "a")
	put(t, r.Dir, "on-rclone.txt", "r")
	d := daemon.Start(t, fmt.Sprintf(`
sign_in: {kind: link}
upstreams:
  - {name: one, display_name: First server, url: %q, user: %q, password: %q}
  - {name: two, display_name: Second server, url: %q, user: %q, password: %q}
`, a.URL, a.User, a.Password, r.URL, r.User, r.Password))
	c := d.Browser(d.Link)
	page := get(t, c, d.URL+"/", 200)
	if !strings.Contains(page, "First server") || !strings.Contains(page, "Second server") {
		t.Errorf("the first page lacks an upstream: %s", page)
	}
	for upstream, name := range map[string]string{"one": "/on-apache.txt", "two": "/on-rclone.txt"} {
		c := client(d, "-upstream", upstream, name)
		must2(t)(c.Lock(t.Context(), "L"))
		must2(t)(c.PutFile(t.Context(), "L", []byte("edited"), nil))
		must2(t)(c.Unlock(t.Context(), "L"))
	}
	if _, err := d.Run("open", "-json", "-upstream", "one", "/on-rclone.txt"); err == nil {
		t.Error("a file of the second server was found on the first")
	}
	if read(t, a.Dir, "on-apache.txt") != "edited" || read(t, r.Dir, "on-rclone.txt") != "edited" {
		t.Error("the edits are not there")
	}
}
