package davbackend

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"davwopi/davbackend/dav"
)

// propTrashTime is when something was deleted, in seconds since 1970.
var propTrashTime = dav.PropName{Space: "http://nextcloud.org/ns", Local: "trashbin-deletion-time"}

// trash is the URL of escaped below a person's trash on a Nextcloud; [dav.ErrUnsupported]
// on other servers.
func (v *View) trash(ctx context.Context, escaped string, slash bool) (*url.URL, error) {
	if err := v.locate(ctx); err != nil {
		return nil, err
	}
	a := v.account.Load()
	if a == nil || a.dav == nil || a.user == "" {
		return nil, fmt.Errorf("davbackend: %w: trash", dav.ErrUnsupported)
	}
	return within(a.dav, "/trashbin"+(dav.Root+dav.Path(a.user)).Escaped()+escaped, slash), nil
}

// HasTrash reports whether what this person deletes lies in a trash from which
// [View.Untrash] gets it back: on a Nextcloud whose trash is not switched off. On
// servers that are no such cloud it costs nothing, else one PROPFIND.
func (v *View) HasTrash(ctx context.Context) (bool, error) {
	u, err := v.trash(ctx, "/trash", true)
	if errors.Is(err, dav.ErrUnsupported) {
		return false, nil
	}
	if err == nil {
		err = v.isCollection(ctx, u)
	}
	if err != nil && saysNothing(err) {
		return false, err
	}
	return err == nil, nil
}

// Untrash puts what had the server's own ID back to where it was deleted, and returns
// where it is now: the server gives it another name if its own is taken meanwhile. It
// returns [dav.ErrUnsupported] where there is no trash, [dav.ErrNotFound] if nothing of
// that ID is in it, [dav.ErrDenied], [dav.ErrUnauthorized], [dav.ErrFull]. After
// [dav.ErrUnavailable] it may have happened. A trash with more than ten thousand things
// in it is not searched: that is [dav.ErrUnavailable] too.
func (v *View) Untrash(ctx context.Context, nativeID string) (dav.Path, error) {
	number := fileNumber(nativeID)
	if number == "" || len(nativeID) > maxNativeID {
		return "", fmt.Errorf("davbackend: %w: no native ID", dav.ErrNotFound)
	}
	name, err := v.inTrash(ctx, number)
	if err != nil {
		return "", err
	}
	escaped := (dav.Root + dav.Path(name)).Escaped()
	c := newCall("MOVE", dav.Root)
	if c.at, err = v.trash(ctx, "/trash"+escaped, false); err != nil {
		return "", err
	}
	to, err := v.trash(ctx, "/restore"+escaped, false)
	if err != nil {
		return "", err
	}
	c.header.Set("Destination", to.String())
	c.header.Set("Overwrite", "F")
	a, err := v.send(ctx, c)
	if err == nil {
		err = v.done(c, a)
	}
	if err != nil {
		return "", err
	}
	return v.ByNativeID(ctx, nativeID)
}

// inTrash is the name in the trash of what has a file number there, the one that was
// deleted last.
func (v *View) inTrash(ctx context.Context, number string) (string, error) {
	u, err := v.trash(ctx, "/trash", true)
	if err != nil {
		return "", err
	}
	c := v.propfindAt(u, dav.PropResourceType, dav.PropOCID, dav.PropOCFileID, propTrashTime)
	c.header.Set("Depth", dav.Depth1.String())
	found, last := "", int64(-1)
	err = v.multistatus(ctx, c, func(r dav.Response) error {
		res, err := r.Resource(u)
		if err != nil || r.Status >= 300 || len(res.Path.Segments()) != 1 || fileNumber(res.NativeID) != number {
			return nil
		}
		when, _ := strconv.ParseInt(strings.TrimSpace(res.Props[propTrashTime]), 10, 64) // what is no time is the oldest
		if when > last {
			found, last = res.Path.Base(), when
		}
		return nil
	})
	switch {
	case errors.Is(err, dav.ErrNotFound):
		return "", fmt.Errorf("davbackend: %w: trash", dav.ErrUnsupported)
	case err != nil:
		return "", err
	case found == "":
		return "", fmt.Errorf("davbackend: %w: nothing of that ID is in the trash", dav.ErrNotFound)
	}
	return found, nil
}
