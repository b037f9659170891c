package sqldb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// A dump is a text of lines, so that it can be looked into without this program:
//
//	{"davwopi-state":{"version":1,"id":"...","steps":{"idmap":5,...}}}
//	{"table":{"name":"idmap_upstream","columns":["num","name"],"next":2}}
//	[1,"main"]
//	{"sum":{"rows":1,"sha256":"..."}}
//	...
//	{"end":{"lines":17,"sha256":"..."}}
//
// Each table comes after those that its rows refer to. The sum of a table is that of
// [Sum]; that of the end is of all lines above it, so that a text that was cut or changed
// is known.
const dumpVersion = 1

// maxDumpLine bounds one line, in bytes: a piece of a save has 1 MiB.
const maxDumpLine = 16 << 20

type dumpHeader struct {
	Version int            `json:"version"`
	ID      string         `json:"id"` // of this dump
	Made    int64          `json:"made"`
	Steps   map[string]int `json:"steps"`
}

type dumpTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Next    int64    `json:"next,omitempty"` // what the {{serial}} column gives out next
}

type dumpSum struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

type dumpEnd struct {
	Lines  int64  `json:"lines"`
	SHA256 string `json:"sha256"`
}

// A Dump is everything in a database at one point. What a room keeps elsewhere it can
// put in: Change and More may be nil.
type Dump struct {
	DB *DB
	ID string // names this dump; see [Load]
	// Skip are tables that are not carried.
	Skip map[string]bool
	// Change is shown every row before it is written, and may change it, or leave it out
	// (false).
	Change func(t Table, row []any) bool
	// More adds rows behind those of a table.
	More func(ctx context.Context, t Table, add func(row []any) error) error
	// Progress is told how many rows of a table have been written, now and then. Nil: nobody is.
	Progress func(table string, rows int64)
}

