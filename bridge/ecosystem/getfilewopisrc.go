package ecosystem

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// maxNativeName bounds X-WOPI-HostNativeFileName, in bytes.
const maxNativeName = 4 << 10

// getFileWopiSrc is WOPI's GetFileWopiSrc: the WOPISrc, with a token, of what one of
// our own addresses shows.
func (e *Ecosystem) getFileWopiSrc(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	id, err := e.idIn(q.Headers.NativeName)
	if err != nil {
		return wopi.Response{}, err
	}
	at, err := e.About(ctx, q, id)
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.URLInfo{
		Url: fmt.Sprintf("%s&access_token_ttl=%d", e.Source(at, at.Known), q.Grant.Expires.UnixMilli()),
	}}, nil
}

// pages are the segments before the ID in addresses of ours that show a file.
var pages = []string{"edit", "view", "download", "files"}

// idIn is the ID of the file that an address of ours is about. Everything else is
// [idmap.ErrNotFound].
func (e *Ecosystem) idIn(address string) (idmap.FileID, error) {
	unknown := fmt.Errorf("ecosystem: not an address of ours: %w", idmap.ErrNotFound)
	if len(address) > maxNativeName {
		return "", unknown
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", unknown
	}
	for _, own := range []*url.URL{e.URLs.Public, e.URLs.WOPI} {
		rest, below := strings.CutPrefix(u.Path, strings.TrimSuffix(own.Path, "/")+"/")
		if !below || !strings.EqualFold(u.Scheme, own.Scheme) || !strings.EqualFold(u.Host, own.Host) {
			continue
		}
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
	return "", unknown
}
