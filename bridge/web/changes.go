package web

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// changeKept is for how long what was done can be shown and undone.
const changeKept = 24 * time.Hour

// Changes remember what people did to files on these pages, for a day: to say so on the page
// that they come to, and to undo it. Safe for concurrent use.
type Changes struct{ db *sqldb.DB }

// NewChanges brings the table up to date.
func NewChanges(ctx context.Context, db *sqldb.DB) (*Changes, error) {
	err := db.Migrate(ctx, "web", []string{
		`CREATE TABLE web_change (
			id TEXT {{bytes}} PRIMARY KEY,
			user_id TEXT {{bytes}} NOT NULL,
			kind TEXT NOT NULL,
			upstream TEXT NOT NULL,
			space BIGINT NOT NULL,
			file TEXT {{bytes}} NOT NULL,
			name TEXT {{bytes}} NOT NULL,
			old TEXT {{bytes}} NOT NULL,
			from_path TEXT {{bytes}} NOT NULL,
			to_path TEXT {{bytes}} NOT NULL,
			native TEXT {{bytes}} NOT NULL,
			count BIGINT NOT NULL,
			undone BIGINT NOT NULL,
			made BIGINT NOT NULL);
		CREATE INDEX web_change_made ON web_change (made)`,
	})
	if err != nil {
		return nil, fmt.Errorf("web: changes: %w", err)
	}
	return &Changes{db}, nil
}

// Kinds of changes.
const (
	didMake    = "made"
	didUpload  = "uploaded"
	didReplace = "replaced"
	didRename  = "renamed"
	didMove    = "moved"
	didDelete  = "deleted"
	didUndo    = "undone"
)

// A change is what somebody did.
type change struct {
	id       string
	user     string // UserID: nobody else is told of it
	kind     string
	upstream string
	space    idmap.SpaceID
	file     idmap.FileID // what it was done to, "" that is gone or many
	name     string       // of it, now
	old      string       // its name, or that of its folder, before; "" no matter
	from, to dav.Path     // of a move; from alone of a deletion
	native   string       // its ID upstream, by which a trash knows it; "" it is not there
	count    int64        // how many, of an upload
	undone   bool
}

// add remembers a change, and returns its ID.
func (d *Changes) add(ctx context.Context, done change) (string, error) {
	now, err := d.db.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("web: changes: %w", err)
	}
	id := strings.ToLower(rand.Text()[:16])
	err = d.db.Write(ctx, func(tx sqldb.Queryer) error {
		if _, err := tx.Exec(ctx, `DELETE FROM web_change WHERE made < ?`, sqldb.Millis(now.Add(-changeKept))); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO web_change (id, user_id, kind, upstream, space, file, name, old, from_path, to_path, native, count, undone, made)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`, id, done.user, done.kind, done.upstream, int64(done.space), string(done.file),
			done.name, done.old, string(done.from), string(done.to), done.native, done.count, sqldb.Millis(now))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("web: changes: %w", err)
	}
	return id, nil
}

// errNoChange is of a change that is nobody's, somebody else's, or longer ago than a day.
var errNoChange = errors.New("web: no such change")

// get is a change of user's, or errNoChange.
func (d *Changes) get(ctx context.Context, id, user string) (change, error) {
	now, err := d.db.Now(ctx)
	if err != nil {
		return change{}, fmt.Errorf("web: changes: %w", err)
	}
	out := change{id: id, user: user}
	var space, undone int64
	err = d.db.Read().QueryRow(ctx, `SELECT kind, upstream, space, file, name, old, from_path, to_path, native, count, undone FROM web_change
		WHERE id = ? AND user_id = ? AND made >= ?`, id, user, sqldb.Millis(now.Add(-changeKept))).
		Scan(&out.kind, &out.upstream, &space, &out.file, &out.name, &out.old, &out.from, &out.to, &out.native, &out.count, &undone)
	if errors.Is(err, sql.ErrNoRows) {
		return change{}, errNoChange
	}
	if err != nil {
		return change{}, fmt.Errorf("web: changes: %w", err)
	}
	out.space, out.undone = idmap.SpaceID(space), undone != 0
	return out, nil
}

// undo notes that a change is undone.
func (d *Changes) undo(ctx context.Context, id string) error {
	err := d.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `UPDATE web_change SET undone = 1 WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("web: changes: %w", err)
	}
	return nil
}

// undoable reports whether there is a way back.
func (c change) undoable() bool {
	switch c.kind {
	case didRename, didMove:
		return !c.undone && c.file != ""
	case didDelete:
		return !c.undone && c.native != ""
	}
	return false
}
