package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	// ErrNotEmpty: what is loaded needs a database without rows. Nothing was changed.
	ErrNotEmpty = errors.New("sqldb: the database is not empty")
	// ErrUnfinished: a load into this database was broken off. It is gone on with by the
	// same load, and the database is good for nothing else until then.
	ErrUnfinished = errors.New("sqldb: a load into this database has not come to its end")
	// ErrDiffers: what was loaded is not what the dump holds. The load is unfinished.
	ErrDiffers = errors.New("sqldb: what was stored is not what was read")
)

// Batches of a load: what one transaction stores.
const (
	loadRows       = 4000
	loadBytes      = 4 << 20
	loadParameters = 12000 // of one statement; SQLite allows 32,766, PostgreSQL 65,535
)

// A Load puts a [Dump] into a database whose rooms have brought their tables up to date.
type Load struct {
	DB *DB
	// Skip are tables that the load does not touch, and that the dump does not have.
	Skip map[string]bool
	// Made are tables into which rooms put rows when they are opened: those are removed.
	Made map[string]bool
	// Again removes what a load has left that was broken off, and begins anew.
	Again bool
	// Last is called when everything is stored and compared, before the database counts as
	// loaded. If it has changed rows and fails, only Again helps. Nil: nothing is.
	Last func(ctx context.Context) error
	// Progress is told how many rows of a table have been stored, or, with checked,
	// compared. Nil: nobody is.
	Progress func(table string, rows int64, checked bool)
}

// Loaded says what a load has done.
type Loaded struct {
	Tables int
	Rows   int64
	Before int64 // rows of these that an earlier try had stored
}

// Read stores the dump and then compares every table with it. It returns
// [ErrBadDump] if the text, which may be hostile, is no whole dump or one of another
// version; [ErrNotEmpty]; [ErrUnfinished] if another load than this was broken off, and
// [ErrDiffers]. A load that was broken off by another error, or by a crash, goes on
// where it was when the same dump is read once more.
func (l *Load) Read(ctx context.Context, r io.Reader) (Loaded, error) {
	d := newDumpReader(r)
	text, err := d.next(ctx)
	if err != nil {
		return Loaded{}, err
	}
	var header dumpHeader
	if err := object(text, "davwopi-state", &header); err != nil {
		return Loaded{}, err
	}
	x := &loading{Load: l, d: d, stored: map[string]int64{}, sums: map[string]dumpSum{}, as: map[string]Table{}, next: map[string]int64{}}
	if err := x.prepare(ctx, header); err != nil {
		return Loaded{}, err
	}
	if err := x.tables(ctx); err != nil {
		return x.done, err
	}
	if err := x.compare(ctx); err != nil {
		return x.done, err
	}
	if l.Last != nil {
		if err := l.Last(ctx); err != nil {
			return x.done, err
		}
	}
	return x.done, x.finish(ctx)
}

// loading is a load under way.
type loading struct {
	*Load
	d      *dumpReader
	all    []Table          // of the database
	stored map[string]int64 // rows that an earlier try has stored
	sums   map[string]dumpSum
	as     map[string]Table // with the columns in the dump's order
	next   map[string]int64
	done   Loaded
}

// prepare checks that the dump is for this database, and marks that it is loaded.
func (x *loading) prepare(ctx context.Context, header dumpHeader) error {
	if header.Version != dumpVersion || header.ID == "" {
		return badDump("version %d; this davwopi reads version %d", header.Version, dumpVersion)
	}
	steps, err := x.DB.Steps(ctx)
	if err != nil {
		return err
	}
	for room, n := range header.Steps {
		if n != steps[room] {
			return badDump("its tables of %q are those of step %d, this davwopi has %d: dump and load with the same version, and update afterwards", room, n, steps[room])
		}
	}
	if x.all, err = x.DB.Tables(ctx); err != nil {
		return err
	}
	if err := x.DB.Write(ctx, func(tx Queryer) error { return x.DB.script(ctx, tx, x.DB.kind.expand(createLoad)) }); err != nil {
		return fmt.Errorf("sqldb: load: %w", err)
	}
	id, done, _, err := x.DB.loadMark(ctx)
	switch {
	case err != nil:
		return err
	case id == "" || done:
		err = x.begin(ctx, header.ID, false)
	case x.Again:
		err = x.begin(ctx, header.ID, true)
	case id != header.ID:
		err = fmt.Errorf("%w, and it was another one (%s)", ErrUnfinished, id)
	default:
		err = x.goOn(ctx)
	}
	return err
}

