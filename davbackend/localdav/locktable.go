package localdav

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

const (
	maxLocks   = 10_000    // in one folder
	maxOwner   = 8 << 10   // bytes of an owner's XML
	maxGranted = time.Hour // longest timeout
	minGranted = time.Second
)

// A lock is one that a LOCK request made (RFC 4918 6). The handler's own short ones
// are in [shortLocks].
type lock struct {
	token    dav.LockToken
	key      string   // what is locked, symbolic links followed
	root     dav.Path // as the request called it
	infinite bool     // depth infinity
	shared   bool
	owner    string // XML, self-contained; "" none
	expires  time.Time
}

// covers reports whether l protects the resource at key (RFC 4918 6.1).
func (l lock) covers(key string) bool {
	return l.key == key || l.infinite && within(l.key, key)
}

const lockColumns = `token, place, root, infinite, shared, owner, expires`

// locksAbout returns the live locks that cover one of keys, lie directly on the parent
// of one, or, with below, lie under one.
func (st *state) locksAbout(ctx context.Context, keys []string, below bool) ([]lock, error) {
	now, err := st.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	var out []lock
	have := map[dav.LockToken]bool{}
	add := func(where string, args ...any) error {
		found, err := st.queryLocks(ctx, st.db.Read(), now, where, args...)
		for _, l := range found {
			if !have[l.token] {
				have[l.token] = true
				out = append(out, l)
			}
		}
		return err
	}
	var spots []string
	seen := map[string]bool{}
	for _, key := range keys {
		for k := key; !seen[k]; k = parentKey(k) {
			seen[k] = true
			spots = append(spots, spot(k))
		}
		if !below {
			continue
		}
		from, to := keysBelow(key)
		if err := add(`place >= ? AND place < ?`, from, to); err != nil {
			return nil, err
		}
	}
	for len(spots) > 0 {
		part := spots[:min(len(spots), batch)]
		spots = spots[len(part):]
		in, args := sqldb.In(part)
		if err := add(`spot IN `+in, args...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keysBelow are the bounds of the keys below key, the upper one exclusive.
func keysBelow(key string) (from, to string) {
	if key == "/" {
		return "/", "0" // '0' follows '/'
	}
	return key + "/", key + "0"
}

func (st *state) queryLocks(ctx context.Context, q sqldb.Queryer, now time.Time, where string, args ...any) ([]lock, error) {
	rows, err := q.Query(ctx, `SELECT `+lockColumns+` FROM localdav_lock WHERE folder = ? AND expires > ? AND `+where,
		append([]any{st.folder, sqldb.Millis(now)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("localdav: reading locks: %w", err)
	}
	defer rows.Close()
	var out []lock
	for rows.Next() {
		var l lock
		var infinite, shared, expires int64
		if err := rows.Scan(&l.token, &l.key, &l.root, &infinite, &shared, &l.owner, &expires); err != nil {
			return nil, fmt.Errorf("localdav: reading locks: %w", err)
		}
		l.infinite, l.shared, l.expires = infinite != 0, shared != 0, sqldb.FromMillis(expires)
		out = append(out, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("localdav: reading locks: %w", err)
	}
	return out, nil
}

// lockByToken returns the live lock of that token, ok false if there is none.
func (st *state) lockByToken(ctx context.Context, token dav.LockToken) (l lock, ok bool, err error) {
	now, err := st.db.Now(ctx)
	if err != nil {
		return lock{}, false, err
	}
	found, err := st.queryLocks(ctx, st.db.Read(), now, `token = ?`, string(token))
	if err != nil || len(found) == 0 {
		return lock{}, false, err
	}
	return found[0], true, nil
}

// addLock stores l, and drops what has expired. Too many locks are a 507.
func (st *state) addLock(ctx context.Context, l lock) error {
	now, err := st.db.Now(ctx)
	if err != nil {
		return err
	}
	return st.db.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, `DELETE FROM localdav_lock WHERE folder = ? AND expires <= ?`,
			st.folder, sqldb.Millis(now)); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM localdav_lock WHERE folder = ?`, st.folder).Scan(&n); err != nil {
			return err
		}
		if n >= maxLocks {
			return refusal(http.StatusInsufficientStorage, errors.New("localdav: too many locks"))
		}
		_, err := tx.Exec(ctx, `INSERT INTO localdav_lock (token, folder, spot, place, root, infinite, shared, owner, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, string(l.token), st.folder, spot(l.key), l.key, string(l.root),
			boolInt(l.infinite), boolInt(l.shared), l.owner, sqldb.Millis(l.expires))
		return err
	})
}

// extendLock gives a live lock a new end; false if it is gone.
func (st *state) extendLock(ctx context.Context, token dav.LockToken, now, expires time.Time) (bool, error) {
	var n int64
	err := st.db.Write(ctx, func(tx sqldb.Queryer) (err error) {
		n, err = tx.Exec(ctx, `UPDATE localdav_lock SET expires = ? WHERE folder = ? AND token = ? AND expires > ?`,
			sqldb.Millis(expires), st.folder, string(token), sqldb.Millis(now))
		return err
	})
	return n > 0, err
}

// dropLock ends a lock; false if it was gone.
func (st *state) dropLock(ctx context.Context, token dav.LockToken) (bool, error) {
	var n int64
	err := st.db.Write(ctx, func(tx sqldb.Queryer) (err error) {
		n, err = tx.Exec(ctx, `DELETE FROM localdav_lock WHERE folder = ? AND token = ?`, st.folder, string(token))
		return err
	})
	return n > 0, err
}

// dropLocksAt ends the locks on key and, if tree, below it: their resource is gone
// (RFC 4918 9.6, 7.5: locks do not move).
func (st *state) dropLocksAt(ctx context.Context, tx sqldb.Queryer, key string, tree bool) error {
	if _, err := tx.Exec(ctx, `DELETE FROM localdav_lock WHERE folder = ? AND spot = ?`, st.folder, spot(key)); err != nil {
		return fmt.Errorf("localdav: ending locks: %w", err)
	}
	if !tree {
		return nil
	}
	from, to := keysBelow(key)
	if _, err := tx.Exec(ctx, `DELETE FROM localdav_lock WHERE folder = ? AND place >= ? AND place < ?`,
		st.folder, from, to); err != nil {
		return fmt.Errorf("localdav: ending locks: %w", err)
	}
	return nil
}

// granted is the timeout that a Timeout header gets (RFC 4918 10.7).
func granted(header string) time.Duration {
	d := dav.ParseTimeout(header)
	if d == 0 {
		return maxGranted
	}
	return min(max(d, minGranted), maxGranted)
}
