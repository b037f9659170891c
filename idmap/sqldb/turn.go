package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrNotNow: what a [DB.Turn] is wanted for is being done by another process, or was done
// not long ago.
var ErrNotNow = errors.New("sqldb: it is another one's turn, or none is due")

// TurnLease is how long a turn outlives a process that has died.
const TurnLease = 20 * time.Second

// Turn calls f if what is called name was not done within every, by whatever process
// shares the database, and nobody is at it; else it returns [ErrNotNow]. It goes by the
// database's clock. f's context ends if the turn is lost: its lease is renewed while f
// runs. If f fails the next one may try at once; its error is returned as it is.
//
// On SQLite, whose file belongs to one process, f is always called.
func (db *DB) Turn(ctx context.Context, name string, every time.Duration, f func(ctx context.Context) error) error {
	if !db.Shared() {
		return f(ctx)
	}
	if err := db.OpenTurns(ctx); err != nil {
		return err
	}
	holder := rand.Text()
	if err := db.takeTurn(ctx, name, holder, every); err != nil {
		return err
	}
	bounded, cancel := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		db.keepTurn(bounded, cancel, name, holder)
	}()
	err := f(bounded)
	cancel()
	<-renewed
	done, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	again := int64(0)
	if err != nil {
		again = 1
	}
	_ = db.Write(done, func(tx Queryer) error { // should it fail, the lease ends by itself
		_, err := tx.Exec(done, `UPDATE sqldb_turns SET until = 0, began = began * CAST(? AS BIGINT) WHERE name = ? AND holder = ?`, 1-again, name, holder)
		return err
	})
	return err
}

// OpenTurns makes the table of turns, of the room "turns". [DB.Turn] does it by itself.
func (db *DB) OpenTurns(ctx context.Context) error {
	return db.Migrate(ctx, "turns", []string{`CREATE TABLE sqldb_turns (
		name TEXT {{bytes}} PRIMARY KEY,
		holder TEXT {{bytes}} NOT NULL,
		until BIGINT NOT NULL,
		began BIGINT NOT NULL -- the last one that was not in vain
	)`})
}

func (db *DB) takeTurn(ctx context.Context, name, holder string, every time.Duration) error {
	now, err := db.Now(ctx)
	if err != nil {
		return err
	}
	ms := Millis(now)
	err = db.Write(ctx, func(tx Queryer) error {
		var until, began int64
		err := tx.QueryRow(ctx, `SELECT until, began FROM sqldb_turns WHERE name = ?`, name).Scan(&until, &began)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		// Who died at it has not done it.
		if until > ms || until == 0 && ms-began < every.Milliseconds() {
			return ErrNotNow
		}
		_, err = tx.Exec(ctx, `INSERT INTO sqldb_turns (name, holder, until, began) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, began = excluded.began`,
			name, holder, ms+TurnLease.Milliseconds(), ms)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotNow) {
		err = fmt.Errorf("sqldb: taking a turn: %w", err)
	}
	return err
}

// keepTurn renews the lease until ctx ends, and ends it if the turn is lost.
func (db *DB) keepTurn(ctx context.Context, lost func(), name, holder string) {
	tick := time.NewTicker(TurnLease / 4)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := db.Now(ctx)
		n := int64(0)
		if err == nil {
			err = db.Write(ctx, func(tx Queryer) (err error) {
				n, err = tx.Exec(ctx, `UPDATE sqldb_turns SET until = ? WHERE name = ? AND holder = ?`, Millis(now.Add(TurnLease)), name, holder)
				return err
			})
		}
		switch {
		case err == nil && n > 0:
			renewed = time.Now()
		case err == nil, time.Since(renewed) > TurnLease*3/4:
			lost()
			return
		}
	}
}
