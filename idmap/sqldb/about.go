package sqldb

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// About is what a database says of itself.
type About struct {
	Engine string // "SQLite", or as PostgreSQL or its like calls itself
	// Syncs is "" where what is committed survives a power cut; else what is off.
	Syncs string
	// Ahead is how far its clock is ahead of this machine's; half of the way there and
	// back is in it.
	Ahead time.Duration
}

// About asks the database.
func (db *DB) About(ctx context.Context) (About, error) {
	if db.kind == dialectSQLite {
		var version string
		err := db.Read().QueryRow(ctx, `SELECT sqlite_version()`).Scan(&version)
		if err != nil {
			return About{}, fmt.Errorf("sqldb: asking about the database: %w", err)
		}
		return About{Engine: "SQLite " + version}, nil
	}
	var a About
	before := time.Now()
	now, err := db.Now(ctx)
	if err != nil {
		return a, err
	}
	a.Ahead = now.Sub(before.Add(time.Since(before) / 2)).Truncate(time.Millisecond)
	if err := db.Read().QueryRow(ctx, `SELECT version()`).Scan(&a.Engine); err != nil {
		return a, fmt.Errorf("sqldb: asking about the database: %w", err)
	}
	a.Engine, _, _ = strings.Cut(a.Engine, " on ")
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		// A database that only speaks the protocol need not know them.
		if db.Read().QueryRow(ctx, `SHOW `+setting).Scan(&value) == nil && value == "off" {
			a.Syncs = strings.TrimPrefix(a.Syncs+", "+setting+" is off", ", ")
		}
	}
	return a, nil
}
