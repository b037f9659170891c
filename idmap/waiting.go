package idmap

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// ErrNewer says that a file has another revision by now than the caller thinks.
var ErrNewer = errors.New("idmap: the file has a newer revision")

// Issue makes a new revision of id, whose contents the upstream has not got yet:
// its strings name bytes that wait here. The evidence stays that of what lies on
// the upstream, so that looking at it again makes no further revision, and a change
// made outside does. [Map.Delivered] follows when the bytes have arrived; if they
// never do, Issue again, because the strings named other contents.
//
// over is the revision that the caller knows as the present one: ErrNewer if it is
// not. The seconds of LastModified are the database's. Other errors: [ErrNotFound]
// and [ErrKind], as for [Map.Wrote].
func (m *Map) Issue(ctx context.Context, s SpaceID, id FileID, over int64) (Revision, error) {
	var issued Revision
	err := m.change(ctx, s, func(c *change) (err error) {
		issued, err = c.issue(ctx, id, over)
		return err
	})
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: issue %s: %w", id, err)
	}
	return issued, nil
}

// IssueIn is [Map.Issue] inside the transaction that writes down whose bytes they are.
func (m *Map) IssueIn(ctx context.Context, tx sqldb.Queryer, s SpaceID, id FileID, over int64, now time.Time) (Revision, error) {
	upstream, err := m.upstreamRow(ctx, s)
	if err != nil {
		return Revision{}, err
	}
	c := &change{tx: tx, space: s, upstream: upstream, now: sqldb.Millis(now)}
	issued, err := c.issue(ctx, id, over)
	if err != nil {
		return Revision{}, fmt.Errorf("idmap: issue %s: %w", id, err)
	}
	return issued, nil
}

func (c *change) issue(ctx context.Context, id FileID, over int64) (Revision, error) {
	r, _, err := c.mine(ctx, id)
	switch {
	case err != nil:
		return Revision{}, err
	case r.kind != File:
		return Revision{}, ErrKind
	case r.revision != over:
		return Revision{}, ErrNewer
	}
	mtime := r.mtime
	if err := c.advance(ctx, r, dav.Resource{ETag: r.etag, Size: r.size}, r.sha256); err != nil {
		return Revision{}, err
	}
	r.mtime = mtime
	return r.present(), c.save(ctx, r)
}

// Delivered records that the bytes of a revision that was issued are on the upstream
// now, as res. It is the present revision afterwards, with the strings that were
// given out. Its number is another one if somebody has looked at the upstream in
// between. Errors are those of [Map.Wrote].
func (m *Map) Delivered(ctx context.Context, s SpaceID, id FileID, number int64, res dav.Resource, sha256 []byte) (Entry, error) {
	if err := checkHash(sha256); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := m.change(ctx, s, func(c *change) error {
		r, _, err := c.mine(ctx, id)
		if err != nil {
			return err
		}
		if r.kind != File || res.Collection {
			return ErrKind
		}
		if _, err := c.place(ctx, r, res.Path, false); err != nil {
			return err
		}
		if r.revision == number {
			r.etag, r.size, r.sha256 = "", res.Size, sha256
		} else if err := c.bringBack(ctx, r, number, res, sha256); err != nil {
			return err
		}
		if err := c.bind(ctx, r, res); err != nil {
			return err
		}
		e = r.entry(s, res.Path)
		return nil
	})
	if err != nil {
		return Entry{}, fmt.Errorf("idmap: delivered %s: %w", id, err)
	}
	return e, nil
}

// bringBack makes res the next revision of r, under the strings of the older one
// number, which is no other contents' any more.
func (c *change) bringBack(ctx context.Context, r *resource, number int64, res dav.Resource, sha256 []byte) error {
	var version, lastModified string
	err := c.tx.QueryRow(ctx, `DELETE FROM idmap_revision WHERE resource = ? AND number = ? RETURNING version, last_modified`, r.num, number).
		Scan(&version, &lastModified)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if advanceErr := c.advance(ctx, r, res, sha256); advanceErr != nil || err != nil {
		return advanceErr // nobody remembers the strings: new ones
	}
	r.version, r.lastModified = version, lastModified
	return nil
}
