package localdav

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"davwopi/idmap/sqldb"
)

// A binding is what a row says about the file with one identity. Files without a row
// are known by what follows from the identity alone.
type binding struct {
	identity
	id    string // the resource's, without urn:uuid:
	etag  string // with quotes; "" the hash of what the disk says
	mtime int64  // etag is good only while mtime, ctime and size are these
	ctime int64  // 0: the rename that changed it last was not recorded, anything goes
	size  int64

	// A rename onto another file is under way or was cut off: seen at nextPlace,
	// the file is nextID. "" none.
	nextID    string
	nextPlace string
}

const bindingColumns = `device, inode, birth, id, etag, mtime, ctime, size, next_id, next_place`

func (b *binding) columns() []any {
	return []any{&b.device, &b.inode, &b.birth, &b.id, &b.etag, &b.mtime, &b.ctime, &b.size, &b.nextID, &b.nextPlace}
}

// bindings returns the rows of those identities that have one.
func (st *state) bindings(ctx context.Context, q sqldb.Queryer, of ...identity) (map[identity]binding, error) {
	out := map[identity]binding{}
	byDevice := map[int64][]int64{}
	for _, i := range of {
		byDevice[i.device] = append(byDevice[i.device], i.inode)
	}
	for device, inodes := range byDevice {
		for part := range slices.Chunk(inodes, batch) {
			in, args := sqldb.In(part)
			found, err := st.queryBindings(ctx, q, `device = ? AND inode IN `+in, append([]any{device}, args...)...)
			if err != nil {
				return nil, err
			}
			for _, b := range found {
				out[b.identity] = b
			}
		}
	}
	return out, nil
}

