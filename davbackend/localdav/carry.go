package localdav

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"davwopi/idmap/sqldb"
)

// Identities is what the resource ids of the embedded server rest on, so that they
// can be carried to another state database: the salt, and the files that are known by
// more than what the disk says. It satisfies idmap.Part.
type Identities struct{}

// OpenIdentities makes the tables, if there are none yet.
func OpenIdentities(ctx context.Context, db *sqldb.DB) (Identities, error) {
	if err := db.Migrate(ctx, "localdav", migrations); err != nil {
		return Identities{}, fmt.Errorf("localdav: %w", err)
	}
	return Identities{}, nil
}

const (
	lineInstance = "localdav"
	lineBinding  = "localdav-file"
)

type instanceRow struct {
	Salt string `json:"salt"`
}

type bindingRow struct {
	Folder    string `json:"folder"`
	Device    int64  `json:"device"`
	Inode     int64  `json:"inode"`
	Birth     int64  `json:"birth"`
	ID        string `json:"id"`
	ETag      string `json:"etag,omitempty"`
	MTime     int64  `json:"mtime"`
	CTime     int64  `json:"ctime"`
	Size      int64  `json:"size"`
	NextID    string `json:"next_id,omitempty"`
	NextPlace string `json:"next_place,omitempty"`
}

func (r *bindingRow) fields() []any {
	return []any{&r.Folder, &r.Device, &r.Inode, &r.Birth, &r.ID, &r.ETag, &r.MTime, &r.CTime, &r.Size, &r.NextID, &r.NextPlace}
}

// Knows says which lines are ours.
func (Identities) Knows(is string) bool { return is == lineInstance || is == lineBinding }

// Export calls each for every row: the salt first. It calls it not at all where the
// embedded server was never used.
func (Identities) Export(ctx context.Context, q sqldb.Queryer, each func(is string, row any) error) error {
	if err := export(ctx, q, `SELECT salt FROM localdav_instance`, func() (any, []any) {
		r := new(instanceRow)
		return r, []any{&r.Salt}
	}, func(row any) error { return each(lineInstance, row) }); err != nil {
		return err
	}
	return export(ctx, q, `SELECT folder, `+bindingColumns+` FROM localdav_binding ORDER BY folder, device, inode`, func() (any, []any) {
		r := new(bindingRow)
		return r, r.fields()
	}, func(row any) error { return each(lineBinding, row) })
}

func export(ctx context.Context, q sqldb.Queryer, query string, fresh func() (row any, fields []any), each func(row any) error) error {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("localdav: export: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, fields := fresh()
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("localdav: export: %w", err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Import stores rows of one kind, into a state whose embedded server knows no files
// yet. Any other, and rows that are none of ours, are refused with an error.
func (Identities) Import(ctx context.Context, tx sqldb.Queryer, is string, rows []json.RawMessage) error {
	for _, text := range rows {
		store := importBinding
		if is == lineInstance {
			store = importInstance
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := store(ctx, tx, d); err != nil {
			return fmt.Errorf("localdav: import: %w", err)
		}
	}
	return nil
}

// importInstance takes over the salt. The one that is there was never used for
// anything that would be remembered.
func importInstance(ctx context.Context, tx sqldb.Queryer, d *json.Decoder) error {
	var row instanceRow
	if err := d.Decode(&row); err != nil {
		return err
	}
	const length = 64 // of 32 bytes
	if len(row.Salt) != length || !isHex(row.Salt) {
		return fmt.Errorf("a salt of %d characters", len(row.Salt))
	}
	for _, table := range []string{"localdav_binding", "localdav_property"} {
		var used int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+table+` LIMIT 1) r`).Scan(&used); err != nil {
			return err
		}
		if used > 0 {
			return fmt.Errorf("the embedded server of this state knows files already")
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO localdav_instance (one, salt) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET salt = excluded.salt`, row.Salt)
	return err
}

func importBinding(ctx context.Context, tx sqldb.Queryer, d *json.Decoder) error {
	var r bindingRow
	if err := d.Decode(&r); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO localdav_binding (folder, `+bindingColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Folder, r.Device, r.Inode, r.Birth, r.ID, r.ETag, r.MTime, r.CTime, r.Size, r.NextID, r.NextPlace)
	if err == nil && n == 0 {
		err = fmt.Errorf("inode %d twice", r.Inode)
	}
	return err
}

func (r *bindingRow) check() error {
	const folder, uuid, longest = 32, 36, 4096
	if len(r.Folder) != folder || !isHex(r.Folder) {
		return fmt.Errorf("folder %.50q", r.Folder)
	}
	for _, id := range []string{r.ID, r.NextID} {
		if id != "" && (len(id) != uuid || !isHex(strings.ReplaceAll(id, "-", ""))) || r.ID == "" {
			return fmt.Errorf("resource id %.50q", id)
		}
	}
	for _, text := range []string{r.ETag, r.NextPlace} {
		if len(text) > longest || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("a text of %d bytes", len(text))
		}
	}
	return nil
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
