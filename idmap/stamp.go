package idmap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A stamp is a dead property that we write on a file: by it the file is known again
// where it was edited and moved, so that neither its place nor its fingerprint is what it
// was. It names this state and the file, and has a serial, so that what bears an older
// one is known to be a copy, or a stranger in its place: Apache and WsgiDAV hand
// properties on with the name when a file is renamed on the disk, and Apache, lighttpd
// and WsgiDAV copy them.
//
// So a stamp is the weakest evidence but one: the known place ranks above it, and it is
// compared only with files whose place is empty. A fingerprint that is seen anywhere
// within reach is believed rather. Whatever else is seen to bear the stamp of a file
// ends it, and the file needs the next one.

// stampParts is how many parts a stamp has: the state's name, the ID and the serial.
const stampParts = 3

// StampName is the property that holds our stamps. It is another one for each state, so
// that two bridges on one upstream do not take each other's away.
func (m *Map) StampName(ctx context.Context) (dav.PropName, error) {
	state, err := m.stateName(ctx)
	if err != nil {
		return dav.PropName{}, fmt.Errorf("idmap: name of the stamps: %w", err)
	}
	return dav.PropName{Space: "urn:davwopi:" + state, Local: "file"}, nil
}

// stateName is derived from the first epoch, which stays whatever is restored later.
func (m *Map) stateName(ctx context.Context) (string, error) {
	var nonce string
	if err := m.DB.Read().QueryRow(ctx, `SELECT nonce FROM idmap_epoch ORDER BY num LIMIT 1`).Scan(&nonce); err != nil {
		return "", err
	}
	h := sha256.Sum256([]byte("stamps." + nonce))
	return fileIDEncoding.EncodeToString(h[:10]), nil
}

// NextStamp returns the stamp that is to be written on id, of which res was just seen;
// "" if none is needed: it bears its own, the upstream knows it by an ID, keeps no
// stamps, or id is a container. The stamp is no evidence before [Map.Stamped].
//
// It returns [ErrNotFound] if id died or has no place in s.
func (m *Map) NextStamp(ctx context.Context, s SpaceID, id FileID, res dav.Resource) (string, error) {
	if !res.StampKnown || !printed(res) {
		return "", nil
	}
	state, err := m.stateName(ctx)
	if err != nil {
		return "", fmt.Errorf("idmap: stamping %s: %w", id, err)
	}
	stamp := ""
	err = m.change(ctx, s, func(c *change) error {
		stamp = ""
		r, _, err := c.mine(ctx, id)
		if err != nil || !r.byPrintOnly() || r.stamp != "" && r.stamp == res.Stamp {
			return err
		}
		var serial int64
		err = c.tx.QueryRow(ctx, `UPDATE idmap_resource SET stamp_serial = stamp_serial + 1 WHERE num = ? RETURNING stamp_serial`, r.num).Scan(&serial)
		stamp = fmt.Sprintf("%s.%s.%d", state, id, serial)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("idmap: stamping %s: %w", id, err)
	}
	return stamp, nil
}

// Stamped records that id bears a stamp, as res shows, which was seen after it was
// written. A res that does not show it is no error: it is no evidence then.
func (m *Map) Stamped(ctx context.Context, s SpaceID, id FileID, stamp string, res dav.Resource) error {
	if stamp == "" || res.Stamp != stamp || len(strings.Split(stamp, ".")) != stampParts {
		return nil
	}
	err := m.change(ctx, s, func(c *change) error {
		r, at, err := c.mine(ctx, id)
		if err != nil || at.waiting != 0 || !r.byPrintOnly() {
			return err
		}
		chain, err := up(ctx, c.tx, s, r.num)
		if err != nil || located(s, r, chain).Path != res.Path {
			return err
		}
		_, err = c.tx.Exec(ctx, `UPDATE idmap_resource SET stamp = ? WHERE num = ?`, stamp, r.num)
		return err
	})
	if err != nil {
		return fmt.Errorf("idmap: stamped %s: %w", id, err)
	}
	return nil
}

// bears reports whether what was seen has the present stamp of r.
func (r *resource) bears(res dav.Resource) bool {
	return r.stamp != "" && r.stamp == res.Stamp && r.byPrintOnly() && printed(res)
}

// fits reports whether what was seen has the fingerprint or the stamp of r.
func (r *resource) fits(res dav.Resource) bool { return r.alike(res) != unlike || r.bears(res) }

// spend ends a stamp that is seen on something else than the file it was written on: a
// copy, or what has its name now.
func (c *change) spend(ctx context.Context, r *resource, res dav.Resource) error {
	if res.Stamp == "" || r.stamp == res.Stamp {
		return nil
	}
	_, err := c.tx.Exec(ctx, `UPDATE idmap_resource SET stamp = NULL WHERE stamp = ? AND num <> ?`, res.Stamp, r.num)
	return err
}

// stamped finds the living file of a space whose stamp res bears, but for one; nil if
// there is none.
func stamped(ctx context.Context, q sqldb.Queryer, s SpaceID, res dav.Resource, but int64) (*suspect, error) {
	if res.Stamp == "" {
		return nil, nil
	}
	r, err := resourceBy(ctx, q, `r.stamp = ? AND r.died = 0 AND r.num <> ?`, res.Stamp, but)
	if errors.Is(err, ErrNotFound) || err == nil && !r.bears(res) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	chain, err := up(ctx, q, s, r.num)
	if errors.Is(err, ErrNotFound) {
		return nil, nil // of another space
	}
	if err != nil {
		return nil, err
	}
	return &suspect{resource: r, place: chain[0], path: located(s, r, chain).Path}, nil
}

// byStamp narrows what a spot may be down to the one whose stamp it bears: among files
// that look the same, or, if it looks like none, that one alone.
func byStamp(claims []suspect, res dav.Resource) []suspect {
	if len(claims) < 2 {
		return claims
	}
	if like := slices.DeleteFunc(slices.Clone(claims), func(c suspect) bool { return c.alike(res) == unlike }); len(like) > 0 {
		claims = like
	}
	if i := slices.IndexFunc(claims, func(c suspect) bool { return c.bears(res) }); i >= 0 {
		return claims[i : i+1]
	}
	return claims
}

// chosen narrows places down that a search for r has found, in the same way. from is
// what it was called.
func (r *resource) chosen(found []dav.Resource, from string) []dav.Resource {
	like := slices.DeleteFunc(slices.Clone(found), func(res dav.Resource) bool { return r.alike(res) == unlike })
	if len(like) == 0 {
		return slices.DeleteFunc(slices.Clone(found), func(res dav.Resource) bool { return !takesOver(from, res.Path.Base()) })
	}
	bearers := slices.DeleteFunc(slices.Clone(like), func(res dav.Resource) bool { return !r.bears(res) })
	if len(bearers) == 1 {
		return bearers
	}
	return like
}