func (st *state) queryBindings(ctx context.Context, q sqldb.Queryer, where string, args ...any) ([]binding, error) {
	rows, err := q.Query(ctx, `SELECT `+bindingColumns+` FROM localdav_binding WHERE folder = ? AND `+where,
		append([]any{st.folder}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("localdav: reading resources: %w", err)
	}
	defer rows.Close()
	var out []binding
	for rows.Next() {
		var b binding
		if err := rows.Scan(b.columns()...); err != nil {
			return nil, fmt.Errorf("localdav: reading resources: %w", err)
		}
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("localdav: reading resources: %w", err)
	}
	return out, nil
}

// known returns the row of i, or the one that it would have.
func (st *state) known(ctx context.Context, q sqldb.Queryer, i identity) (binding, error) {
	b, err := st.inInode(ctx, q, i)
	if err == nil && b.identity != i {
		b = binding{identity: i, id: st.naturalID(i)}
	}
	return b, err
}

// inInode returns the row of i's inode, whose birth may be another; zero if it has none.
func (st *state) inInode(ctx context.Context, q sqldb.Queryer, i identity) (b binding, err error) {
	err = q.QueryRow(ctx, `SELECT `+bindingColumns+` FROM localdav_binding WHERE folder = ? AND device = ? AND inode = ?`,
		st.folder, i.device, i.inode).Scan(b.columns()...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return b, fmt.Errorf("localdav: reading a resource: %w", err)
	}
	return b, nil
}

func (st *state) orDefault(found map[identity]binding, i identity) binding {
	if b, ok := found[i]; ok {
		return b
	}
	return binding{identity: i, id: st.naturalID(i)}
}

// naturalID is the resource id that follows from the identity.
func (st *state) naturalID(i identity) string {
	return formatUUID(st.digest("id "+st.folder, i.device, i.inode, i.birth), 8)
}

// at is the id of the file that b is about when it is seen at key.
func (b binding) at(key string) string {
	if b.nextID != "" && b.nextPlace == key {
		return b.nextID
	}
	return b.id
}

// tick is longer than the kernel's coarse clock stands still: two changes within one
// tick can leave all of mtime, ctime and size as they were.
const tick = 20 * time.Millisecond

// etag is the entity tag of what i saw, "" for folders. It may wait for a tick, after
// which i may be out of date: fresh looks again then.
func (st *state) etag(i info, b binding) string {
	if !i.regular() {
		return ""
	}
	if b.holds(i) {
		return b.etag
	}
	sum := st.digest("etag", i.device, i.inode, i.birth, i.mtime, i.ctime, i.size)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// holds reports whether the stored ETag is that of the bytes that i saw.
func (b binding) holds(i info) bool {
	return b.etag != "" && b.mtime == i.mtime && b.size == i.size && (b.ctime == 0 || b.ctime == i.ctime)
}

// racy is how long to wait before what i saw can be told from the next change.
func (b binding) racy(i info) time.Duration {
	if !i.regular() || b.holds(i) {
		return 0
	}
	age := time.Since(time.Unix(0, max(i.ctime, i.mtime)))
	if age < 0 || age >= tick {
		return 0 // in the future: a clock that is not ours, waiting proves nothing
	}
	return tick - age
}

func newETag() string { return `"` + randomHex(16) + `"` }

// bind stores b in place of whatever row its inode had. The properties of a resource
// that lived in the inode before, and is gone, go with it.
func (st *state) bind(ctx context.Context, tx sqldb.Queryer, b binding) error {
	stale, err := st.inInode(ctx, tx, b.identity)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO localdav_binding (folder, `+bindingColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (folder, device, inode) DO UPDATE SET birth = excluded.birth, id = excluded.id, etag = excluded.etag,
		mtime = excluded.mtime, ctime = excluded.ctime, size = excluded.size,
		next_id = excluded.next_id, next_place = excluded.next_place`,
		st.folder, b.device, b.inode, b.birth, b.id, b.etag, b.mtime, b.ctime, b.size, b.nextID, b.nextPlace); err != nil {
		return fmt.Errorf("localdav: storing a resource: %w", err)
	}
	if stale.id == "" {
		return nil
	}
	return st.forget(ctx, tx, stale.id)
}

// end drops what is known of resources that are gone, also rows that a crash left to
// inodes which had been theirs before.
func (st *state) end(ctx context.Context, tx sqldb.Queryer, gone ...identity) error {
	found, err := st.bindings(ctx, tx, gone...)
	if err != nil {
		return err
	}
	for _, b := range found {
		if _, err := tx.Exec(ctx, `DELETE FROM localdav_binding WHERE folder = ? AND (id = ? OR device = ? AND inode = ?)`,
			st.folder, b.id, b.device, b.inode); err != nil {
			return fmt.Errorf("localdav: forgetting a resource: %w", err)
		}
		if err := st.forget(ctx, tx, b.id); err != nil {
			return err
		}
	}
	return nil
}

// alone makes b's the only row with its id: the inodes that had it before are gone or
// are other resources now.
func (st *state) alone(ctx context.Context, tx sqldb.Queryer, b binding) error {
	if _, err := tx.Exec(ctx, `DELETE FROM localdav_binding WHERE folder = ? AND id = ? AND NOT (device = ? AND inode = ?)`,
		st.folder, b.id, b.device, b.inode); err != nil {
		return fmt.Errorf("localdav: forgetting a resource: %w", err)
	}
	return nil
}

// unbind drops the rows of inodes; their resources may live on in others.
func (st *state) unbind(ctx context.Context, tx sqldb.Queryer, gone ...identity) error {
	found, err := st.bindings(ctx, tx, gone...)
	if err != nil {
		return err
	}
	for i, b := range found {
		if _, err := tx.Exec(ctx, `DELETE FROM localdav_binding WHERE folder = ? AND device = ? AND inode = ?`,
			st.folder, i.device, i.inode); err != nil {
			return fmt.Errorf("localdav: forgetting a resource: %w", err)
		}
		if err := st.forget(ctx, tx, b.id); err != nil {
			return err
		}
	}
	return nil
}

// forget drops the properties of id if no file is id any more.
func (st *state) forget(ctx context.Context, tx sqldb.Queryer, id string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM localdav_property WHERE folder = ? AND id = ?
		AND NOT EXISTS (SELECT 1 FROM localdav_binding WHERE folder = ? AND (id = ? OR next_id = ?))`,
		st.folder, id, st.folder, id, id); err != nil {
		return fmt.Errorf("localdav: forgetting properties: %w", err)
	}
	return nil
}
