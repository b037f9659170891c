package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"davwopi/config"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// databaseOf is where the state database is, as sqldb.Open wants it.
func databaseOf(c *config.Config) (string, error) {
	switch {
	case c.State.URLFile != "":
		line, err := firstLine(c.State.URLFile)
		if err == nil && !config.IsPostgres(line) {
			err = fmt.Errorf("the first line of %s is not an address that begins with postgres://", c.State.URLFile)
		}
		return line, err
	case c.State.URL.Reveal() != "":
		return c.State.URL.Reveal(), nil
	}
	return filepath.Join(c.State.Dir, "state.db"), nil
}

// makeState makes the state directory and the folders above it that are missing, with
// names that a power cut leaves: what is fsynced in a folder that is forgotten is lost.
func makeState(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// One that is there may have been made by a process that came no further.
	fresh := []string{dir}
	for above := filepath.Dir(dir); above != filepath.Dir(above); above = filepath.Dir(above) {
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		fresh = append(fresh, above)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range fresh {
		above, err := os.Open(filepath.Dir(d))
		if errors.Is(err, fs.ErrPermission) {
			continue // where it may not look it has not made anything
		}
		if err != nil {
			return err
		}
		_ = above.Sync() // some file systems cannot sync a folder, and are no worse than before
		if err := above.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) openState(ctx context.Context, key string) (err error) {
	c := h.config
	if err := makeState(c.State.Dir); err != nil {
		return err
	}
	if err := guardState(c.State.Dir, h.log); err != nil {
		return err
	}
	if err := h.holdDirectory(); err != nil {
		return err
	}
	if err := h.settleState(); err != nil {
		return err
	}
	where, err := databaseOf(c)
	if err != nil {
		return err
	}
	if h.db, err = openDatabase(ctx, where); err != nil {
		return err
	}
	h.closers = append(h.closers, h.db.Close)
	if err := removeOldBackups(c.State.Dir); err != nil {
		return err
	}
	secret, err := secretKey(c, key)
	if err != nil {
		return err
	}
	if err := sameKey(ctx, h.db, secret, c.Replicas); err != nil {
		return err
	}
	if h.sealer, err = oauth.NewSealer(secret); err != nil {
		return err
	}
	h.ids, err = idmap.New(ctx, h.db)
	return err
}

// settleState finishes a restore that was killed, and refuses a directory whose state was
// moved away.
func (h *house) settleState() error {
	if h.config.State.Shared() {
		return nil
	}
	return errors.Join(settleRestore(h.config.State.Dir, time.Now()), notMoved(h.config.State.Dir))
}

// holdDirectory keeps a second daemon away from the directory where the database
// does not: its socket and its part of the journal are this one's.
func (h *house) holdDirectory() error {
	if !h.config.State.Shared() {
		return nil
	}
	release, err := sqldb.Hold(filepath.Join(h.config.State.Dir, "daemon"))
	if err != nil {
		return err
	}
	h.closers = append(h.closers, release)
	return nil
}

// secretKey is the one from the environment, or that in the file, which is made
// when it is absent.
func secretKey(c *config.Config, fromEnvironment string) ([]byte, error) {
	if fromEnvironment != "" {
		return oauth.ParseKey(fromEnvironment)
	}
	file := c.SecretKeyFile
	if file == "" {
		file = filepath.Join(c.State.Dir, "secret.key")
	}
	return oauth.LoadKey(file)
}

// errOtherKey: what one bridge seals the other could not open.
var errOtherKey = errors.New("the bridges that share this database have another secret key: give this one the same secret_key_file, or DAVWOPI_SECRET_KEY (to change the key, stop all and start one without replicas: true)")

func makeKeyMark(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "secret_key", []string{
		`CREATE TABLE secret_key_mark (one BIGINT PRIMARY KEY, mark TEXT NOT NULL)`,
	})
}

// sameKey refuses a replica with another secret key than the others have; a single
// bridge may get a new one, and all sign in again. What is stored tells nothing of
// the key.
func sameKey(ctx context.Context, db *sqldb.DB, key []byte, replica bool) error {
	if !db.Shared() {
		return nil
	}
	if err := makeKeyMark(ctx, db); err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("davwopi: the same secret key"))
	mark, stored := hex.EncodeToString(mac.Sum(nil)), ""
	write := `INSERT INTO secret_key_mark (one, mark) VALUES (1, ?) ON CONFLICT (one) DO `
	if replica {
		write += `NOTHING`
	} else {
		write += `UPDATE SET mark = excluded.mark`
	}
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, write, mark); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT mark FROM secret_key_mark WHERE one = 1`).Scan(&stored)
	})
	if err == nil && stored != mark {
		err = errOtherKey
	}
	return err
}
