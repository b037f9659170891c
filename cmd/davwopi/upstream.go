package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"davwopi/bridge/access"
	"davwopi/config"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// newUpstream makes the client of a configured WebDAV server. The embedded server
// is made by openLocal.
func newUpstream(u *config.Upstream) (*access.Upstream, error) {
	up := &access.Upstream{Name: u.Name, DisplayName: u.DisplayName, PerUser: u.Roots == "per_user"}
	if u.Templates != "" {
		path, err := dav.ParsePath(u.Templates)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		up.Templates = path
	}
	if u.URL.URL == nil {
		up.Service = &davbackend.Credential{}
		return up, nil
	}
	transport, err := newTransport(u.CAFile)
	if err != nil {
		return nil, err
	}
	transport.MaxConnsPerHost = u.Connections
	up.Client = &davbackend.Client{Base: u.URL.URL, Discover: true, Transport: transport, Idle: u.Idle, Assumed: davbackend.Unknown}
	if u.LocalPath != "" {
		if up.Client.Local, err = davbackend.OpenLocal(u.LocalPath); err != nil {
			return nil, fmt.Errorf("local_path: %w", err)
		}
	}
	if u.Auth != "service" {
		up.Bearer = u.Auth == "bearer"
		return up, nil
	}
	password := u.Password.Reveal()
	if u.PasswordFile != "" {
		if password, err = firstLine(u.PasswordFile); err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
	}
	up.Service = &davbackend.Credential{}
	if u.User != "" {
		up.Service = &davbackend.Credential{Kind: "password", User: u.User, Secret: password}
	}
	return up, nil
}

// newTransport trusts the system's authorities and those of caFile. The
// environment's proxy is not used: credentials go to the upstream's origin only.
func newTransport(caFile string) (*http.Transport, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no PEM certificate", caFile)
		}
	}
	t := davbackend.NewTransport()
	t.Proxy = nil
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// firstLine reads a secret from a file.
func firstLine(file string) (string, error) {
	f, err := openSecret(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("%s has no first line", file)
	}
	return line, nil
}

// apiKeys reads the configured keys; only their hashes go on.
func apiKeys(c *config.Config) ([]access.APIKey, error) {
	var keys []access.APIKey
	for _, k := range c.APIKeys {
		sum := strings.ToLower(k.SHA256)
		if k.KeyFile != "" {
			key, err := firstLine(k.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("key_file of %s: %w", k.Name, err)
			}
			const shortest = 20
			if len(key) < shortest {
				return nil, fmt.Errorf("key_file of %s: the key has less than %d characters", k.Name, shortest)
			}
			sum = access.KeyHash(key)
		}
		keys = append(keys, access.APIKey{
			Name: k.Name, SHA256: sum, Principals: k.Principals, Subtree: k.Subtree, Upstream: k.Upstream, Modes: k.Modes,
		})
	}
	return keys, nil
}

// accessRules turns the configured rules into the room's.
func accessRules(c *config.Config) (access.Rules, error) {
	rights := map[string]access.Rights{"view": access.View, "edit": access.Edit}
	var rules access.Rules
	for _, r := range c.Access {
		rules = append(rules, access.Rule{Who: r.Who, Upstream: r.Upstream, Path: r.Path, Rights: rights[r.Rights]})
	}
	return rules, rules.Check()
}
