package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"davwopi/davbackend/dav"
)

// The ways in which a server finds a file by its own ID.
const (
	lookupUnknown int32 = iota
	lookupSearch        // SEARCH for oc:fileid (Nextcloud)
	lookupMeta          // PROPFIND of .../dav/meta/ID/ (ownCloud 10, oCIS, OpenCloud)
)

const maxNativeID = 1000 // bytes

// ByNativeID finds where the resource with the server's own ID is for this person, by
// one request. The answer is a hint: whoever uses it looks at the place. It returns
// [dav.ErrUnsupported] where there is no such look-up, [dav.ErrNotFound] if the server
// knows no such ID, shows it to others only, or the file is outside of the configured
// folder; [dav.ErrUnauthorized], [dav.ErrUnavailable].
//
// Which of the two ways is right is learned from the first answer.
func (v *View) ByNativeID(ctx context.Context, nativeID string) (dav.Path, error) {
	if err := v.locate(ctx); err != nil {
		return "", err
	}
	a := v.account.Load()
	if a == nil || a.dav == nil {
		return "", fmt.Errorf("davbackend: %w: look-up by native ID", dav.ErrUnsupported)
	}
	if nativeID == "" || len(nativeID) > maxNativeID {
		return "", fmt.Errorf("davbackend: %w: no native ID", dav.ErrNotFound)
	}
	way := v.client.byID.Load()
	if number := fileNumber(nativeID); way != lookupMeta && number != "" && a.user != "" {
		p, err := v.searchID(ctx, a, number)
		if err == nil || errors.Is(err, dav.ErrNotFound) {
			v.client.byID.Store(lookupSearch)
			return p, err
		}
		if way == lookupSearch || !errors.Is(err, dav.ErrUnsupported) {
			return "", err
		}
	}
	if way == lookupSearch {
		return "", fmt.Errorf("davbackend: %w: look-up of such an ID", dav.ErrUnsupported)
	}
	p, err := v.metaPath(ctx, a, nativeID)
	if err == nil {
		v.client.byID.Store(lookupMeta)
	}
	return p, err
}

// fileNumber is the oc:fileid of an ID of Nextcloud or ownCloud 10: that itself, or
// oc:id, which is the number with zeros in front and the instance's name behind; ""
// for the IDs of OpenCloud.
func fileNumber(id string) string {
	digits := id
	if at := strings.IndexFunc(id, func(r rune) bool { return r < '0' || r > '9' }); at >= 0 {
		digits = id[:at]
		if strings.ContainsFunc(id[at:], func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
			return ""
		}
	}
	return strings.TrimLeft(digits, "0")
}

// searchID asks Nextcloud. dav.ErrUnsupported: it is none.
func (v *View) searchID(ctx context.Context, a *account, number string) (dav.Path, error) {
	scope := "/files/" + a.user
	if !a.top.IsRoot() {
		scope += string(a.top)
	}
	c := newCall("SEARCH", dav.Root).xml(dav.SearchBody(scope, dav.PropOCFileID, number, []dav.PropName{dav.PropOCFileID}))
	c.body.Type = "text/xml; charset=utf-8"
	c.at = a.dav
	base := within(a.dav, "/files"+(dav.Root+dav.Path(a.user)).Escaped()+a.top.Escaped(), false)
	found := dav.Path("")
	err := v.multistatus(ctx, c, func(r dav.Response) error {
		// Other shares of one file have its ID, too: the first one will do.
		res, err := r.Resource(base)
		if err == nil && found == "" && r.Status < 300 && fileNumber(res.NativeID) == number {
			found = res.Path
		}
		return nil
	})
	switch {
	case err != nil && !saysNothing(err):
		return "", fmt.Errorf("davbackend: %w: %w", dav.ErrUnsupported, &StatusError{"SEARCH", statusOf(err)})
	case err != nil:
		return "", err
	case found == "":
		return "", fmt.Errorf("davbackend: %w: no file of that ID", dav.ErrNotFound)
	}
	return found, nil
}

// metaPath asks ownCloud 10, oCIS or OpenCloud.
func (v *View) metaPath(ctx context.Context, a *account, id string) (dav.Path, error) {
	if number := fileNumber(id); number != "" {
		id = number
	}
	if dav.CheckName(id) != nil {
		return "", fmt.Errorf("davbackend: %w: ID cannot be asked for", dav.ErrNotFound)
	}
	c := v.propfindAt(within(a.dav, "/meta"+(dav.Root+dav.Path(id)).Escaped(), true), dav.PropOCMetaPathForUser)
	text := ""
	err := v.multistatus(ctx, c, func(r dav.Response) error {
		for _, ps := range r.Propstats {
			for _, e := range ps.Props {
				if ps.Status == http.StatusOK && e.Name == dav.PropOCMetaPathForUser {
					text = e.AllText()
				}
			}
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, dav.ErrBadName) || errors.Is(err, dav.ErrDenied) {
			err = fmt.Errorf("davbackend: %w: %w", dav.ErrNotFound, err)
		}
		return "", err
	}
	p, err := dav.ParsePath(text)
	if err != nil || !a.top.Contains(p) {
		return "", fmt.Errorf("davbackend: %w: not below the configured folder", dav.ErrNotFound)
	}
	return dav.ParsePath("/" + strings.TrimPrefix(string(p), strings.TrimSuffix(string(a.top), "/")))
}
