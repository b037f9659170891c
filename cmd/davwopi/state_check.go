package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/saves"
	"davwopi/config"
	"davwopi/idmap/sqldb"
)

// A stateReport is what `davwopi state check` has found.
type stateReport struct {
	Database string   `json:"database"` // what it is, and how far its clock is ahead
	Rooms    int      `json:"rooms"`    // whose tables are there
	Bridges  int      `json:"bridges"`  // alive, on a shared database
	Entries  int      `json:"entries"`  // of the save journal
	Waiting  int      `json:"waiting"`
	Bytes    int64    `json:"bytes"`
	Away     int      `json:"elsewhere"` // entries whose bytes are with another bridge
	Faults   []string `json:"faults"`
}

// clockTolerance is how far a database's clock may be from this machine's before it is
// worth a word. Nothing depends on it but what people read.
const clockTolerance = 30 * time.Second

// errStateFaults ends a check that has found something.
var errStateFaults = errors.New("the state is not in order")

// checkState asks the daemon, or looks itself where none runs.
func (k *call) checkState(ctx context.Context, c *config.Config, asJSON bool) error {
	var r stateReport
	err := bridge.Ask(ctx, socketOf(c), "check-state", struct{}{}, &r)
	if errors.Is(err, bridge.ErrNoDaemon) {
		r, err = checkStopped(ctx, c)
	}
	if err != nil {
		return err
	}
	if asJSON {
		err = k.printJSON(r)
	} else {
		r.print(k.stdout)
	}
	if err == nil && len(r.Faults) > 0 {
		err = errStateFaults
	}
	return err
}

func (r stateReport) print(w io.Writer) {
	fmt.Fprintf(w, "database      %s\ntables        of %d rooms\n", r.Database, r.Rooms)
	if r.Bridges > 0 {
		fmt.Fprintf(w, "bridges       %d alive\n", r.Bridges)
	}
	fmt.Fprintf(w, "save journal  %d entries, %d of them waiting, %s; %d with another bridge\n", r.Entries, r.Waiting, inBytes(r.Bytes), r.Away)
	for _, f := range r.Faults {
		fmt.Fprintln(w, "WRONG        ", f)
	}
	if len(r.Faults) == 0 {
		fmt.Fprintln(w, "everything is in order")
	}
}

// checkStopped looks at a state on which no daemon of this directory runs.
func checkStopped(ctx context.Context, c *config.Config) (r stateReport, err error) {
	where, err := databaseOf(c)
	if err != nil {
		return r, err
	}
	if !c.State.Shared() {
		if _, err := os.Stat(where); err != nil {
			return r, fmt.Errorf("there is no state: %w", err)
		}
	}
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return lookAtState(ctx, c, db)
}

// examineState is the daemon's side.
func (h *house) examineState(ctx context.Context, _ struct{}) (stateReport, error) {
	return lookAtState(ctx, h.config, h.db)
}

func lookAtState(ctx context.Context, c *config.Config, db *sqldb.DB) (stateReport, error) {
	r := stateReport{Faults: []string{}}
	fault := func(err error) bool {
		if err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
		return err != nil
	}
	about, err := db.About(ctx)
	if err != nil {
		return r, err
	}
	r.Database = about.Engine
	if db.Shared() {
		r.Database = fmt.Sprintf("%s, its clock is %v ahead of this machine's", about.Engine, about.Ahead)
	}
	if about.Syncs != "" {
		fault(fmt.Errorf("%s: what was acknowledged may be gone after a power cut", about.Syncs))
	}
	if about.Ahead.Abs() > clockTolerance {
		fault(fmt.Errorf("the clocks of the database and of this machine are %v apart: locks and leases go by the first alone, but times that people see do not agree", about.Ahead.Abs()))
	}
	steps, err := db.Steps(ctx)
	if err != nil {
		return r, err
	}
	r.Rooms = len(steps)
	if fault(db.Sound(ctx)) || fault(db.Unfinished(ctx)) || fault(newerRooms(ctx, db)) || steps["saves"] == 0 {
		return r, nil // nobody should look further, or nothing was kept yet
	}
	if r.Bridges, err = saves.Alive(ctx, db); err != nil {
		return r, err
	}
	e, err := saves.Examine(ctx, db, journalOf(c.State.Dir), c.Saves.Dir)
	if err != nil {
		return r, err
	}
	r.Entries, r.Waiting, r.Bytes, r.Away = e.Entries, e.Waiting, e.Bytes, e.Elsewhere
	r.Faults = append(r.Faults, e.Bad...)
	return r, nil
}
