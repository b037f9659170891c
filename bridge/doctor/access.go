package doctor

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"davwopi/bridge/wopi"
)

// capabilities are what Collabora says of itself.
type capabilities struct {
	ProductVersion     string `json:"productVersion"`
	HasWOPIAccessCheck bool   `json:"hasWopiAccessCheck"`
}

func (v *visit) capabilities(ctx context.Context) capabilities {
	var c capabilities
	a, err := v.d.ask(ctx, http.MethodGet, v.below("hosting/capabilities"), "", nil, 64<<10)
	if err == nil && a.status == http.StatusOK {
		_ = json.Unmarshal(a.body, &c) // what cannot be read is not there
	}
	return c
}

// access judges whether the editor can reach us and lets us in.
func (v *visit) access(ctx context.Context) []Finding {
	about := v.editor.URL
	if isLoopback(v.d.WOPI.Hostname()) && hasNetwork(v.base()) {
		return []Finding{finding(Error, "wopi_access", about, "The editor is told to fetch documents at %s, but that is its own machine. Give it an address that leads here.", origin(v.d.WOPI)).
			with(v.d.wopiLines()...)}
	}
	switch v.office {
	case wopi.Collabora:
		return v.collabora(ctx)
	case wopi.OnlyOffice:
		return v.private(ctx)
	}
	return []Finding{finding(Hint, "wopi_access", about, "This editor cannot be asked whether it reaches us at %s.", origin(v.d.WOPI))}
}

// collabora lets Collabora itself try (POST /hosting/wopiAccessCheck, since 25.04).
func (v *visit) collabora(ctx context.Context) []Finding {
	about := v.editor.URL
	if !v.capabilities(ctx).HasWOPIAccessCheck {
		return []Finding{finding(Hint, "wopi_access", about, "This version cannot be asked whether it lets us in. If documents do not open, paste this.").with(v.aliasLines()...)}
	}
	if !v.d.Running {
		return nil
	}
	number, forget := v.d.hello.expect()
	defer forget()
	body, err := json.Marshal(map[string]string{"callbackUrl": helloURL(v.d.WOPI, number)})
	if err != nil {
		return nil // a text is always JSON
	}
	a, err := v.d.ask(ctx, http.MethodPost, v.below("hosting/wopiAccessCheck"), "application/json", body, 4<<10)
	if err != nil {
		return []Finding{finding(Warning, "wopi_access", about, "It did not say whether it reaches us: %s.", why(err))}
	}
	var said struct {
		Status string `json:"status"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil {
		return []Finding{finding(Warning, "wopi_access", about, "It did not say whether it reaches us (%d).", a.status)}
	}
	came, arrived := v.d.hello.arrived(number)
	return []Finding{v.verdict(strings.TrimPrefix(said.Status, "CheckStatus::"), came, arrived)}
}

// verdict is what Collabora's answer means. Its words are part of its interface.
func (v *visit) verdict(status string, came arrival, arrived bool) Finding {
	about, here := v.editor.URL, origin(v.d.WOPI)
	say := func(format string, args ...any) Finding { return finding(Error, "wopi_access", about, format, args...) }
	elsewhere := v.d.wopiLines()
	switch status {
	case "Ok":
		if arrived {
			return finding(OK, "wopi_access", about, "It reaches us at %s and lets us in.", here)
		}
		return say("Asked to come to %s it reached another server. The name leads elsewhere from its machine.", here).with(elsewhere...)
	case "WopiHostNotAllowed":
		return say("It does not let us in: %s is not among the servers that it opens documents for (\"Unauthorized WOPI host\").", here).with(v.aliasLines()...)
	case "NotHttpSuccess":
		if arrived {
			return say("It reaches us at %s, but does not take our answer.", here)
		}
		return say("Asked to come to %s it reached another server, or a reverse proxy that does not find us.", here).with(elsewhere...)
	case "HostNotFound":
		return say("It cannot resolve the name in %s.", here).
			with("docker-compose.yml, in Collabora's service, if davwopi runs on that machine", "extra_hosts:\n  - \""+v.d.WOPI.Hostname()+":host-gateway\"").with(elsewhere...)
	case "ConnectionAborted", "Timeout", "UnspecifiedError":
		return say("It cannot connect to %s: a firewall, or an address that does not lead here from its machine.", here).with(elsewhere...)
	case "CertificateValidation", "SelfSignedCertificate", "ExpiredCertificate", "SslHandshakeFail":
		fault := map[string]string{"SelfSignedCertificate": "is signed by nobody but itself", "ExpiredCertificate": "has expired"}[status]
		if fault == "" {
			fault = "is not one that it accepts"
		}
		return say("It does not trust %s: the certificate there %s.", here, fault).
			with("Collabora's container, only in a network of your own (add to extra_params if it is set)", "-e extra_params=\"--o:ssl.ssl_verification=false\"").
			with(elsewhere...)
	case "MissingSsl":
		return say("It finds no https at %s.", here).with(elsewhere...)
	case "NotHttps":
		return say("It runs on plain http, but %s is https: browsers would block its pages inside ours.", here).with(v.httpsLines()...)
	}
	return finding(Warning, "wopi_access", about, "It said something about %s that is not understood.", here)
}

// aliasLines let us in at Collabora's. It wants the port also where it is the usual one.
func (v *visit) aliasLines() []string {
	address := v.d.WOPI.Scheme + "://" + withPort(v.d.WOPI.Scheme, v.d.WOPI.Host)
	return []string{
		"Collabora's container", "-e aliasgroup1=" + address,
		"Collabora's coolwsd.xml, below storage / wopi, then restart it",
		"<alias_groups mode=\"groups\"><group><host allow=\"true\">" + address + "</host></group></alias_groups>",
	}
}

// private is about ONLYOFFICE, which by itself fetches nothing from addresses at home.
func (v *visit) private(ctx context.Context) []Finding {
	ctx, cancel := step(ctx)
	defer cancel()
	about, host := v.editor.URL, v.d.WOPI.Hostname()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return []Finding{finding(Hint, "wopi_access", about, "ONLYOFFICE cannot be asked whether it reaches us at %s.", origin(v.d.WOPI))}
	}
	for _, a := range found {
		if isPrivate(a) {
			return []Finding{finding(Hint, "wopi_access", about, "%s is an address at home (%s). ONLYOFFICE fetches nothing from there unless it is told to.", origin(v.d.WOPI), a.Unmap()).
				with("ONLYOFFICE's container", "-e ALLOW_PRIVATE_IP_ADDRESS=true", v.onlyOfficeFile(),
					`{"services": {"CoAuthoring": {"request-filtering-agent": {"allowPrivateIPAddress": true}}}}`)}
		}
	}
	return []Finding{finding(OK, "wopi_access", about, "ONLYOFFICE may fetch from %s. It cannot be asked whether it gets there.", origin(v.d.WOPI))}
}

func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// wopiLines give editors an address by which they reach this machine itself.
func (d *Doctor) wopiLines() []string {
	host, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		host, port = "127.0.0.1", "8880"
	}
	text := "wopi_url: http://" + net.JoinHostPort(homeAddress(), port)
	if isLoopback(host) {
		text += "\nlisten: 0.0.0.0:" + port + "\ninsecure_http: true"
	}
	return []string{"davwopi.yaml (this machine's address, as the editor's machine or container reaches it)", text}
}

// homeAddress is this machine's address in its network, as far as it can be guessed.
func homeAddress() string {
	list, _ := net.InterfaceAddrs() // without any, the example stays
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() {
			return n.IP.String()
		}
	}
	return "192.0.2.10"
}
