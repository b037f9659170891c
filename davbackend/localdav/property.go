package localdav

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"

	"davwopi/idmap/sqldb"
)

// Bounds of dead properties. More is 507.
const (
	maxProperties    = 256       // of one resource
	maxPropertyName  = 1024      // bytes of namespace and of local name
	maxPropertyValue = 128 << 10 // bytes of XML
	maxPropertyTotal = 1 << 20   // bytes of one resource's values
)

// A property is a dead one (RFC 4918 4): kept as it came.
type property struct {
	name  xml.Name
	lang  string
	value string // XML with its namespaces declared
}

// properties returns the dead properties of ids, in the order of their names.
func (st *state) properties(ctx context.Context, q sqldb.Queryer, ids ...string) (map[string][]property, error) {
	out := map[string][]property{}
	for part := range slices.Chunk(ids, batch) {
		in, args := sqldb.In(part)
		if err := st.queryProperties(ctx, q, out, `id IN `+in, args); err != nil {
			return nil, fmt.Errorf("localdav: reading properties: %w", err)
		}
	}
	return out, nil
}

func (st *state) queryProperties(ctx context.Context, q sqldb.Queryer, out map[string][]property, where string, args []any) error {
	rows, err := q.Query(ctx, `SELECT id, space, local, lang, value FROM localdav_property
		WHERE folder = ? AND `+where+` ORDER BY id, space, local`, append([]any{st.folder}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var p property
		if err := rows.Scan(&id, &p.name.Space, &p.name.Local, &p.lang, &p.value); err != nil {
			return err
		}
		out[id] = append(out[id], p)
	}
	return rows.Err()
}

func (st *state) setProperty(ctx context.Context, tx sqldb.Queryer, id string, p property) error {
	_, err := tx.Exec(ctx, `INSERT INTO localdav_property (folder, id, space, local, lang, value) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (folder, id, space, local) DO UPDATE SET lang = excluded.lang, value = excluded.value`,
		st.folder, id, p.name.Space, p.name.Local, p.lang, p.value)
	if err != nil {
		return fmt.Errorf("localdav: storing a property: %w", err)
	}
	return nil
}

func (st *state) removeProperty(ctx context.Context, tx sqldb.Queryer, id string, name xml.Name) error {
	_, err := tx.Exec(ctx, `DELETE FROM localdav_property WHERE folder = ? AND id = ? AND space = ? AND local = ?`,
		st.folder, id, name.Space, name.Local)
	if err != nil {
		return fmt.Errorf("localdav: removing a property: %w", err)
	}
	return nil
}

// replaceProperties makes props all that id has.
func (st *state) replaceProperties(ctx context.Context, tx sqldb.Queryer, id string, props []property) error {
	if _, err := tx.Exec(ctx, `DELETE FROM localdav_property WHERE folder = ? AND id = ?`, st.folder, id); err != nil {
		return fmt.Errorf("localdav: removing properties: %w", err)
	}
	for _, p := range props {
		if err := st.setProperty(ctx, tx, id, p); err != nil {
			return err
		}
	}
	return nil
}

// mergeProperties gives to the properties of from, which win over its own.
func (st *state) mergeProperties(ctx context.Context, tx sqldb.Queryer, from, to string) error {
	all, err := st.properties(ctx, tx, from)
	if err != nil {
		return err
	}
	for _, p := range all[from] {
		if err := st.setProperty(ctx, tx, to, p); err != nil {
			return err
		}
	}
	return nil
}
