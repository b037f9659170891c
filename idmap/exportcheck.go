package idmap

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// What an export must be, row by row and as a whole. It may come from anybody: a row
// that the rest of this room does not expect must not come in by this door.

const (
	maxEvidence = 8 << 10             // bytes of a native id, an ETag, a name of an upstream
	latest      = int64(253402300799) // the last second that a time of WOPI can be written with
	maxRow      = int64(1) << 53      // of numbers that programs in other languages read
)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBadExport}, args...)...)
}

// numbers are what must not be negative, or beyond what can be counted.
func numbers(all ...int64) error {
	for _, n := range all {
		if n < 0 || n > maxRow {
			return bad("number %d", n)
		}
	}
	return nil
}

// texts are what both databases can store.
func texts(all ...string) error {
	for _, s := range all {
		if len(s) > maxEvidence || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return bad("a text of %d bytes", len(s))
		}
	}
	return nil
}

func (r *upstreamRow) check() error { return firstOf(numbers(r.Num-1), texts(r.Name)) }

func (r *spaceRow) check() error { return firstOf(numbers(r.Num-1, r.Upstream-1), texts(r.Root)) }

func (r *epochRow) check() error {
	if len(r.Nonce) != len(random(20)) || strings.Trim(r.Nonce, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return bad("epoch %d", r.Num)
	}
	return numbers(r.Num-1, r.Began)
}

func (r *resourceRow) check() error {
	if _, err := ParseFileID(string(r.ID)); err != nil {
		return bad("%w", err)
	}
	switch r.Kind {
	case File:
		if err := checkStrings(r.Revision, r.Version, r.LastModified); err != nil {
			return err
		}
		if r.Epoch < 1 {
			return bad("file %s has no epoch", r.ID)
		}
	case Container:
		if r.Revision != 0 || r.Version != "" || r.LastModified != "" {
			return bad("folder %s has a revision", r.ID)
		}
	default:
		return bad("%s is of kind %d", r.ID, r.Kind)
	}
	if r.Top < -latest || r.Top > latest || r.Floor < -latest || r.Floor > latest+1 {
		return bad("times of %s", r.ID)
	}
	return firstOf(numbers(r.Num-1, r.Upstream-1, r.Home-1, r.Died, r.StampSerial, r.Epoch, r.Revision),
		texts(r.NativeID, r.ResourceID, r.Stamp, r.Inode), checkContents(r.ETag, r.Size, r.MTime, r.SHA256))
}

func (r *placeRow) check() error {
	if r.Parent == 0 && r.Name != "" || r.Parent != 0 && dav.CheckName(r.Name) != nil {
		return bad("name %q", r.Name)
	}
	if r.Waiting != 0 && (r.Waiting != r.Resource || r.Parent == 0) {
		return bad("resource %d waits for %d", r.Resource, r.Waiting)
	}
	return numbers(r.Parent, int64(r.Space)-1, r.Resource-1, r.Missing, r.Seen)
}

func (r *revisionRow) check() error {
	return firstOf(numbers(r.Resource-1), checkStrings(r.Number, r.Version, r.LastModified), checkContents(r.ETag, r.Size, r.MTime, r.SHA256))
}

func firstOf(faults ...error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkStrings checks what offices are told of a revision.
func checkStrings(number int64, version, lastModified string) error {
	const longest = 64
	if number < 1 || number > maxRow {
		return bad("revision %d", number)
	}
	if version == "" || len(version) > longest || strings.Trim(version, "0123456789.abcdefghijklmnopqrstuvwxyz") != "" {
		return bad("version %q", version)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.0000000Z", lastModified); err != nil {
		return bad("time %q", lastModified)
	}
	return nil
}

func checkContents(etag string, size, mtime int64, sha256 []byte) error {
	if size < -1 || size > maxRow || mtime < -latest*1000 || mtime > latest*1000 {
		return bad("size %d, time %d", size, mtime)
	}
	if err := checkHash(sha256); sha256 != nil && err != nil {
		return bad("%w", err)
	}
	return texts(etag)
}

// oneTree are the questions that must be answered with 0 when all rows are in: what a
// row alone cannot tell.
var oneTree = []struct{ fault, query string }{
	{"the root of a space is no folder", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE p.parent = 0 AND r.kind <> 2`},
	{"something lies below what is no folder", `SELECT COUNT(*) FROM idmap_place p LEFT JOIN idmap_resource r ON r.num = p.parent
		WHERE p.parent <> 0 AND (r.num IS NULL OR r.kind <> 2)`},
	{"a dead file has a place", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource WHERE r.died <> 0`},
	{"a place is on another upstream than its file", `SELECT COUNT(*) FROM idmap_place p JOIN idmap_resource r ON r.num = p.resource
		JOIN idmap_space s ON s.num = p.space WHERE s.upstream <> r.upstream`},
	{"a file is at home on another upstream", `SELECT COUNT(*) FROM idmap_resource r JOIN idmap_space s ON s.num = r.home WHERE s.upstream <> r.upstream`},
	{"a file is of an epoch that never was", `SELECT COUNT(*) FROM idmap_resource r WHERE r.kind = 1 AND NOT EXISTS (SELECT 1 FROM idmap_epoch e WHERE e.num = r.epoch)`},
}

// checkTree checks that all places hang on the roots of their spaces, once each: no
// circles, nothing in the air, nothing deeper than [up] climbs.
func checkTree(ctx context.Context, tx sqldb.Queryer) error {
	for _, c := range oneTree {
		var n int64
		if err := tx.QueryRow(ctx, c.query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return bad("%s (%d times)", c.fault, n)
		}
	}
	var all, hang int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM idmap_place`).Scan(&all); err != nil {
		return err
	}
	err := tx.QueryRow(ctx, `WITH RECURSIVE hang (resource, space, depth) AS (
		SELECT resource, space, 0 FROM idmap_place WHERE parent = 0
		UNION ALL
		SELECT p.resource, p.space, h.depth + 1 FROM hang h JOIN idmap_place p ON p.parent = h.resource AND p.space = h.space WHERE h.depth < `+fmt.Sprint(2*maxDepth)+`)
		SELECT COUNT(*) FROM hang`).Scan(&hang)
	if err != nil {
		return err
	}
	if hang != all {
		return bad("%d places of %d do not hang on a root", all-hang, all)
	}
	return nil
}
