package doctor

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
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
		return []Finding{finding(Error, "wopi_access", about, words.Say("found.wopi.own_machine", "here", origin(v.d.WOPI))).
			with(v.d.wopiLines()...)}
	}
	switch v.office {
	case wopi.Collabora:
		return v.collabora(ctx)
	case wopi.OnlyOffice:
		return v.private(ctx)
	}
	return []Finding{finding(Hint, "wopi_access", about, words.Say("found.wopi.not_asked", "here", origin(v.d.WOPI)))}
}

// collabora lets Collabora itself try (POST /hosting/wopiAccessCheck, since 25.04).
func (v *visit) collabora(ctx context.Context) []Finding {
	about := v.editor.URL
	if !v.capabilities(ctx).HasWOPIAccessCheck {
		return []Finding{finding(Hint, "wopi_access", about, words.Say("found.wopi.old")).with(v.aliasLines()...)}
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
		return []Finding{finding(Warning, "wopi_access", about, words.Say("found.wopi.silent", "why", why(err)))}
	}
	var said struct {
		Status string `json:"status"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil {
		return []Finding{finding(Warning, "wopi_access", about, words.Say("found.wopi.silent_status", "status", a.status))}
	}
	came, arrived := v.d.hello.arrived(number)
	return []Finding{v.verdict(strings.TrimPrefix(said.Status, "CheckStatus::"), came, arrived)}
}

// verdict is what Collabora's answer means. Its words are part of its interface.
func (v *visit) verdict(status string, came arrival, arrived bool) Finding {
	about, here := v.editor.URL, origin(v.d.WOPI)
	say := func(what words.Text) Finding { return finding(Error, "wopi_access", about, what) }
	elsewhere := v.d.wopiLines()
	switch status {
	case "Ok":
		if arrived {
			return finding(OK, "wopi_access", about, words.Say("found.wopi.lets_in", "here", here))
		}
		return say(words.Say("found.wopi.other_server", "here", here)).with(elsewhere...)
	case "WopiHostNotAllowed":
		return say(words.Say("found.wopi.not_allowed", "here", here)).with(v.aliasLines()...)
	case "NotHttpSuccess":
		if arrived {
			return say(words.Say("found.wopi.answer_refused", "here", here))
		}
		return say(words.Say("found.wopi.proxy_lost", "here", here)).with(elsewhere...)
	case "HostNotFound":
		return say(words.Say("found.wopi.no_name", "here", here)).
			with(Paste{Said: words.Say("paste.compose_collabora"), Text: "extra_hosts:\n  - \"" + v.d.WOPI.Hostname() + ":host-gateway\""}).with(elsewhere...)
	case "ConnectionAborted", "Timeout", "UnspecifiedError":
		return say(words.Say("found.wopi.no_connection", "here", here)).with(elsewhere...)
	case "CertificateValidation", "SelfSignedCertificate", "ExpiredCertificate", "SslHandshakeFail":
		fault := words.Say("found.wopi.cert_other", "here", here)
		switch status {
		case "SelfSignedCertificate":
			fault = words.Say("found.wopi.cert_self", "here", here)
		case "ExpiredCertificate":
			fault = words.Say("found.wopi.cert_expired", "here", here)
		}
		return say(fault).
			with(Paste{Said: words.Say("paste.collabora_private"), Text: "-e extra_params=\"--o:ssl.ssl_verification=false\""}).
			with(elsewhere...)
	case "MissingSsl":
		return say(words.Say("found.wopi.no_https", "here", here)).with(elsewhere...)
	case "NotHttps":
		return say(words.Say("found.wopi.plain_http", "here", here)).with(v.httpsLines()...)
	}
	return finding(Warning, "wopi_access", about, words.Say("found.wopi.unknown", "here", here))
}

// aliasLines let us in at Collabora's. It wants the port also where it is the usual one.
func (v *visit) aliasLines() []Paste {
	address := v.d.WOPI.Scheme + "://" + withPort(v.d.WOPI.Scheme, v.d.WOPI.Host)
	return []Paste{
		{Said: words.Say("paste.collabora"), Text: "-e aliasgroup1=" + address},
		{Said: words.Say("paste.coolwsd_wopi"), Text: "<alias_groups mode=\"groups\"><group><host allow=\"true\">" + address + "</host></group></alias_groups>"},
	}
}

// private is about ONLYOFFICE, which by itself fetches nothing from addresses at home.
func (v *visit) private(ctx context.Context) []Finding {
	ctx, cancel := step(ctx)
	defer cancel()
	about, host := v.editor.URL, v.d.WOPI.Hostname()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return []Finding{finding(Hint, "wopi_access", about, words.Say("found.wopi.onlyoffice", "here", origin(v.d.WOPI)))}
	}
	for _, a := range found {
		if isPrivate(a) {
			return []Finding{finding(Hint, "wopi_access", about, words.Say("found.wopi.private", "here", origin(v.d.WOPI), "address", a.Unmap().String())).
				with(Paste{Said: words.Say("paste.onlyoffice"), Text: "-e ALLOW_PRIVATE_IP_ADDRESS=true"},
					onlyOfficeFile(`{"services": {"CoAuthoring": {"request-filtering-agent": {"allowPrivateIPAddress": true}}}}`))}
		}
	}
	return []Finding{finding(OK, "wopi_access", about, words.Say("found.wopi.onlyoffice_may", "here", origin(v.d.WOPI)))}
}

func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// wopiLines give editors an address by which they reach this machine itself.
func (d *Doctor) wopiLines() []Paste {
	host, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		host, port = "127.0.0.1", "8880"
	}
	text := "wopi_url: http://" + net.JoinHostPort(homeAddress(), port)
	if isLoopback(host) {
		text += "\nlisten: 0.0.0.0:" + port + "\ninsecure_http: true"
	}
	return []Paste{{Said: words.Say("paste.yaml_reached"), Text: text}}
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
