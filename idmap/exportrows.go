package idmap

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"davwopi/idmap/sqldb"
)

// The rows of an export, as they are in the database; see schema.go.

type upstreamRow struct {
	Num  int64  `json:"num"`
	Name string `json:"name"`
}

type spaceRow struct {
	Num      int64  `json:"num"`
	Upstream int64  `json:"upstream"`
	Root     string `json:"root,omitempty"`
}

type epochRow struct {
	Num   int64  `json:"num"`
	Nonce string `json:"nonce"`
	Began int64  `json:"began"`
}

type resourceRow struct {
	Num          int64  `json:"num"`
	ID           FileID `json:"id"`
	Upstream     int64  `json:"upstream"`
	Home         int64  `json:"home"`
	Kind         Kind   `json:"kind"`
	Died         int64  `json:"died,omitempty"`
	NativeID     string `json:"native_id,omitempty"`
	ResourceID   string `json:"resource_id,omitempty"`
	Stamp        string `json:"stamp,omitempty"`
	StampSerial  int64  `json:"stamp_serial,omitempty"`
	Epoch        int64  `json:"epoch,omitempty"`
	Revision     int64  `json:"revision,omitempty"`
	Version      string `json:"version,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	Top          int64  `json:"top,omitempty"`
	Floor        int64  `json:"floor,omitempty"`
	ETag         string `json:"etag,omitempty"`
	Size         int64  `json:"size"`
	MTime        int64  `json:"mtime,omitempty"`
	SHA256       []byte `json:"sha256,omitempty"`
	Inode        string `json:"inode,omitempty"`
}

type placeRow struct {
	Parent   int64   `json:"parent"`
	Space    SpaceID `json:"space"`
	Name     string  `json:"name,omitempty"`
	Waiting  int64   `json:"waiting,omitempty"`
	Resource int64   `json:"resource"`
	Missing  int64   `json:"missing,omitempty"`
	Seen     int64   `json:"seen,omitempty"`
}

type revisionRow struct {
	Resource     int64  `json:"resource"`
	Number       int64  `json:"number"`
	Version      string `json:"version"`
	LastModified string `json:"last_modified"`
	ETag         string `json:"etag,omitempty"`
	Size         int64  `json:"size"`
	MTime        int64  `json:"mtime,omitempty"`
	SHA256       []byte `json:"sha256,omitempty"`
}

// A carrier carries the rows of one table.
type carrier struct {
	table, columns, order string
	read                  func(*sql.Rows) (any, error)
	values                func(json.RawMessage) ([]any, error) // checked
}

// carry makes a carrier of a struct for rows: fields are its columns, in order.
func carry[T any, P interface {
	*T
	fields() []any
	check() error
}](table, columns, order string) carrier {
	return carrier{
		table: table, columns: columns, order: order,
		read: func(rows *sql.Rows) (any, error) {
			row := P(new(T))
			return row, rows.Scan(row.fields()...)
		},
		values: func(text json.RawMessage) ([]any, error) {
			row := P(new(T))
			d := json.NewDecoder(strings.NewReader(string(text)))
			d.DisallowUnknownFields()
			if err := d.Decode(row); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrBadExport, err)
			}
			if err := row.check(); err != nil {
				return nil, err
			}
			return plain(row.fields()), nil
		},
	}
}

// plain is what pointers to fields point to, as the database wants it.
func plain(fields []any) []any {
	for i, f := range fields {
		switch f := f.(type) {
		case *int64:
			fields[i] = *f
		case *Kind:
			fields[i] = int64(*f)
		case *SpaceID:
			fields[i] = int64(*f)
		case *string:
			fields[i] = *f
		case *FileID:
			fields[i] = string(*f)
		case *optional:
			fields[i] = orNull(string(*f))
		case *[]byte:
			fields[i] = *f
		}
	}
	return fields
}

// An optional is a text that is NULL in the database where it is "".
type optional string

// Scan is for database/sql.
func (o *optional) Scan(v any) error {
	var s sql.NullString
	err := s.Scan(v)
	*o = optional(s.String)
	return err
}

// carriers are the tables of this room that an export carries, by what their lines
// are called; carried is their order.
var (
	carriers = map[string]carrier{
		"upstream": carry[upstreamRow]("idmap_upstream", "num, name", "num"),
		"space":    carry[spaceRow]("idmap_space", "num, upstream, root", "num"),
		"epoch":    carry[epochRow]("idmap_epoch", "num, nonce, began", "num"),
		"resource": carry[resourceRow]("idmap_resource", "num, id, upstream, home, kind, died, native_id, resource_id, stamp, stamp_serial, "+
			"epoch, revision, version, last_modified, top, floor, etag, size, mtime, sha256, inode", "num"),
		"place":    carry[placeRow]("idmap_place", "parent, space, name, waiting, resource, missing, seen", "parent, space, name, waiting"),
		"revision": carry[revisionRow]("idmap_revision", "resource, number, version, last_modified, etag, size, mtime, sha256", "resource, number"),
	}
	carried = []string{"upstream", "space", "epoch", "resource", "place", "revision"}
)

func (r *upstreamRow) fields() []any { return []any{&r.Num, &r.Name} }

func (r *spaceRow) fields() []any { return []any{&r.Num, &r.Upstream, &r.Root} }

func (r *epochRow) fields() []any { return []any{&r.Num, &r.Nonce, &r.Began} }

func (r *resourceRow) fields() []any {
	return []any{&r.Num, &r.ID, &r.Upstream, &r.Home, &r.Kind, &r.Died, (*optional)(&r.NativeID), (*optional)(&r.ResourceID), (*optional)(&r.Stamp),
		&r.StampSerial, &r.Epoch, &r.Revision, &r.Version, &r.LastModified, &r.Top, &r.Floor, &r.ETag, &r.Size, &r.MTime, &r.SHA256, (*optional)(&r.Inode)}
}

func (r *placeRow) fields() []any {
	return []any{&r.Parent, &r.Space, &r.Name, &r.Waiting, &r.Resource, &r.Missing, &r.Seen}
}

func (r *revisionRow) fields() []any {
	return []any{&r.Resource, &r.Number, &r.Version, &r.LastModified, &r.ETag, &r.Size, &r.MTime, &r.SHA256}
}

// ownPart is this room's own part.
type ownPart struct{}

func (ownPart) Knows(is string) bool { _, ok := carriers[is]; return ok }

func (ownPart) Export(ctx context.Context, q sqldb.Queryer, each func(string, any) error) error {
	for _, is := range carried {
		if err := carriers[is].export(ctx, q, func(row any) error { return each(is, row) }); err != nil {
			return err
		}
	}
	return nil
}

func (c carrier) export(ctx context.Context, q sqldb.Queryer, each func(row any) error) error {
	rows, err := q.Query(ctx, `SELECT `+c.columns+` FROM `+c.table+` ORDER BY `+c.order)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := c.read(rows)
		if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (ownPart) Import(ctx context.Context, tx sqldb.Queryer, is string, rows []json.RawMessage) error {
	c := carriers[is]
	var args []any
	for _, text := range rows {
		values, err := c.values(text)
		if err != nil {
			return fmt.Errorf("%s: %w", is, err)
		}
		args = append(args, values...)
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", strings.Count(c.columns, ",")+1), ", ") + ")"
	n, err := tx.Exec(ctx, `INSERT INTO `+c.table+` (`+c.columns+`) VALUES `+strings.TrimSuffix(strings.Repeat(row+", ", len(rows)), ", ")+
		` ON CONFLICT DO NOTHING`, args...)
	if sqldb.IsConstraint(err) {
		return bad("a %s that names what is not there: %w", is, err)
	}
	if err != nil {
		return err
	}
	if n != int64(len(rows)) {
		return bad("the same %s twice", is)
	}
	return nil
}
