package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Connections of one bridge; PostgreSQL allows 100 in all unless told otherwise.
const (
	postgresWriters = 8
	postgresReaders = 8
)

func openPostgres(ctx context.Context, where string) (*DB, error) {
	config, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err) // pgx hides the password
	}
	defaults := map[string]string{
		"application_name":                    "davwopi",
		"lock_timeout":                        "10000", // ms
		"idle_in_transaction_session_timeout": "60000", // a bridge that hangs must not hold the others
	}
	for k, v := range defaults {
		if _, ok := config.RuntimeParams[k]; !ok {
			config.RuntimeParams[k] = v
		}
	}
	config.DialFunc = dial
	if config.ConnectTimeout == 0 || !strings.Contains(where, "connect_timeout") {
		config.ConnectTimeout = connectLimit
	}
	if err := wantDurable(ctx, config); err != nil {
		return nil, err
	}
	readConfig := config.Copy()
	// A serializable transaction that reads a whole table collides with everybody who writes
	// to it, and small tables are read whole unless it is said that they should not be. (Half as
	// many collisions, measured with 16 writers on a table of 16 rows.)
	if _, ok := config.RuntimeParams["enable_seqscan"]; !ok {
		config.RuntimeParams["enable_seqscan"] = "off"
	}
	readConfig.RuntimeParams["default_transaction_read_only"] = "on"
	db := &DB{
		kind:  dialectPostgres,
		write: pool(config, postgresWriters),
		read:  pool(readConfig, postgresReaders),
		snaps: pool(readConfig, maxSnapshots),
	}
	few(db.snaps)
	for _, d := range []*sql.DB{db.write, db.read} {
		if err := d.PingContext(ctx); err != nil {
			db.abandon()
			return nil, fmt.Errorf("sqldb: connecting to PostgreSQL: %w", err)
		}
	}
	db.stmts = newStatements(db.kind, db.read)
	return db, nil
}

// wantDurable switches synchronous_commit on for our sessions where it is off: what
// [DB.Write] has committed must survive a power cut. What is stronger than on stays.
func wantDurable(ctx context.Context, config *pgx.ConnConfig) error {
	c, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return fmt.Errorf("sqldb: connecting to PostgreSQL: %w", err)
	}
	defer c.Close(ctx)
	var level string
	if err := c.QueryRow(ctx, `SHOW synchronous_commit`).Scan(&level); err != nil {
		return fmt.Errorf("sqldb: asking PostgreSQL whether it syncs: %w", err)
	}
	if level == "off" {
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	return nil
}

func pool(config *pgx.ConnConfig, size int) *sql.DB {
	d := stdlib.OpenDB(*config)
	d.SetMaxOpenConns(size)
	d.SetMaxIdleConns(size)
	d.SetConnMaxIdleTime(5 * time.Minute)
	return d
}
