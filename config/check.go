package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var upstreamName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// check notes what single values cannot show, and fills in what follows from
// other keys.
func (r *reader) check(c *Config) {
	r.checkAddresses(c)
	r.checkState(c)
	r.checkUpstreams(c)
	r.checkEditors(c)
	r.checkSignIn(c)
	r.checkOAuth(c)
	for i, rule := range c.Access {
		r.checkAccess(c, at("access", i), &c.Access[i], rule)
	}
	r.checkSharing(c)
	r.checkFrames(c)
	for i := range c.APIKeys {
		r.checkAPIKey(c, at("api_keys", i), &c.APIKeys[i])
	}
	for i, name := range c.Admins {
		if name == "" || name == "*" {
			r.fault(at("admins", i), "%q is no sign-in name", name)
		}
	}
	if c.Walk.RequestsPerSecond < 1 || c.Walk.RequestsPerSecond > 1000 {
		r.fault("walk.requests_per_second", "%d: wants 1 to 1000", c.Walk.RequestsPerSecond)
	}
	if n := c.WOPI.RequestsPerToken; n < 4 || n > 10000 {
		r.fault("wopi.requests_per_token", "%d: wants 4 to 10000", n)
	}
	if c.Log.AuditNames && c.Log.Audit == "" {
		r.fault("log.audit_names", "is about log.audit, which is not set")
	}
	if c.Locks.AnnounceLocks == nil {
		announce := !c.Embedded()
		c.Locks.AnnounceLocks = &announce
	}
}

func (r *reader) checkAddresses(c *Config) {
	if c.Metrics.Listen != "" {
		_, port, err := net.SplitHostPort(c.Metrics.Listen)
		if err != nil {
			r.fault("metrics.listen", "%q is not an address such as 127.0.0.1:9464", c.Metrics.Listen)
		} else if c.Metrics.Listen == c.Listen && port != "0" {
			r.fault("metrics.listen", "must be another address than listen: who sees the pages should not see the figures")
		}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		r.fault("listen", "%q is not an address such as 127.0.0.1:8880", c.Listen)
		return
	}
	r.checkTLS(c)
	if !c.TLS.On() && !IsLoopback(host) && !c.InsecureHTTP {
		r.fault("listen", "%s is not a loopback address and there is no tls: put a reverse proxy with https in front and listen on 127.0.0.1, set tls, or set insecure_http: true", c.Listen)
	}
}

// checkState says nothing of what a URL holds: there may be a password in it.
func (r *reader) checkState(c *Config) {
	s := &c.State
	if s.Dir == "" {
		r.fault("state.dir", "is required")
	}
	if u := s.URL.Reveal(); u != "" && !IsPostgres(u) {
		r.fault("state.url", "wants an address that begins with postgres://")
	}
	if s.URL.Reveal() != "" && s.URLFile != "" {
		r.fault("state.url", "cannot be used together with url_file")
	}
	if c.Replicas && !s.Shared() {
		r.fault("replicas", "needs state.url: SQLite, the database in the state directory, is for one bridge only")
	}
	if c.Saves.Store == "" {
		c.Saves.Store = "files"
		if s.Shared() && c.Saves.Dir == "" {
			c.Saves.Store = "database"
		}
	}
	if c.Saves.Store == "database" && !s.Shared() {
		r.fault("saves.store", "database needs state.url: SQLite would only write every byte twice")
	}
	if c.Saves.Dir != "" && c.Saves.Store == "database" {
		r.fault("saves.dir", "is for store: files")
	}
	if c.Saves.Dir != "" && !s.Shared() {
		r.fault("saves.dir", "is for several bridges and needs state.url; a single one keeps its saves in the state directory")
	}
}

// IsPostgres tells whether text is an address of a PostgreSQL database.
func IsPostgres(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// Listening fills in the addresses that were not configured, once it is known on
// which address (host:port) the bridge listens.
func (c *Config) Listening(address string) {
	if c.PublicURL.URL == nil {
		scheme := "http"
		if c.TLS.On() {
			scheme = "https"
		}
		if host, port, err := net.SplitHostPort(address); err == nil {
			if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
				address = net.JoinHostPort("localhost", port)
			}
		}
		c.PublicURL.URL = &url.URL{Scheme: scheme, Host: address}
	}
	if c.WOPIURL.URL == nil {
		c.WOPIURL = c.PublicURL
	}
}

