package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"davwopi/bridge/saves"
	"davwopi/config"
	"davwopi/idmap/sqldb"
)

// carryProgress tells a person how far a load is: on a terminal in one line, elsewhere now
// and then.
type carryProgress struct {
	w     io.Writer
	shown time.Time
	begun time.Time
}

func (p *carryProgress) show(table string, rows int64, checked bool) {
	now := time.Now()
	if p.begun.IsZero() {
		p.begun, p.shown = now, now
	}
	pause, form := 10*time.Second, "%s %s: %d rows\n"
	if isTerminal(p.w) {
		pause, form = 300*time.Millisecond, "\r%-10s %-24s %12d rows "
	}
	if now.Sub(p.shown) < pause {
		return
	}
	p.shown = now
	what := "storing"
	if checked {
		what = "comparing"
	}
	fmt.Fprintf(p.w, form, what, table, rows)
}

func (p *carryProgress) end() {
	if !p.begun.IsZero() && isTerminal(p.w) {
		fmt.Fprintln(p.w)
	}
}

// holdState keeps daemons off the directory while a command works on its state.
func holdState(c *config.Config) (release func() error, err error) {
	if !c.State.Shared() {
		return func() error { return nil }, nil // opening the database does it
	}
	if err := makeState(c.State.Dir); err != nil {
		return nil, err
	}
	return sqldb.Hold(filepath.Join(c.State.Dir, "daemon"))
}

// export writes the whole state to a new file, compressed if its name ends with .gz; - is
// standard output. The file is whole and durable, or not there.
func (k *call) export(ctx context.Context, c *config.Config, to string) error {
	if to == "-" {
		left, err := exportState(ctx, c, k.stdout)
		sayLeft(k.stderr, left)
		return err
	}
	var left []string
	size, err := k.newFile(to, "export", packed(to, func(w io.Writer) (err error) {
		left, err = exportState(ctx, c, w)
		return err
	}), nil)
	if err != nil {
		return err
	}
	sayLeft(k.stdout, left)
	fmt.Fprintf(k.stdout, "%s: %s. The secret key is not in it.\n", to, size)
	return nil
}

func exportState(ctx context.Context, c *config.Config, w io.Writer) (left []string, err error) {
	release, err := holdState(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	where, err := databaseOf(c)
	if err != nil {
		return nil, err
	}
	if !c.State.Shared() {
		if err := settleRestore(c.State.Dir, time.Now()); err != nil {
			return nil, err
		}
		if _, err := os.Stat(where); err != nil {
			return nil, fmt.Errorf("there is no state to export: %w", err)
		}
	}
	db, err := openDatabase(ctx, where)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := makeTables(ctx, db); err != nil {
		return nil, err
	}
	if err := nobodyElse(ctx, db, journalOf(c.State.Dir)); err != nil {
		return nil, err
	}
	carrier, err := saves.NewCarrier(ctx, db, journalOf(c.State.Dir), c.Saves.Dir)
	if err != nil {
		return nil, err
	}
	dump := &sqldb.Dump{DB: db, ID: rand.Text(), Skip: notCarried(), Change: carrier.Change, More: carrier.More}
	_, err = dump.Write(ctx, w)
	return carrier.Left, err
}

// importState puts what export wrote into a state without rows, SQLite or PostgreSQL. It
// counts as restored from a backup: what was exported may have been gone on with.
func (k *call) importState(ctx context.Context, c *config.Config, from string, again bool) error {
	told := &carryProgress{w: k.stderr}
	in := io.ReadCloser(io.NopCloser(os.Stdin))
	if from != "-" {
		var err error
		if in, err = openExport(from, &progress{w: io.Discard}); err != nil {
			return err
		}
	}
	done, err := loadState(ctx, c, in, again, told.show)
	told.end()
	if err = errors.Join(err, in.Close()); err != nil {
		return withAdvice(err)
	}
	fmt.Fprintf(k.stdout, "%d rows of %d tables are in the state; all were read again and compared\n", done.Rows, done.Tables)
	k.afterRestore(c)
	return nil
}

func loadState(ctx context.Context, c *config.Config, in io.Reader, again bool, told func(string, int64, bool)) (done sqldb.Loaded, err error) {
	if err := makeState(c.State.Dir); err != nil {
		return done, err
	}
	release, err := holdState(c)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, release()) }()
	where, err := databaseOf(c)
	if err != nil {
		return done, err
	}
	if !c.State.Shared() {
		if err := errors.Join(settleRestore(c.State.Dir, time.Now()), notMoved(c.State.Dir)); err != nil {
			return done, err
		}
	}
	journal := journalOf(c.State.Dir)
	if err := os.MkdirAll(journal, 0o700); err != nil {
		return done, err
	}
	db, err := openTarget(ctx, where, c.State.Dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	load := &sqldb.Load{DB: db, Skip: notCarried(), Made: madeByOpening(), Again: again, Progress: told,
		Last: func(ctx context.Context) error { return markRestored(ctx, db, journal) }}
	return load.Read(ctx, in)
}
