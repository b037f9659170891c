package web

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"davwopi/bridge/words"
	"davwopi/oauth"
)

// connectBody is the page that explains how an editor is connected, with the very
// lines to paste.
type connectBody struct {
	Name, Kind, Ext string
	Download        string   // "" for a ticket, which opens nothing else
	Back            step     // if there is Download
	Configured      []string // editors that are there but cannot do this
	WOPI            string   // where editors' servers reach us
	Alias           string   // Collabora's aliasgroup: with the port
	Unreachable     bool     // only this machine reaches us
	Known           bool     // an office file: Collabora and ONLYOFFICE can do it
}

// connectPage answers for a file that no editor of ours opens.
func (s *site) connectPage(w http.ResponseWriter, r *http.Request, o opening) {
	ext := extension(o.Place.Entry.Name)
	body := connectBody{
		Name: o.Place.Entry.Name, Kind: kindOf(ext), Ext: ext,
		WOPI: s.URLs.WOPI.Scheme + "://" + s.URLs.WOPI.Host, Alias: withPort(s.URLs.WOPI), Unreachable: loopback(s.URLs.WOPI.Hostname()),
	}
	body.Known = (office(body.Kind) || body.Kind == "pdf") && !s.guest() // who can connect nothing
	if o.Session != "" {
		body.Download = s.path("download", string(o.Place.Entry.ID))
		body.Back, _ = s.backFrom(r.Context(), o) // there is a way back in any case
	}
	for _, status := range s.Editors.Status() {
		if status.Editor.Builtin == nil {
			body.Configured = append(body.Configured, status.Editor.Name)
		}
	}
	who := o.Who
	if o.Session == "" {
		who = oauth.Principal{}
	}
	s.show(w, r, http.StatusOK, "connect", words.Plain(body.Name), who, policy{}, body)
}

// withPort is scheme, host and port: Collabora's aliasgroup1 wants the port also
// where it is the usual one.
func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + map[string]string{"https": ":443", "http": ":80"}[strings.ToLower(u.Scheme)]
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
