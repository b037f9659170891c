package binary

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"davwopi/test/daemon"
)

// A pebble is Let's Encrypt's own small server for tests, which really looks at the challenges, and
// a name server to which every name is this machine.
type pebble struct {
	directory, caFile string
	tlsPort, httpPort int
	roots             *x509.CertPool
	stop              func()
}

// freePorts are ports of loopback on which nobody listened a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func startPebble(t *testing.T) *pebble {
	t.Helper()
	programs := os.Getenv("DAVWOPI_TEST_PEBBLE")
	if programs == "" {
		t.Skip("set DAVWOPI_TEST_PEBBLE to a directory with pebble and pebble-challtestsrv (make acme)")
	}
	ports := freePorts(t, 6)
	dir := t.TempDir()
	p := &pebble{tlsPort: ports[2], httpPort: ports[3], directory: fmt.Sprintf("https://127.0.0.1:%d/dir", ports[0])}
	certFile, keyFile, pool := writeCertificate(t, dir, 7)
	p.caFile = certFile
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", ports[0]), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", ports[1]),
		"certificate": certFile, "privateKey": keyFile, "tlsPort": p.tlsPort, "httpPort": p.httpPort,
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	putSecret(t, dir, "pebble.json", string(config))
	names := fmt.Sprintf("127.0.0.1:%d", ports[4])
	var running []*exec.Cmd
	for _, args := range [][]string{
		{"pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-dnsserver", names, "-defaultIPv6", "", "-management", fmt.Sprintf("127.0.0.1:%d", ports[5])},
		{"pebble", "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", names},
	} {
		c := exec.Command(filepath.Join(programs, args[0]), args[1:]...)
		c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	p.stop = func() {
		for _, c := range running {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		running = nil
	}
	t.Cleanup(p.stop)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/roots/0", ports[1]))
		if err == nil {
			pem, err := io.ReadAll(r.Body)
			r.Body.Close()
			p.roots = x509.NewCertPool()
			if err != nil || !p.roots.AppendCertsFromPEM(pem) {
				t.Fatalf("no root: %v %s", err, pem)
			}
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestACME fetches a certificate by each kind of challenge, serves it, refuses names that are not
// configured, and has it still after a restart without the authority.
func TestACME(t *testing.T) {
	needDaemon(t)
	const name = "docs.davwopi.example"
	for _, way := range []string{"tls-alpn-01", "http-01"} {
		t.Run(way, func(t *testing.T) {
			p := startPebble(t)
			port, more := p.tlsPort, ""
			if way == "http-01" { // nobody listens where tls-alpn-01 would be asked
				port = freePorts(t, 1)[0]
				more = fmt.Sprintf(", http_listen: '127.0.0.1:%d'", p.httpPort)
			}
			listen := fmt.Sprintf("127.0.0.1:%d", port)
			d := daemon.StartAt(t, fmt.Sprintf("public_url: https://%s:%d\ntls: {acme: {enabled: true, email: a@davwopi.example, directory: %q, ca_file: %q%s}}\n",
				name, port, p.directory, p.caFile, more), listen)
			ask := func(server string) error {
				c := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
					TLSClientConfig:   &tls.Config{RootCAs: p.roots},
					DisableKeepAlives: true,
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						return new(net.Dialer).DialContext(ctx, "tcp", listen)
					},
				}}
				r, err := c.Get(fmt.Sprintf("https://%s:%d/signin", server, port))
				if err != nil {
					return err
				}
				defer r.Body.Close()
				if r.StatusCode != http.StatusOK || r.Header.Get("Strict-Transport-Security") == "" {
					return fmt.Errorf("%s %v", r.Status, r.Header)
				}
				return nil
			}
			if err := ask(name); err != nil {
				t.Fatalf("%v\n%s", err, d.Log())
			}
			if err := ask("other.davwopi.example"); err == nil {
				t.Error("a certificate for a name that is not ours")
			}
			if way == "http-01" {
				plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				r, err := plain.Get(fmt.Sprintf("http://127.0.0.1:%d/folder/x", p.httpPort))
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				if to := r.Header.Get("Location"); r.StatusCode != http.StatusFound || !strings.HasPrefix(to, "https://"+name) {
					t.Errorf("plain http: %s to %q", r.Status, to)
				}
			}
			p.stop()
			d.Stop()
			d.URL = "http://" + listen // Restart takes the address from there
			d.Restart()
			if err := ask(name); err != nil {
				t.Errorf("after a restart without the authority: %v", err)
			}
			if err := filepath.WalkDir(filepath.Join(d.State, "acme"), func(path string, e os.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
					return fmt.Errorf("%s: %v %w", path, info.Mode(), err)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