// IsLoopback tells whether host is a loopback address or localhost.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Embedded tells whether the folder dir is what is served.
func (c *Config) Embedded() bool { return len(c.Upstreams) == 1 && c.Upstreams[0].URL.URL == nil }

// checkUpstreams leaves the one list Upstreams, whichever key was used.
func (r *reader) checkUpstreams(c *Config) {
	where := func(i int) string { return at("upstreams", i) }
	if len(c.Upstreams) == 0 {
		c.Upstreams = []Upstream{c.Upstream}
		where = func(int) string { return "upstream" }
		if c.Upstream.Name == "" {
			c.Upstreams[0].Name = "main"
		}
	} else if c.Upstream != (Upstream{}) {
		r.fault("upstream", "cannot be used together with upstreams")
	}
	seen := map[string]bool{}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		r.checkUpstream(where(i), u)
		if seen[u.Name] {
			r.fault(where(i)+".name", "%q is there twice", u.Name)
		}
		seen[u.Name] = true
		if u.URL.URL == nil && len(c.Upstreams) > 1 {
			r.fault(where(i)+".url", "is required where there are several upstreams")
		}
	}
}

func (r *reader) checkUpstream(where string, u *Upstream) {
	if !upstreamName.MatchString(u.Name) {
		r.fault(where+".name", "%q: wants 1 to 64 letters, digits, - or _", u.Name)
	}
	if u.Password.Reveal() != "" && u.PasswordFile != "" {
		r.fault(where+".password", "cannot be used together with password_file")
	}
	if u.Connections < 0 || u.Connections > 1000 {
		r.fault(where+".connections", "%d: wants 0 (no limit) to 1000", u.Connections)
	}
	if u.Auth == "" {
		u.Auth = "service"
	}
	if u.Auth != "service" {
		if u.Roots == "" {
			r.fault(where+".roots", "is required with auth: %s: shared when all accounts see the same tree under url, per_user when each sees its own", u.Auth)
		}
		if u.User != "" {
			r.fault(where+".user", "belongs to auth: service; with auth: %s each person's own is used", u.Auth)
		}
		if u.URL.URL == nil {
			r.fault(where+".auth", "%s needs an upstream url; the embedded server has no accounts", u.Auth)
		}
	}
	if u.Roots == "" {
		u.Roots = "shared"
	}
	if u.Auth == "service" && u.Roots == "per_user" {
		r.fault(where+".roots", "per_user needs auth: user or bearer; one account has one tree")
	}
	if u.LocalPath != "" && u.URL.URL == nil {
		r.fault(where+".local_path", "is for an upstream url; the embedded server knows its folder")
	}
	if u.LocalPath != "" && u.Roots == "per_user" {
		r.fault(where+".local_path", "cannot be used together with roots: per_user; it is one folder")
	}
	if d := u.DesktopURL.URL; d != nil && u.URL.URL == nil {
		r.fault(where+".desktop_url", "is for an upstream url; the embedded server has expose: true")
	} else if d != nil && (d.Scheme != "https" || d.RawQuery != "" || d.User != nil) {
		r.fault(where+".desktop_url", "wants a plain https address: over http Office sends no password")
	}
	if u.Templates != "" && !isFolder(u.Templates) {
		r.fault(where+".templates", "wants the path of a folder on the server, such as /Templates")
	}
	if u.URL.URL != nil && u.Expose {
		r.fault(where+".expose", "is for the embedded server; %s can be reached itself", u.URL.Host)
	}
	if u.URL.URL == nil && (u.User != "" || u.PasswordFile != "" || u.Password.Reveal() != "") {
		r.fault(where+".url", "is missing: there is a user or password, but no server that wants it")
	}
	if u.DisplayName == "" {
		u.DisplayName = "Documents"
		if u.Name != "main" {
			u.DisplayName = u.Name
		}
	}
}

