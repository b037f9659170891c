package saves

import (
	"strings"
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// TestPlans: who opens a file, or saves it, reads none of the pre-images that are kept of it
// but the one that it is after. There may be ten thousand.
func TestPlans(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "zero")
	o := g.open("a.txt", wopi.Collabora)
	for _, body := range []string{"one", "two", "three"} {
		o.mustPut(body)
	}
	if _, err := g.saves.Waiting(t.Context(), o.target.File.ID); err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, query := range g.db.Statements() {
		if !strings.Contains(query, "FROM saves_entry") && !strings.HasPrefix(query, "UPDATE saves_entry") || strings.Contains(query, "SUM(size)") {
			continue // or counts them, now and then
		}
		looked++
		for _, step := range g.plan(query) {
			if strings.Contains(step, " saves_entry ") && !strings.Contains(step, "(file=? AND state=?") && !strings.Contains(step, "(id=?)") {
				t.Errorf("%s: %s", step, query)
			}
		}
	}
	if looked < 6 {
		t.Errorf("looked at %d queries", looked)
	}
}

// plan is how SQLite goes about a query.
func (g *rig) plan(query string) (steps []string) {
	g.t.Helper()
	rows, err := g.db.Read().Query(g.t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		g.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			g.t.Fatal(err)
		}
		steps = append(steps, step+" ")
	}
	if err := rows.Err(); err != nil {
		g.t.Fatal(err)
	}
	return steps
}
