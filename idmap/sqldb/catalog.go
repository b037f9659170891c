package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Table is one table of a room, as the database describes it.
type Table struct {
	Name    string
	Columns []Column // in the order in which they were made
	Key     []string // columns of the primary key, in its order
	Serial  string   // the {{serial}} column, "" if there is none
	after   []string // tables that its rows refer to
}

// A Column is of type BIGINT, TEXT or {{blob}}.
type Column struct {
	Name string
	Kind ColumnKind
}

// ColumnKind is what a column holds, besides NULL.
type ColumnKind int

// The kinds.
const (
	Number ColumnKind = iota // int64
	Text                     // string, UTF-8
	Blob                     // []byte
)

// Index is the place of a column among t's, -1 if there is none of that name.
func (t Table) Index(column string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
}

func (t Table) names() string {
	var all []string
	for _, c := range t.Columns {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}

// own is the prefix of the tables of this room, which are not carried.
const own = "sqldb_"

// Tables are the tables of all rooms, each after those that its rows refer to.
func (db *DB) Tables(ctx context.Context) ([]Table, error) {
	read := db.sqliteTables
	if db.kind == dialectPostgres {
		read = db.postgresTables
	}
	all, err := read(ctx)
	if err == nil {
		all, err = inOrder(all)
	}
	if err != nil {
		return nil, fmt.Errorf("sqldb: reading which tables there are: %w", err)
	}
	return all, nil
}

// Steps are how many steps of its migrations each room has seen.
func (db *DB) Steps(ctx context.Context) (map[string]int, error) {
	steps := map[string]int{}
	there, err := db.has(ctx, "sqldb_step")
	if err != nil || !there {
		return steps, err
	}
	err = db.each(ctx, `SELECT room, MAX(step) FROM sqldb_step GROUP BY room`, nil, func(scan func(...any) error) error {
		var room string
		var n int
		err := scan(&room, &n)
		steps[room] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqldb: reading the steps of migrations: %w", err)
	}
	return steps, nil
}

// Strangers are the rooms that have tables here, and are neither among those that this
// process has brought up to date nor among known: a newer program has made them.
func (db *DB) Strangers(ctx context.Context, known ...string) ([]string, error) {
	steps, err := db.Steps(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range steps {
		if _, ours := db.rooms.Load(name); !ours && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// has reports whether there is a table of that name.
func (db *DB) has(ctx context.Context, table string) (bool, error) {
	q := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?`
	if db.kind == dialectPostgres {
		q = `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?`
	}
	var n int64
	if err := db.Read().QueryRow(ctx, q, table).Scan(&n); err != nil {
		return false, fmt.Errorf("sqldb: looking for a table: %w", err)
	}
	return n > 0, nil
}

// each calls f for every row.
func (db *DB) each(ctx context.Context, query string, args []any, f func(scan func(...any) error) error) error {
	rows, err := db.Read().Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (db *DB) sqliteTables(ctx context.Context) ([]Table, error) {
	var all []Table
	err := db.each(ctx, `SELECT name, CASE WHEN sql LIKE '%AUTOINCREMENT%' THEN 1 ELSE 0 END FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name`, nil, func(scan func(...any) error) error {
		var t Table
		var serial bool
		err := scan(&t.Name, &serial)
		if serial {
			t.Serial = "?" // its key, which is read below
		}
		all = append(all, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := db.sqliteColumns(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (db *DB) sqliteColumns(ctx context.Context, t *Table) error {
	keys := map[int]string{}
	err := db.each(ctx, `SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid`, []any{t.Name}, func(scan func(...any) error) error {
		var name, kind string
		var key int
		err := scan(&name, &kind, &key)
		t.Columns = append(t.Columns, Column{name, kindOf(kind)})
		if key > 0 {
			keys[key] = name
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range len(keys) {
		t.Key = append(t.Key, keys[i+1])
	}
	if t.Serial != "" {
		t.Serial = t.Key[0]
	}
	return db.each(ctx, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, []any{t.Name}, func(scan func(...any) error) error {
		t.after = append(t.after, "")
		return scan(&t.after[len(t.after)-1])
	})
}

// kindOf reads a type as either database calls it.
func kindOf(name string) ColumnKind {
	switch strings.ToUpper(name) {
	case "BIGINT", "INTEGER":
		return Number
	case "BLOB", "BYTEA", "BYTES":
		return Blob
	}
	return Text
}

// postgresTables asks the information schema, which every database has that speaks
// PostgreSQL's protocol.
func (db *DB) postgresTables(ctx context.Context) ([]Table, error) {
	var all []Table
	at := map[string]int{}
	err := db.each(ctx, `SELECT c.table_name, c.column_name, c.data_type, c.is_identity FROM information_schema.columns c
		JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE'
		WHERE c.table_schema = current_schema() ORDER BY c.table_name, c.ordinal_position`, nil, func(scan func(...any) error) error {
		var table, column, kind, identity string
		if err := scan(&table, &column, &kind, &identity); err != nil {
			return err
		}
		if _, known := at[table]; !known {
			at[table] = len(all)
			all = append(all, Table{Name: table})
		}
		t := &all[at[table]]
		t.Columns = append(t.Columns, Column{column, kindOf(kind)})
		if identity == "YES" {
			t.Serial = column
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = db.each(ctx, `SELECT k.table_name, k.column_name FROM information_schema.key_column_usage k
		JOIN information_schema.table_constraints c ON c.constraint_schema = k.constraint_schema AND c.constraint_name = k.constraint_name AND c.table_name = k.table_name
		WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_schema = current_schema() ORDER BY k.table_name, k.ordinal_position`, nil, func(scan func(...any) error) error {
		var table, column string
		err := scan(&table, &column)
		all[at[table]].Key = append(all[at[table]].Key, column)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, db.each(ctx, `SELECT DISTINCT c.table_name, u.table_name FROM information_schema.table_constraints c
		JOIN information_schema.constraint_column_usage u ON u.constraint_schema = c.constraint_schema AND u.constraint_name = c.constraint_name
		WHERE c.constraint_type = 'FOREIGN KEY' AND c.table_schema = current_schema() ORDER BY 1, 2`, nil, func(scan func(...any) error) error {
		var table, other string
		err := scan(&table, &other)
		all[at[table]].after = append(all[at[table]].after, other)
		return err
	})
}

// inOrder puts each table behind those that it refers to, and leaves out our own.
func inOrder(all []Table) ([]Table, error) {
	all = slices.DeleteFunc(all, func(t Table) bool { return strings.HasPrefix(t.Name, own) })
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	var sorted []Table
	placed := map[string]bool{}
	for len(all) > 0 {
		i := slices.IndexFunc(all, func(t Table) bool {
			return !slices.ContainsFunc(t.after, func(other string) bool { return other != t.Name && !placed[other] })
		})
		if i < 0 {
			return nil, fmt.Errorf("table %s refers to itself by way of others", all[0].Name)
		}
		placed[all[i].Name] = true
		sorted = append(sorted, all[i])
		all = slices.Delete(all, i, i+1)
	}
	return sorted, nil
}
