package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/idmap/sqldb"
)

// signers remembers which editors have published proof keys, so that a restart
// does not let anybody fall back to unsigned requests.
type signers struct{ db *sqldb.DB }

func newSigners(ctx context.Context, db *sqldb.DB) (signers, error) {
	return signers{db}, db.Migrate(ctx, "signers", []string{
		`CREATE TABLE editor_signs (url TEXT {{bytes}} PRIMARY KEY)`,
	})
}

// seen lists the editors by URL.
func (s signers) seen(ctx context.Context) (map[string]bool, error) {
	rows, err := s.db.Read().Query(ctx, `SELECT url FROM editor_signs`)
	if err != nil {
		return nil, fmt.Errorf("signers: %w", err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var url string
		if err := rows.Scan(&url); err != nil {
			return nil, fmt.Errorf("signers: %w", err)
		}
		seen[url] = true
	}
	return seen, rows.Err()
}

// remember adds an editor.
func (s signers) remember(editor string, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `INSERT INTO editor_signs (url) VALUES (?) ON CONFLICT (url) DO NOTHING`, editor)
		return err
	})
	if err != nil {
		log.Error().Str("cause", bridge.Cause(err)).Msg("could not remember that an editor signs; until the next restart it must")
	}
}
