package localdav

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"davwopi/idmap/sqldb"
)

// Places are found by a hash (spot), because PostgreSQL does not index long text.
var migrations = []string{
	`CREATE TABLE localdav_instance (
		one  BIGINT PRIMARY KEY,
		salt TEXT NOT NULL
	)`,
	`CREATE TABLE localdav_binding (
		folder     TEXT NOT NULL,
		device     BIGINT NOT NULL,
		inode      BIGINT NOT NULL,
		birth      BIGINT NOT NULL,
		id         TEXT NOT NULL,
		etag       TEXT NOT NULL,
		mtime      BIGINT NOT NULL,
		ctime      BIGINT NOT NULL,
		size       BIGINT NOT NULL,
		next_id    TEXT NOT NULL,
		next_place TEXT {{bytes}} NOT NULL,
		PRIMARY KEY (folder, device, inode)
	)`,
	`CREATE INDEX localdav_binding_id ON localdav_binding (folder, id)`,
	`CREATE TABLE localdav_property (
		folder TEXT NOT NULL,
		id     TEXT NOT NULL,
		space  TEXT {{bytes}} NOT NULL,
		local  TEXT {{bytes}} NOT NULL,
		lang   TEXT NOT NULL,
		value  TEXT NOT NULL,
		PRIMARY KEY (folder, id, space, local)
	)`,
	`CREATE TABLE localdav_lock (
		token    TEXT PRIMARY KEY,
		folder   TEXT NOT NULL,
		spot     TEXT NOT NULL,
		place    TEXT {{bytes}} NOT NULL,
		root     TEXT {{bytes}} NOT NULL,
		infinite BIGINT NOT NULL,
		shared   BIGINT NOT NULL,
		owner    TEXT NOT NULL,
		expires  BIGINT NOT NULL
	)`,
	`CREATE INDEX localdav_lock_spot ON localdav_lock (folder, spot)`,
	`CREATE TABLE localdav_temp (
		folder TEXT NOT NULL,
		spot   TEXT NOT NULL,
		place  TEXT {{bytes}} NOT NULL,
		PRIMARY KEY (folder, spot)
	)`,
}

// A state is what is remembered about one folder.
type state struct {
	db     *sqldb.DB
	salt   []byte // of this database; makes ids and ETags unlike those of any other
	folder string // which folder the rows are about, wherever it is mounted
}

func openState(ctx context.Context, db *sqldb.DB, self identity) (*state, error) {
	if err := db.Migrate(ctx, "localdav", migrations); err != nil {
		return nil, err
	}
	st := &state{db: db}
	err := db.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, `INSERT INTO localdav_instance (one, salt) VALUES (1, ?) ON CONFLICT (one) DO NOTHING`,
			randomHex(32)); err != nil {
			return err
		}
		var salt string
		if err := tx.QueryRow(ctx, `SELECT salt FROM localdav_instance WHERE one = 1`).Scan(&salt); err != nil {
			return err
		}
		var err error
		st.salt, err = hex.DecodeString(salt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("localdav: reading the state: %w", err)
	}
	// The device is left out: its number may change at every restart.
	st.folder = hex.EncodeToString(st.digest("folder", self.inode, self.birth)[:16])
	return st, nil
}

// digest is a keyed hash of what and numbers.
func (st *state) digest(what string, numbers ...int64) []byte {
	h := hmac.New(sha256.New, st.salt)
	h.Write([]byte(what))
	for _, n := range numbers {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	return h.Sum(nil)
}

func spot(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// batch is the longest list in a query.
const batch = 256

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