// isFolder reports whether p can be the path of a folder on an upstream: below its root,
// and clean.
func isFolder(p string) bool {
	return p != "/" && path.IsAbs(p) && path.Clean(p) == strings.TrimSuffix(p, "/") && !strings.ContainsAny(p, "\\\x00")
}

func (r *reader) checkEditors(c *Config) {
	seen := map[string]bool{}
	for i, e := range c.Editors {
		if e.URL.URL == nil {
			r.fault(at("editors", i)+".url", "is required")
			continue
		}
		if seen[e.URL.String()] {
			r.fault(at("editors", i)+".url", "%s is there twice", e.URL)
		}
		seen[e.URL.String()] = true
		r.checkDocs(at("editors", i), e)
	}
	for ext, want := range c.Prefer {
		if strings.HasPrefix(ext, ".") || ext == "" {
			r.fault("prefer."+ext, "wants an extension without its dot, such as docx")
		}
		if want != "davwopi:text" && !seen[want] {
			r.fault("prefer."+ext, "%q is not the url of an entry of editors", want)
		}
	}
}

// checkDocs is about what an editor has for the Docs API.
func (r *reader) checkDocs(where string, e Editor) {
	switch {
	case e.API == "docs" && e.JWTSecretFile == "":
		r.fault(where+".jwt_secret_file", "is required with api: docs")
	case e.API == "wopi" && (e.JWTSecretFile != "" || e.JWTHeader != ""):
		r.fault(where+".api", "wopi needs no jwt_secret_file and no jwt_header; they are for the Docs API")
	case e.JWTHeader != "" && e.JWTSecretFile == "":
		r.fault(where+".jwt_header", "needs jwt_secret_file")
	}
	if e.JWTHeader != "" && !headerName.MatchString(e.JWTHeader) {
		r.fault(where+".jwt_header", "%q is not the name of a header such as AuthorizationJwt", e.JWTHeader)
	}
}

func (c *Config) hasUpstream(name string) bool {
	for _, u := range c.Upstreams {
		if u.Name == name {
			return true
		}
	}
	return false
}

func (r *reader) checkAccess(c *Config, where string, rule *AccessRule, given AccessRule) {
	if len(given.Who) == 0 {
		r.fault(where+".who", "is required; * means everybody")
	}
	if given.Rights == "" {
		r.fault(where+".rights", "is required; allowed: none, view, edit")
	}
	if given.Upstream != "" && !c.hasUpstream(given.Upstream) {
		r.fault(where+".upstream", "there is no upstream %q", given.Upstream)
	}
	rule.Path = r.subtree(where+".path", given.Path)
}

func (r *reader) checkSharing(c *Config) {
	for _, u := range c.Upstreams {
		if u.Auth == "service" {
			return
		}
	}
	if c.Sharing.Anonymous {
		r.fault("sharing.anonymous", "true needs an upstream with auth: service; guests have no name and password of their own")
	}
}

func (r *reader) checkAPIKey(c *Config, where string, k *APIKey) {
	if k.Name == "" {
		r.fault(where+".name", "is required")
	}
	if (k.KeyFile == "") == (k.SHA256 == "") {
		r.fault(where, "wants exactly one of key_file and sha256")
	}
	if k.SHA256 != "" && !regexp.MustCompile(`^[0-9a-fA-F]{64}$`).MatchString(k.SHA256) {
		r.fault(where+".sha256", "wants 64 hex digits")
	}
	if len(k.Principals) == 0 {
		r.fault(where+".principals", "is required; * means everybody")
	}
	if k.Upstream != "" && !c.hasUpstream(k.Upstream) {
		r.fault(where+".upstream", "there is no upstream %q", k.Upstream)
	}
	k.Subtree = r.subtree(where+".subtree", k.Subtree)
	if len(k.Modes) == 0 {
		k.Modes = []string{"view", "edit"}
	}
}

func (r *reader) subtree(where, p string) string {
	if p == "" {
		return "/"
	}
	if !strings.HasPrefix(p, "/") || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
		r.fault(where, "%q is not a path such as /Shared/Projects", p)
	}
	return path.Clean(p)
}

func at(list string, i int) string {
	return list + "[" + strconv.Itoa(i) + "]"
}