// goOn reads how far an earlier try has come.
func (x *loading) goOn(ctx context.Context) error {
	err := x.DB.each(ctx, `SELECT name, row_count FROM sqldb_loaded`, nil, func(scan func(...any) error) error {
		var name string
		var n int64
		err := scan(&name, &n)
		x.stored[name] = n
		return err
	})
	if err != nil {
		return fmt.Errorf("sqldb: reading how far a load has come: %w", err)
	}
	err = x.DB.Write(ctx, func(tx Queryer) error {
		for t := range x.Made { // by rooms that were opened for this try
			if x.stored[t] == 0 {
				if _, err := tx.Exec(ctx, `DELETE FROM `+t); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqldb: load: %w", err)
	}
	return nil
}

// begin marks a new load. after: what an earlier one has left is removed.
func (x *loading) begin(ctx context.Context, id string, after bool) error {
	err := x.DB.Write(ctx, func(tx Queryer) error {
		for i := len(x.all) - 1; i >= 0; i-- {
			t := x.all[i].Name
			if x.Skip[t] {
				continue
			}
			if after || x.Made[t] {
				if _, err := tx.Exec(ctx, `DELETE FROM `+t); err != nil {
					return err
				}
				continue
			}
			var n int64
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+t+` LIMIT 1) r`).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%w: there are rows in %s", ErrNotEmpty, t)
			}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sqldb_loaded`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO sqldb_load (one, id, done, sha256) VALUES (1, ?, 0, '')
			ON CONFLICT (one) DO UPDATE SET id = excluded.id, done = 0, sha256 = ''`, id)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotEmpty) {
		err = fmt.Errorf("sqldb: load: %w", err)
	}
	return err
}

// tables reads one table after the other.
func (x *loading) tables(ctx context.Context) error {
	for {
		text, err := x.d.next(ctx)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(text), `{"end":`) {
			return x.d.end(text)
		}
		var about dumpTable
		if err := object(text, "table", &about); err != nil {
			return err
		}
		t, err := x.known(about)
		if err != nil {
			return err
		}
		if err := x.table(ctx, t); err != nil {
			return err
		}
		x.next[t.Name] = about.Next
		x.done.Tables++
		x.done.Rows += x.sums[t.Name].Rows
	}
}

// known is our table of which a dump speaks, with the columns in the dump's order.
func (x *loading) known(about dumpTable) (Table, error) {
	for _, t := range x.all {
		if t.Name != about.Name || x.Skip[t.Name] {
			continue
		}
		if _, twice := x.sums[t.Name]; twice || len(about.Columns) != len(t.Columns) {
			return t, badDump("table %s is there twice, or has %d columns instead of %d", t.Name, len(about.Columns), len(t.Columns))
		}
		mine := t
		mine.Columns = nil
		for _, name := range about.Columns {
			i := t.Index(name)
			if i < 0 || mine.Index(name) >= 0 {
				return t, badDump("table %s has no column %.80q, or twice", t.Name, name)
			}
			mine.Columns = append(mine.Columns, t.Columns[i])
		}
		x.as[t.Name] = mine
		return mine, nil
	}
	return Table{}, badDump("this davwopi has no table %.80q", about.Name)
}

// table reads the rows of t up to its sum, and stores those that are not there yet.
func (x *loading) table(ctx context.Context, t Table) error {
	var sum Sum
	var batch []any
	rows, size := 0, 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		err := x.store(ctx, t, batch, sum.Rows)
		batch, rows, size = batch[:0], 0, 0
		return err
	}
	for {
		text, err := x.d.next(ctx)
		if err != nil {
			return err
		}
		if len(text) > 0 && text[0] != '[' {
			if err := flush(); err != nil {
				return err
			}
			var said dumpSum
			if err := object(text, "sum", &said); err != nil {
				return err
			}
			if said != (dumpSum{sum.Rows, sum.String()}) {
				return badDump("the rows of %s are not those that were written", t.Name)
			}
			x.sums[t.Name] = said
			return nil
		}
		sum.Add(text)
		if sum.Rows <= x.stored[t.Name] {
			x.done.Before++
			continue
		}
		row, err := parseRow(text, t)
		if err != nil {
			return badDump("line %d: %w", x.d.lines, err)
		}
		batch = append(batch, row...)
		rows, size = rows+1, size+len(text)
		if rows == loadRows || size >= loadBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// store writes a batch, the last row of which is the n-th of its table.
func (x *loading) store(ctx context.Context, t Table, batch []any, n int64) error {
	width := len(t.Columns)
	most := max(1, loadParameters/width) * width
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", width), ", ") + ")"
	err := x.DB.Write(ctx, func(tx Queryer) error {
		for rest := batch; len(rest) > 0; {
			take := min(most, len(rest))
			marks := strings.TrimSuffix(strings.Repeat(one+", ", take/width), ", ")
			if _, err := tx.Exec(ctx, `INSERT INTO `+t.Name+` (`+t.names()+`) VALUES `+marks, rest[:take]...); err != nil {
				return err
			}
			rest = rest[take:]
		}
		_, err := tx.Exec(ctx, `INSERT INTO sqldb_loaded (name, row_count) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET row_count = excluded.row_count`, t.Name, n)
		return err
	})
	switch {
	case IsConstraint(err):
		return badDump("%s, rows up to %d: %w", t.Name, n, err)
	case err != nil:
		return fmt.Errorf("sqldb: load: %s: %w", t.Name, err)
	}
	if x.Progress != nil {
		x.Progress(t.Name, n, false)
	}
	return nil
}

// compare reads everything again.
func (x *loading) compare(ctx context.Context) error {
	return x.DB.Snapshot(ctx, func(q Queryer) error {
		for _, t := range x.all {
			if x.Skip[t.Name] {
				continue
			}
			var sum, none Sum
			said, there := x.sums[t.Name]
			if there {
				t = x.as[t.Name]
			} else { // of a room that the dump's state did not have
				said = dumpSum{0, none.String()}
			}
			var text []byte
			err := eachRow(ctx, q, t, func(row []any) (err error) {
				if text, err = appendRow(text[:0], t, row); err != nil {
					return err
				}
				if sum.Add(text); x.Progress != nil && sum.Rows%1000 == 0 {
					x.Progress(t.Name, sum.Rows, true)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("sqldb: comparing %s: %w", t.Name, err)
			}
			if sum.Rows != said.Rows || sum.String() != said.SHA256 {
				return fmt.Errorf("%w: %s has %d rows with sum %.16s, the dump %d with %.16s", ErrDiffers, t.Name, sum.Rows, sum.String(), said.Rows, said.SHA256)
			}
		}
		return nil
	})
}

// finish lets numbers go on and ends the load.
func (x *loading) finish(ctx context.Context) error {
	err := x.DB.Write(ctx, func(tx Queryer) error {
		for _, t := range x.all {
			if err := x.DB.setNext(ctx, tx, t, x.next[t.Name]); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM sqldb_loaded`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE sqldb_load SET done = 1, sha256 = ? WHERE one = 1`, total(x.sums))
		return err
	})
	if err != nil {
		return fmt.Errorf("sqldb: load: %w", err)
	}
	return nil
}
