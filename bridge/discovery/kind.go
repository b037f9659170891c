package discovery

import (
	"net/url"
	"strings"

	"davwopi/bridge/wopi"
)

// kind tells the office by the addresses of its actions: names of apps alone do
// not, since ONLYOFFICE uses Microsoft's and Collabora's.
func kind(d Editor, actions []rawAction) wopi.Office {
	if d.URL == TextEditor {
		return wopi.TextEditor
	}
	microsoft := false
	for _, a := range actions {
		u, err := url.Parse(plain(a.urlsrc))
		if err != nil {
			continue
		}
		path := strings.ToLower(u.Path)
		switch {
		case strings.Contains(path, "/hosting/wopi/"):
			return wopi.OnlyOffice
		case strings.HasSuffix(path, "/cool.html"), strings.HasSuffix(path, "/loleaflet.html"):
			return wopi.Collabora
		case a.app == "Capabilities" && strings.HasSuffix(path, "/hosting/capabilities") && mimeNamed(actions):
			return wopi.Collabora
		case strings.HasSuffix(path, ".aspx"), strings.HasSuffix(u.Hostname(), ".officeapps.live.com"):
			microsoft = true
		}
	}
	if microsoft {
		return wopi.Microsoft
	}
	return wopi.AnyOffice
}

// mimeNamed says that every app that opens files is named by a MIME type.
func mimeNamed(actions []rawAction) bool {
	named := false
	for _, a := range actions {
		switch {
		case strings.Contains(a.app, "/"):
			named = true
		case a.app != "Capabilities" && a.app != "Settings":
			return false
		}
	}
	return named && !onlyOffice(actions)
}

func onlyOffice(actions []rawAction) bool {
	for _, a := range actions {
		if strings.Contains(a.urlsrc, "/hosting/wopi/") {
			return true
		}
	}
	return false
}

var labels = map[wopi.Office]string{
	wopi.AnyOffice:  "Editor",
	wopi.Microsoft:  "Microsoft Office",
	wopi.Collabora:  "Collabora Online",
	wopi.OnlyOffice: "ONLYOFFICE",
	wopi.TextEditor: "Text editor",
}

// label is the name of an editor that the operator has not named.
func label(office wopi.Office, editorURL string) string {
	if u, err := url.Parse(editorURL); err == nil && u.Host != "" {
		return labels[office] + " (" + u.Host + ")"
	}
	return labels[office]
}
