package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"davwopi/test/daemon"
)

// onHTTPS is the configuration of a daemon with a certificate of its own.
func onHTTPS(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, who, who, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
}

// TestOfficeOnPhonesOnEveryScreen: the links that open Office's own apps, and the page at which somebody lets Office in.
func TestOfficeOnPhonesOnEveryScreen(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0ffice-of-these-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemon.StartEmpty(t, onHTTPS(t)+fmt.Sprintf("privacy_url: https://docs.example.test/privacy\nupstream: {expose: true}\noauth: {provider_id: TPExample, clients: [{id: office, secret_file: %q}]}\n", secret))
	d.Write("Minutes | 12%.docx", "x")
	d.Write("Sum.xlsx", "x")
	d.Write("notes.txt", "x")
	if _, err := d.Run("app-password"); err != nil {
		t.Fatal(err)
	}
	owner := d.Link
	agents := map[bool]string{
		true:  "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Mobile Safari/537.36",
		false: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36",
	}
	driver := Start(t)
	for i, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			phone := l.width < 800
			e := eye{driver.Open(t, l.width, l.height, append([]string{"--ignore-certificate-errors", "--user-agent=" + agents[phone]}, l.extra...)...), newShots(t), l}
			come := d.Invite("Anna")
			if i == 0 {
				come = owner // who has an app password
			}
			e.w.Go(come)
			e.sees("Sum.xlsx", "apps")
			var links []string
			e.w.Run(`const links = [];
for (const more of document.querySelectorAll('.to-more')) {
  more.click(); // on phones they are in the menu
  const list = [...document.querySelectorAll('[role=menu] a[href^="ms-"]')].map((a) => a.getAttribute('href'));
  const shown = [...more.closest('tr').querySelectorAll('a.app')].filter((a) => a.checkVisibility()).map((a) => a.getAttribute('href'));
  if (shown.length && String(shown) !== String(list)) links.push('the menu has ' + list + ', the row ' + shown);
  links.push(...list);
}
return links`, &links)
			e.sees("Copy link", "apps-menu")
			want := []string(nil) // no app password
			switch {
			case phone:
				want = []string{`^ms-word:ofe\|u\|` + d.URL + `/wopi/files/[a-z2-7]{26}\|d\|TPExample\|e\|u[a-z2-7]{26}\|n\|Minutes%20-%2012-\.docx\|a\|Web$`,
					`^ms-excel:ofe\|u\|` + d.URL + `/wopi/files/[a-z2-7]{26}\|d\|TPExample\|e\|u[a-z2-7]{26}\|n\|Sum\.xlsx\|a\|Web$`}
			case i == 0:
				want = []string{`^ms-excel:ofe\|u\|` + d.URL + `/dav/Sum\.xlsx$`} // Windows knows no file called "Minutes | ..."
			}
			if len(links) != len(want) {
				t.Fatalf("links %q, want %q", links, want)
			}
			for i := range want {
				if !regexp.MustCompile(want[i]).MatchString(links[i]) {
					t.Errorf("link %q, want %s", links[i], want[i])
				}
			}
			letIn(d, e)
		})
	}
}

// letIn is asked by Office, and says yes.
func letIn(d *daemon.Daemon, e eye) {
	e.w.t.Helper()
	e.w.Go(d.URL + "/oauth2/authorize?" + url.Values{"client_id": {"office"}, "redirect_uri": {"https://localhost"}, "response_type": {"code"}, "scope": {""}, "rs": {"en-US"}, "platform": {e.look.name}}.Encode())
	e.sees("Microsoft Office wants to come in", "consent")
	e.w.Click("button[value=yes]")
	e.w.Until("the browser is at Office's own address, with a code", func() bool {
		var at string
		return e.w.try(http.MethodGet, "/url", nil, &at) == nil && strings.HasPrefix(at, "https://localhost/?code=wbc_")
	})
}
