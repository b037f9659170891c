package endpoint

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

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

// maxAddress bounds an address of ours that a client names, in bytes.
const maxAddress = 4 << 10

// pages are the segments before the ID in addresses of ours that show a file.
var pages = []string{"edit", "view", "download", "files"}

// FileIn is the ID of the file that an address of ours is about: of a page, a download, below a link, or of the files
// endpoint. Everything else is [idmap.ErrNotFound]. Nothing is fetched.
func (u URLs) FileIn(address string) (idmap.FileID, error) {
	for _, rest := range u.below(address) {
		rest = strings.TrimPrefix(rest, "wopi/")
		if inside, ok := strings.CutPrefix(rest, "shared/"); ok {
			_, rest, _ = strings.Cut(inside, "/") // below a link
		}
		if page, last := path.Split(rest); slices.Contains(pages, strings.TrimSuffix(page, "/")) {
			if id, err := idmap.ParseFileID(last); err == nil {
				return id, nil
			}
		}
	}
	return "", errForeignAddress
}

// FileIn is [URLs.FileIn], and the file to which a link of ours leads. Whose link it is
// does not matter: who asks reaches no more by it than without.
func (e *Endpoint) FileIn(ctx context.Context, address string) (idmap.FileID, error) {
	if e.Linked != nil {
		for _, rest := range e.URLs.below(address) {
			if secret, ok := strings.CutPrefix(rest, "s/"); ok {
				return e.Linked(ctx, secret)
			}
		}
	}
	return e.URLs.FileIn(address)
}

// SourceIn is what a WOPISrc of ours names: a file or a container. Everything else is [idmap.ErrNotFound].
func (u URLs) SourceIn(address string) (idmap.FileID, idmap.Kind, error) {
	for _, rest := range u.below(address) {
		for prefix, kind := range map[string]idmap.Kind{"wopi/files/": idmap.File, "wopi/containers/": idmap.Container} {
			if last, ok := strings.CutPrefix(rest, prefix); ok {
				if id, err := idmap.ParseFileID(last); err == nil {
					return id, kind, nil
				}
			}
		}
	}
	return "", 0, errForeignAddress
}

var errForeignAddress = fmt.Errorf("endpoint: not an address of ours: %w", idmap.ErrNotFound)

// below is the path of address below each of our own addresses that it lies under.
func (u URLs) below(address string) (rests []string) {
	named, err := url.Parse(address)
	if err != nil || len(address) > maxAddress {
		return nil
	}
	for _, own := range []*url.URL{u.Public, u.WOPI} {
		rest, ok := strings.CutPrefix(named.Path, strings.TrimSuffix(own.Path, "/")+"/")
		if ok && named.User == nil && strings.EqualFold(named.Scheme, own.Scheme) && strings.EqualFold(named.Host, own.Host) {
			rests = append(rests, rest)
		}
	}
	return rests
}
