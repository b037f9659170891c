package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge/doctor"
	"davwopi/bridge/wopi"
)

// TestThePastedTextHelps starts a real reverse proxy as people first write it, finds
// what is wrong, pastes what the finding says, and finds nothing any more.
func TestThePastedTextHelps(t *testing.T) {
	for _, p := range []struct {
		name, naive string
		start       func(t *testing.T, lines string) (address string)
	}{
		{"nginx", "proxy_pass http://%s;", startNginx},
		{"Apache", "ProxyPass / http://%s/", startApache},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			house := func(lines string) *rig {
				r := newRig(t)
				r.at(docs)
				r.bridge.Hosts = []string{"docs.home.example"}
				if lines == "" {
					lines = fmt.Sprintf(p.naive, r.Listen)
				}
				lines = strings.ReplaceAll(lines, "LISTEN", r.Listen)
				r.names["docs.home.example:443"] = p.start(t, lines)
				r.connect(theOffice, wopi.Collabora)
				return r
			}
			before := house("")
			found := has(before.examine(), "public_url")
			if len(found) != 1 || found[0].Severity != doctor.Error || !strings.Contains(found[0].Text, "another host name") {
				t.Fatalf("as first written: %+v", found)
			}
			text := ""
			for _, paste := range found[0].Paste {
				if strings.HasPrefix(paste.Where, p.name) {
					text = strings.ReplaceAll(paste.Text, before.Listen, "LISTEN")
				}
			}
			if text == "" {
				t.Fatalf("no text for %s: %+v", p.name, found[0].Paste)
			}
			pasted := house(text)
			compare(t, pasted.examine(), []expected{{"proxy", "warning", "The reverse proxy at 127.0.0.1 is not trusted", []string{"trusted_proxies: [127.0.0.1]"}}})
			trusted := house(text)
			trusted.trust()
			compare(t, trusted.examine(), nil)
		})
	}
}

// TestThePageAboutProxies starts nginx and Apache as deploy/docs/PROXY.md writes them, and
// finds nothing wrong.
func TestThePageAboutProxies(t *testing.T) {
	page, err := os.ReadFile("../../deploy/docs/PROXY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		name, from, to string // of what the page says, beside names and certificates
		start          func(t *testing.T, lines string) (address string)
	}{
		{"nginx", "    location / {\n", "    }\n}\n", startNginx},
		{"apache", "SSLCertificateKeyFile /etc/ssl/docs.home.example.key\n", "</VirtualHost>", startApache},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			_, block, _ := strings.Cut(string(page), "```"+p.name+"\n")
			_, block, begins := strings.Cut(block, p.from)
			lines, _, ends := strings.Cut(block, p.to)
			if !begins || !ends {
				t.Fatalf("there is no block for %s", p.name)
			}
			r := newRig(t)
			r.at(docs)
			r.bridge.Hosts = []string{"docs.home.example"}
			r.names["docs.home.example:443"] = p.start(t, strings.ReplaceAll(lines, "127.0.0.1:8880", r.Listen))
			r.connect(theOffice, wopi.Collabora)
			r.trust()
			compare(t, r.examine(), nil)
		})
	}
}

// certificate makes one for tests in dir.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"docs.home.example"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}

func startNginx(t *testing.T, lines string) string {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	return run(t, "nginx", func(address string) []string {
		file := filepath.Join(dir, "nginx.conf")
		text := fmt.Sprintf("daemon off;\nmaster_process off;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\n"+
			"client_body_temp_path %[1]s/body;\nproxy_temp_path %[1]s/proxy;\nfastcgi_temp_path %[1]s/f;\nuwsgi_temp_path %[1]s/u;\nscgi_temp_path %[1]s/s;\n"+
			"server {\nlisten %[2]s ssl;\nssl_certificate %[3]s;\nssl_certificate_key %[4]s;\nlocation / {\n%[5]s\n}\n}\n}\n", dir, address, cert, key, lines)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-p", dir, "-c", file, "-e", dir + "/error.log"}
	})
}

func startApache(t *testing.T, lines string) string {
	const modules = "/usr/lib/apache2/modules/"
	load := ""
	for _, m := range []string{"mpm_event", "authz_core", "ssl", "socache_shmcb", "proxy", "proxy_http", "headers"} {
		if _, err := os.Stat(modules + "mod_" + m + ".so"); err != nil {
			t.Skip("needs apache2 with mod_" + m)
		}
		load += "LoadModule " + m + "_module " + modules + "mod_" + m + ".so\n"
	}
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	return run(t, "apache2", func(address string) []string {
		file := filepath.Join(dir, "apache.conf")
		text := fmt.Sprintf("%[1]sServerName localhost\nListen %[2]s https\nPidFile %[3]s/pid\nErrorLog %[3]s/error.log\nMutex file:%[3]s\nUser www-data\nGroup www-data\n"+
			"<VirtualHost *>\nServerName docs.home.example\nSSLEngine on\nSSLCertificateFile %[4]s\nSSLCertificateKeyFile %[5]s\n%[6]s\n</VirtualHost>\n",
			load, address, dir, cert, key, lines)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-D", "FOREGROUND", "-f", file, "-d", dir}
	})
}

// run starts a program on a free port and waits until it answers there.
func run(t *testing.T, name string, arguments func(address string) []string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		if program = "/usr/sbin/" + name; exec.Command(program, "-v").Run() != nil {
			t.Skip("needs " + name)
		}
	}
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		command := exec.Command(program, arguments(address)...)
		var out strings.Builder
		command.Stdout, command.Stderr = &out, &out
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Apache has children
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = command.Wait(); close(ended) }()
		t.Cleanup(func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL); <-ended })
		if answers(address, ended) {
			return address
		}
		t.Logf("%s: %s", name, &out) // somebody may have taken the port: another one
	}
	t.Fatalf("%s does not start", name)
	return ""
}

func answers(address string, ended <-chan struct{}) bool {
	for range 200 {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			c.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(25 * time.Millisecond):
		}
	}
	return false
}
