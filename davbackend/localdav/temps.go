package localdav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"davwopi/idmap/sqldb"
)

// temps knows which folders may hold staged files. A staged file lies next to where it
// will be, so that it inherits group and ACL of that folder and the rename stays
// within one file system. A folder is recorded before the first one is made in it,
// once per run, so that Open need not walk the whole tree to find leftovers.
type temps struct {
	mu     sync.Mutex
	folder map[string]bool // recorded in this run; guarded by mu
	prefix string          // of this state's staged names: two servers on one folder leave each other's alone
}

// open removes what an earlier run left.
func (t *temps) open(ctx context.Context, tr *tree, st *state) error {
	t.folder = map[string]bool{}
	t.prefix = stagedPrefix + fmt.Sprintf("%x", st.digest("staged " + st.folder)[:4]) + "-"
	keys, err := st.tempFolders(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := t.clean(ctx, tr, st, relOf(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("localdav: removing leftovers: %w", err)
		}
	}
	return st.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM localdav_temp WHERE folder = ?`, st.folder)
		return err
	})
}

// clean removes what is staged in dir, and the rows that were to name it.
func (t *temps) clean(ctx context.Context, tr *tree, st *state, dir string) error {
	d, err := tr.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	var left []string
	for {
		names, err := d.Readdirnames(batch)
		for _, name := range names {
			if strings.HasPrefix(name, t.prefix) && hiddenName(name) {
				left = append(left, path.Join(dir, name))
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	var gone []identity
	for _, rel := range left {
		i, err := tr.look(rel)
		if err != nil {
			return err
		}
		if err := tr.root.RemoveAll(rel); err != nil {
			return err
		}
		if i.links <= 1 {
			gone = append(gone, i.identity)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return st.db.Write(ctx, func(tx sqldb.Queryer) error { return st.unbind(ctx, tx, gone...) })
}

// name returns a fresh hidden place in dir.
func (t *temps) name(ctx context.Context, st *state, dir string) (string, error) {
	t.mu.Lock()
	known := t.folder[dir]
	t.mu.Unlock()
	if !known {
		key := keyOf(dir)
		err := st.db.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `INSERT INTO localdav_temp (folder, spot, place) VALUES (?, ?, ?)
				ON CONFLICT (folder, spot) DO NOTHING`, st.folder, spot(key), key)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("localdav: recording a folder: %w", err)
		}
		t.mu.Lock()
		t.folder[dir] = true
		t.mu.Unlock()
	}
	return path.Join(dir, t.prefix+randomHex(12)+stagedSuffix), nil
}

// under returns the recorded folders at or below dir.
func (t *temps) under(dir string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for d := range t.folder {
		if within(keyOf(dir), keyOf(d)) {
			out = append(out, d)
		}
	}
	return out
}

func (st *state) tempFolders(ctx context.Context) ([]string, error) {
	rows, err := st.db.Read().Query(ctx, `SELECT place FROM localdav_temp WHERE folder = ?`, st.folder)
	if err != nil {
		return nil, fmt.Errorf("localdav: reading folders: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			return nil, fmt.Errorf("localdav: reading folders: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
