package access

import (
	"context"
	"strings"

	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// People tells whose the members of editings are ([Grant.Member] keys), as far as their
// grants are still there.
func (t *Tokens) People(ctx context.Context, members []string) (map[string]oauth.Principal, error) {
	byGrant := make(map[string][]string, len(members))
	var ids []string
	for _, key := range members {
		id, _, _ := strings.Cut(key, ":")
		if !oauth.IsID(id) {
			continue
		}
		if byGrant[id] == nil {
			ids = append(ids, id)
		}
		byGrant[id] = append(byGrant[id], key)
	}
	out := make(map[string]oauth.Principal, len(members))
	for len(ids) > 0 {
		n := min(len(ids), 200)
		if err := t.people(ctx, ids[:n], byGrant, out); err != nil {
			return nil, wrap("people", err)
		}
		ids = ids[n:]
	}
	return out, nil
}

func (t *Tokens) people(ctx context.Context, ids []string, byGrant map[string][]string, out map[string]oauth.Principal) error {
	in, args := sqldb.In(ids)
	rows, err := t.db.Read().Query(ctx, `SELECT id, principal FROM access_grant WHERE id IN `+in, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		p, err := oauth.DecodePrincipal(text)
		if err != nil {
			return err
		}
		for _, key := range byGrant[id] {
			out[key] = p
		}
	}
	return rows.Err()
}
