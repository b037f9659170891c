package config

import (
	"net"
	"net/netip"
	"strings"
)

// TLS is https by the bridge itself: cert_file and key_file, or acme.
type TLS struct {
	// CertFile is the certificate chain, PEM. It is read again when it changes.
	CertFile string `yaml:"cert_file" example:"/etc/davwopi/cert.pem"`
	// KeyFile is the private key, PEM.
	KeyFile string `yaml:"key_file" example:"/etc/davwopi/key.pem"`
	// ACME fetches and renews certificates by itself.
	ACME ACME `yaml:"acme"`
}

// On tells whether the bridge serves https itself.
func (t TLS) On() bool { return t.CertFile != "" || t.ACME.Enabled }

// ACME fetches certificates from Let's Encrypt or another authority that speaks RFC 8555.
// The authority connects to port 443 of each domain (tls-alpn-01), where listen has to be
// reached. Certificates and the account's key are kept in acme in the state directory.
type ACME struct {
	// Enabled fetches certificates, and accepts the authority's terms of service.
	// Default false.
	Enabled bool `yaml:"enabled" example:"true"`
	// Domains are the names to fetch certificates for, and no others. Default: the hosts
	// of public_url and wopi_url.
	Domains []string `yaml:"domains" example:"[docs.home.example]"`
	// Email is where the authority tells of trouble. Default none.
	Email string `yaml:"email" example:"anna@home.example"`
	// Directory is the authority's address. Default that of Let's Encrypt.
	Directory URL `yaml:"directory" example:"https://ca.home.example/acme/directory"`
	// CAFile holds certificates (PEM) to trust at the authority besides the system's, for
	// one of your own.
	CAFile string `yaml:"ca_file" example:"/etc/davwopi/ca.pem"`
	// HTTPListen is an address such as :80 at which the authority may ask instead
	// (http-01), and which sends browsers on to https. Default none.
	HTTPListen string `yaml:"http_listen" example:"':80'"`
}

func (r *reader) checkTLS(c *Config) {
	t := &c.TLS
	if (t.CertFile == "") != (t.KeyFile == "") {
		r.fault("tls", "wants both cert_file and key_file")
	}
	a := &t.ACME
	if !a.Enabled {
		return
	}
	const where = "tls.acme"
	if t.CertFile != "" {
		r.fault(where, "cannot be used together with cert_file")
	}
	if c.Replicas {
		r.fault(where, "is for one bridge: the authority's question may reach another one; let a proxy in front have the certificate")
	}
	if len(a.Domains) == 0 {
		for _, u := range []URL{c.PublicURL, c.WOPIURL} {
			if u.URL != nil && u.Scheme == "https" && !hasText(a.Domains, u.Hostname()) {
				a.Domains = append(a.Domains, strings.ToLower(u.Hostname()))
			}
		}
	}
	if len(a.Domains) == 0 {
		r.fault(where+".domains", "is required where public_url does not begin with https://")
	}
	for i, name := range a.Domains {
		if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") || strings.ContainsAny(name, "*/: ") {
			r.fault(at(where+".domains", i), "%q is no name that an authority can look up, such as docs.home.example", name)
		}
	}
	if u := a.Directory.URL; u != nil && u.Scheme != "https" {
		r.fault(where+".directory", "%s is plain http", u)
	}
	if a.HTTPListen != "" {
		if _, port, err := net.SplitHostPort(a.HTTPListen); err != nil {
			r.fault(where+".http_listen", "%q is not an address such as :80", a.HTTPListen)
		} else if a.HTTPListen == c.Listen && port != "0" {
			r.fault(where+".http_listen", "must be another address than listen")
		}
	}
}

func hasText(list []string, text string) bool {
	for _, s := range list {
		if strings.EqualFold(s, text) {
			return true
		}
	}
	return false
}
