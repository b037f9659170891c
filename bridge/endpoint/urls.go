package endpoint

import (
	"net/url"

	"davwopi/idmap"
)

// URLs makes the addresses that we hand out. Neither field has a trailing slash,
// a query or a fragment.
type URLs struct {
	Public *url.URL // what browsers use
	WOPI   *url.URL // what the editors' servers use
}

// WOPISrc is the address of the files endpoint for one file, without a token.
func (u URLs) WOPISrc(id idmap.FileID) string {
	return u.WOPI.JoinPath("wopi", "files", string(id)).String()
}

// ContainerSrc is the address of the containers endpoint for one container,
// without a token.
func (u URLs) ContainerSrc(id idmap.FileID) string {
	return u.WOPI.JoinPath("wopi", "containers", string(id)).String()
}

// EcosystemSrc is the address of the ecosystem endpoint, without a token.
func (u URLs) EcosystemSrc() string { return u.WOPI.JoinPath("wopi", "ecosystem").String() }

// FileURL is the address at which the bytes of a file can be fetched without a
// signature (CheckFileInfo's FileUrl), without its token.
func (u URLs) FileURL(id idmap.FileID) string {
	return u.WOPI.JoinPath("wopi", "fileurl", string(id)).String()
}

// HostEdit is the host page in edit mode.
func (u URLs) HostEdit(id idmap.FileID) string { return u.page("edit", id) }

// HostView is the host page in view mode.
func (u URLs) HostView(id idmap.FileID) string { return u.page("view", id) }

// Folder is the page that lists a container.
func (u URLs) Folder(id idmap.FileID) string { return u.page("folder", id) }

// Sharing is the page on which links to a file or container are made.
func (u URLs) Sharing(id idmap.FileID) string { return u.page("share", id) }

// Link is what people hand on: the address of a link with that secret.
func (u URLs) Link(secret string) string { return u.Public.JoinPath("s", secret).String() }

// Through is u for people who came by the link with that ID: their pages lie below
// it. "" is u itself.
func (u URLs) Through(share string) URLs {
	if share != "" {
		u.Public = u.Public.JoinPath("shared", share)
	}
	return u
}

// Home is where a person begins.
func (u URLs) Home() string { return u.Public.JoinPath("/").String() }

// Closed is where a document is left that has no folder to go back to.
func (u URLs) Closed() string { return u.Public.JoinPath("closed").String() }

// Download is the address at which a signed-in person gets the bytes.
func (u URLs) Download(id idmap.FileID) string { return u.page("download", id) }

func (u URLs) page(kind string, id idmap.FileID) string {
	return u.Public.JoinPath(kind, string(id)).String()
}

// Origin is scheme, host and port of the pages, as browsers compare them.
func (u URLs) Origin() string { return u.Public.Scheme + "://" + u.Public.Host }

// WithToken adds an access token to an address.
func WithToken(address, accessToken string) string {
	return address + "?access_token=" + url.QueryEscape(accessToken)
}