// Write streams the dump, and returns the sum of what is in its tables, by which two dumps
// are compared. Its memory does not grow with the number of rows. Errors of w and of the
// database are wrapped.
func (d *Dump) Write(ctx context.Context, w io.Writer) (sum string, err error) {
	tables, err := d.DB.Tables(ctx)
	if err != nil {
		return "", err
	}
	header := dumpHeader{Version: dumpVersion, ID: d.ID}
	if header.Steps, err = d.DB.Steps(ctx); err != nil {
		return "", err
	}
	now, err := d.DB.Now(ctx)
	if err != nil {
		return "", err
	}
	header.Made = Millis(now)
	out := &dumper{Dump: d, w: bufio.NewWriterSize(w, 256<<10), whole: sha256.New(), sums: map[string]dumpSum{}}
	err = out.line("davwopi-state", header)
	if err == nil {
		err = d.DB.Snapshot(ctx, func(q Queryer) error {
			for _, t := range tables {
				if d.Skip[t.Name] {
					continue
				}
				if err := out.table(ctx, q, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		err = out.line("end", dumpEnd{Lines: out.lines, SHA256: hex.EncodeToString(out.whole.Sum(nil))})
	}
	if err == nil {
		err = out.w.Flush()
	}
	if err != nil {
		return "", fmt.Errorf("sqldb: dump: %w", err)
	}
	return total(out.sums), nil
}

// total is the sum of the sums of all tables.
func total(sums map[string]dumpSum) string {
	var whole Sum
	for name, s := range sums {
		whole.Add([]byte(name + " " + s.SHA256))
	}
	return whole.String()
}

type dumper struct {
	*Dump
	w     *bufio.Writer
	whole hash.Hash
	lines int64
	sums  map[string]dumpSum
	text  []byte // of the last row; used again
}

func (o *dumper) line(is string, v any) error {
	text, err := json.Marshal(map[string]any{is: v})
	if err != nil {
		return err
	}
	return o.write(text)
}

func (o *dumper) write(text []byte) error {
	if len(text) >= maxDumpLine {
		return fmt.Errorf("a row of %d bytes", len(text))
	}
	o.lines++
	o.whole.Write(text) // never fails
	o.whole.Write([]byte{'\n'})
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.w.WriteByte('\n')
}

func (o *dumper) table(ctx context.Context, q Queryer, t Table) error {
	about := dumpTable{Name: t.Name, Columns: strings.Split(t.names(), ", ")}
	var err error
	if about.Next, err = o.DB.next(ctx, q, t); err != nil {
		return err
	}
	if err := o.line("table", about); err != nil {
		return err
	}
	var sum Sum
	add := func(row []any) (err error) {
		if o.text, err = appendRow(o.text[:0], t, row); err != nil {
			return err
		}
		if sum.Add(o.text); o.Progress != nil && sum.Rows%1000 == 0 {
			o.Progress(t.Name, sum.Rows)
		}
		return o.write(o.text)
	}
	err = eachRow(ctx, q, t, func(row []any) error {
		if o.Change != nil && !o.Change(t, row) {
			return nil
		}
		return add(row)
	})
	if err == nil && o.More != nil {
		err = o.More(ctx, t, add)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if o.Progress != nil {
		o.Progress(t.Name, sum.Rows)
	}
	o.sums[t.Name] = dumpSum{sum.Rows, sum.String()}
	return o.line("sum", o.sums[t.Name])
}

// eachRow calls f for every row of t, in the order of its key. The row is f's until it
// returns.
func eachRow(ctx context.Context, q Queryer, t Table, f func(row []any) error) error {
	order := strings.Join(t.Key, ", ")
	if order == "" {
		order = t.names()
	}
	rows, err := q.Query(ctx, `SELECT `+t.names()+` FROM `+t.Name+` ORDER BY `+order)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]any, len(t.Columns))
	into := make([]any, len(row))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range t.Columns {
			row[i] = normal(row[i], c.Kind)
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// normal is v as its column declares it: SQLite keeps what it was given.
func normal(v any, kind ColumnKind) any {
	switch got := v.(type) {
	case []byte:
		if kind == Text {
			return string(got)
		}
		if got == nil {
			return []byte{} // the driver's way to say that there are none; NULL is nil itself
		}
	case string:
		if kind == Blob {
			return []byte(got)
		}
	}
	return v
}

// next is the number that the {{serial}} column of t gives out next; 0 if it has none.
func (db *DB) next(ctx context.Context, q Queryer, t Table) (int64, error) {
	if t.Serial == "" {
		return 0, nil
	}
	query, args := `SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = ?), 0) + 1`, []any{t.Name}
	if db.kind == dialectPostgres {
		var sequence string
		if err := q.QueryRow(ctx, `SELECT pg_get_serial_sequence(?, ?)`, t.Name, t.Serial).Scan(&sequence); err != nil {
			return 0, fmt.Errorf("numbering of %s: %w", t.Name, err)
		}
		query, args = `SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM `+sequence, nil
	}
	var n int64
	if err := q.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("numbering of %s: %w", t.Name, err)
	}
	return n, nil
}

// setNext makes the {{serial}} column of t go on with n, or behind its largest number.
func (db *DB) setNext(ctx context.Context, tx Queryer, t Table, n int64) error {
	if t.Serial == "" {
		return nil
	}
	var last int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(`+t.Serial+`), 0) FROM `+t.Name).Scan(&last); err != nil {
		return err
	}
	n = max(n, last+1)
	if db.kind == dialectPostgres {
		var set int64
		return tx.QueryRow(ctx, `SELECT setval(pg_get_serial_sequence(?, ?), CAST(? AS BIGINT), false)`, t.Name, t.Serial, n).Scan(&set)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, t.Name); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, t.Name, n-1)
	return err
}

// ErrBadDump: what was to be loaded is no whole and sound dump for this program.
var ErrBadDump = errors.New("sqldb: not a sound dump of a state")

func badDump(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBadDump, fmt.Errorf(format, args...))
}

// A dumpReader reads lines and sums them up.
type dumpReader struct {
	r     *bufio.Reader
	whole hash.Hash
	lines int64
}

func newDumpReader(r io.Reader) *dumpReader {
	return &dumpReader{r: bufio.NewReaderSize(r, 256<<10), whole: sha256.New()}
}

// next is the next line, without its end; it is the caller's until the next call.
func (d *dumpReader) next(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text, err := d.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		text = bytes.Clone(text)
		for errors.Is(err, bufio.ErrBufferFull) && len(text) < maxDumpLine {
			var more []byte
			more, err = d.r.ReadSlice('\n')
			text = append(text, more...)
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, badDump("it ends before its end")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, badDump("line %d is longer than %d bytes", d.lines+1, maxDumpLine)
	case err != nil:
		return nil, fmt.Errorf("sqldb: reading a dump: %w", err)
	}
	if !bytes.HasPrefix(text, []byte(`{"end":`)) { // rows begin with a bracket, and it comes once
		d.lines++
		d.whole.Write(text)
	}
	return text[:len(text)-1], nil
}

// object decodes a line that says is.
func object(text []byte, is string, into any) error {
	var line map[string]json.RawMessage
	if err := json.Unmarshal(text, &line); err != nil || len(line) != 1 || line[is] == nil {
		return badDump("%.80q where a %q should be", text, is)
	}
	d := json.NewDecoder(bytes.NewReader(line[is]))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badDump("%s: %w", is, err)
	}
	return nil
}

// end checks what follows the last line.
func (d *dumpReader) end(text []byte) error {
	var end dumpEnd
	if err := object(text, "end", &end); err != nil {
		return err
	}
	if end.Lines != d.lines || end.SHA256 != hex.EncodeToString(d.whole.Sum(nil)) {
		return badDump("it was cut or changed: %d lines, it should have %d", d.lines, end.Lines)
	}
	switch _, err := d.r.ReadByte(); {
	case err == nil:
		return badDump("something follows its end")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("sqldb: reading a dump: %w", err)
	}
	return nil
}
