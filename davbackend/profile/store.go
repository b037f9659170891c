package profile

import (
	"context"
	"database/sql"
	_ "embed" // what the embedded server does
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// ErrBusy says that somebody else is measuring the upstream.
var ErrBusy = errors.New("profile: the upstream is being measured")

// edition is that of the measuring. Facts of another one are measured again.
const edition = 3

// One process may measure for claimLimit. claimFor is how long its claim outlives it, should
// it die.
const (
	claimFor   = 20 * time.Second
	claimLimit = 4 * time.Minute
)

// room is the name under which the state database knows our tables.
const room = "profile"

var migrations = []string{`
CREATE TABLE profile_facts (
	upstream TEXT {{bytes}} NOT NULL PRIMARY KEY,
	edition  BIGINT NOT NULL,
	server   TEXT NOT NULL,
	classes  TEXT NOT NULL,
	facts    TEXT NOT NULL -- JSON
);
CREATE TABLE profile_claim (
	upstream TEXT {{bytes}} NOT NULL PRIMARY KEY,
	until    BIGINT NOT NULL
);
-- Folders that are on the upstream as long as somebody measures, or was killed.
CREATE TABLE profile_scratch (
	id       {{serial}},
	upstream TEXT {{bytes}} NOT NULL,
	pinned   {{blob}} NOT NULL, -- sealed credential of whose account it is
	dir      TEXT {{bytes}} NOT NULL,
	file     TEXT {{bytes}} NOT NULL, -- locked, or ''
	token    TEXT {{bytes}} NOT NULL,
	at       BIGINT NOT NULL
)`}

// A Store keeps what measuring has shown, for every upstream by its name. All
// methods may be called concurrently, by several processes on one database.
type Store struct {
	db *sqldb.DB
}

// New brings the tables of this room up to date and returns the store.
func New(ctx context.Context, db *sqldb.DB) (*Store, error) {
	if err := db.Migrate(ctx, room, migrations); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return &Store{db: db}, nil
}

//go:embed embedded.json
var embedded []byte

// Embedded are the facts of the embedded server. They need no measuring: a test
// holds it to them.
func Embedded() Facts {
	var f Facts
	if err := json.Unmarshal(embedded, &f); err != nil {
		panic("profile: embedded.json: " + err.Error()) // part of the program
	}
	f.Kind = "embedded"
	return f
}

// Facts are what is known of an upstream, as far as this edition measures it; known
// is false if that is nothing.
func (s *Store) Facts(ctx context.Context, upstream string) (f Facts, known bool, err error) {
	var text string
	err = s.db.Read().QueryRow(ctx, `SELECT facts FROM profile_facts WHERE upstream = ? AND edition = ?`, upstream, int64(edition)).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return Facts{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &f)
	}
	if err != nil {
		return Facts{}, false, fmt.Errorf("profile: reading %s: %w", upstream, err)
	}
	return f, true, nil
}

func (s *Store) put(ctx context.Context, upstream string, f Facts) error {
	text, err := json.Marshal(f)
	if err == nil {
		err = s.db.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `INSERT INTO profile_facts (upstream, edition, server, classes, facts) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (upstream) DO UPDATE SET edition = excluded.edition, server = excluded.server,
					classes = excluded.classes, facts = excluded.facts`,
				upstream, int64(edition), f.Server, f.Classes, string(text))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("profile: keeping %s: %w", upstream, err)
	}
	return nil
}

// Changed reports whether the upstream calls itself otherwise than when f was
// measured, as after an update: by one request.
func Changed(ctx context.Context, v *davbackend.View, f Facts) (bool, error) {
	a, err := v.Raw(ctx, davbackend.Raw{Method: "OPTIONS", Path: dav.Root})
	if err != nil {
		return false, fmt.Errorf("profile: %w", err)
	}
	server, classes := versionOf(a.Header)
	return server != f.Server || classes != f.Classes, nil
}

// Measure measures the upstream of that name through v, keeps the facts and lets v's
// client learn them. pinned is v's sealed credential, by which a folder that a kill
// leaves is removed later. Facts of an account that may only read do not replace
// those of one that may write.
//
// Errors are those of the function [Measure], and [ErrBusy]: somebody else measures.
func (s *Store) Measure(ctx context.Context, upstream string, v *davbackend.View, pinned []byte) (Facts, error) {
	ctx, release, err := s.Claim(ctx, upstream)
	if err != nil {
		return Facts{}, err
	}
	defer release()
	f, err := Measure(ctx, v, s.Scratch(upstream, pinned))
	if err != nil {
		return Facts{}, err
	}
	if f.ReadOnly {
		if old, known, err := s.Facts(ctx, upstream); err != nil || known && !old.ReadOnly {
			return f, err
		}
	}
	if err := s.put(ctx, upstream, f); err != nil {
		return Facts{}, err
	}
	if !f.ReadOnly {
		v.Client().Learn(f.Profile())
	}
	return f, nil
}

// Claim lets the caller alone make folders on the upstream, until release is called; the
// returned context ends before the claim does. It returns [ErrBusy] if somebody else has it.
func (s *Store) Claim(ctx context.Context, upstream string) (bounded context.Context, release func(), err error) {
	until, err := s.claim(ctx, upstream, 0)
	if err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, claimLimit)
	var renewing sync.WaitGroup
	renewing.Go(func() { until = s.keepClaim(bounded, cancel, upstream, until) })
	return bounded, func() {
		cancel()
		renewing.Wait()
		s.unclaim(context.WithoutCancel(ctx), upstream, until)
	}, nil
}

// keepClaim renews a claim that ends at until, and returns when it ends now. lost is called
// if somebody else has it.
func (s *Store) keepClaim(ctx context.Context, lost func(), upstream string, until int64) int64 {
	tick := time.NewTicker(claimFor / 4)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return until
		case <-tick.C:
		}
		next, err := s.claim(ctx, upstream, until)
		if err == nil {
			until, renewed = next, time.Now()
		} else if errors.Is(err, ErrBusy) || time.Since(renewed) > claimFor*3/4 {
			lost()
			return until
		}
	}
}

// claim takes what is free, or renews the claim that ends at mine, and returns when it ends
// now: by that it is told from another's.
func (s *Store) claim(ctx context.Context, upstream string, mine int64) (until int64, err error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("profile: %w", err)
	}
	var n int64
	until = max(sqldb.Millis(now.Add(claimFor)), mine+1)
	err = s.db.Write(ctx, func(tx sqldb.Queryer) (err error) {
		n, err = tx.Exec(ctx, `INSERT INTO profile_claim (upstream, until) VALUES (?, ?)
			ON CONFLICT (upstream) DO UPDATE SET until = excluded.until WHERE profile_claim.until <= ? OR profile_claim.until = ?`,
			upstream, until, sqldb.Millis(now), mine)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("profile: %w", err)
	}
	if n == 0 {
		return 0, ErrBusy
	}
	return until, nil
}

// unclaim lets others measure; should it fail, the claim ends by itself.
func (s *Store) unclaim(ctx context.Context, upstream string, until int64) {
	ctx, cancel := context.WithTimeout(ctx, claimFor)
	defer cancel()
	_ = s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM profile_claim WHERE upstream = ? AND until = ?`, upstream, until)
		return err
	})
}

// Alone ends the claims of processes that have died. To be called at the start of
// the only process that can use the database.
func (s *Store) Alone(ctx context.Context) error {
	err := s.db.Write(ctx, func(tx sqldb.Queryer) error {
		_, err := tx.Exec(ctx, `DELETE FROM profile_claim`)
		return err
	})
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}
