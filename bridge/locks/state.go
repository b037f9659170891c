package locks

import (
	"context"
	"fmt"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// batch is how many files one query asks for.
const batch = 200

// foreignFresh is how long a foreign lock that was met is worth mentioning.
const foreignFresh = 10 * time.Minute

// state is what r, which may be nil, says to people.
func (r *row) state(now time.Time) State {
	if r == nil {
		return State{}
	}
	s := State{Lock: r.wopi(now), Foreign: r.holder, Holder: r.actor, Since: r.since}
	if r.phase == held || r.phase == kept {
		s.Shadow = Shadow{Path: r.path, Token: r.token, Until: r.granted, Lost: r.lost}
	}
	if s.Lock.ID == "" {
		s.Holder, s.Since = Actor{}, time.Time{}
	}
	return s
}

// shadowToken is the token to show on the upstream, "" if it was lost.
func (r *row) shadowToken() dav.LockToken {
	if r.lost {
		return ""
	}
	return r.token
}

// State is what is known about the file's lock and editing.
func (l *Locks) State(ctx context.Context, f idmap.FileID) (State, error) {
	all, err := l.States(ctx, []idmap.FileID{f})
	return all[f], err
}

// States is [Locks.State] for many files, as for a page of a listing. Files about
// which nothing is known are left out.
func (l *Locks) States(ctx context.Context, f []idmap.FileID) (map[idmap.FileID]State, error) {
	now, err := l.now(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[idmap.FileID]State)
	for len(f) > 0 {
		n := min(len(f), batch)
		if err := l.states(ctx, f[:n], out, now); err != nil {
			return nil, err
		}
		f = f[n:]
	}
	return out, nil
}

func (l *Locks) states(ctx context.Context, f []idmap.FileID, out map[idmap.FileID]State, now time.Time) error {
	in, args := sqldb.In(f)
	rows, err := l.rows(ctx, `WHERE file IN `+in, args...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		out[r.file] = r.state(now)
	}
	if err := l.addEditings(ctx, `file IN `+in, args, out); err != nil {
		return err
	}
	if len(f) == 1 && out[f[0]].Lock.ID != "" {
		return nil // as for every save: who else was met does not count then
	}
	return l.addForeign(ctx, in, args, out, now)
}

// rows reads lock rows by a condition.
func (l *Locks) rows(ctx context.Context, where string, args ...any) ([]*row, error) {
	q, err := l.DB.Read().Query(ctx, `SELECT file, `+rowColumns+` FROM locks_row `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("locks: reading rows: %w", err)
	}
	defer q.Close()
	var all []*row
	for q.Next() {
		r, err := scanRow(q.Scan)
		if err != nil {
			return nil, fmt.Errorf("locks: reading rows: %w", err)
		}
		all = append(all, r)
	}
	return all, q.Err()
}

// addEditings adds the live editings.
func (l *Locks) addEditings(ctx context.Context, where string, args []any, out map[idmap.FileID]State) error {
	q, err := l.DB.Read().Query(ctx, `SELECT `+editingColumns+` FROM locks_editing WHERE ended = 0 AND `+where+` ORDER BY id`, args...)
	if err != nil {
		return fmt.Errorf("locks: reading editings: %w", err)
	}
	defer q.Close()
	for q.Next() {
		e, err := scanEditing(q.Scan)
		if err != nil {
			return err
		}
		s := out[e.File]
		s.Editing = &e.Editing
		out[e.File] = s
	}
	return q.Err()
}

// addForeign adds who else was met at files that we do not hold.
func (l *Locks) addForeign(ctx context.Context, in string, args []any, out map[idmap.FileID]State, now time.Time) error {
	q, err := l.DB.Read().Query(ctx, `SELECT file, holder, program, since FROM locks_foreign WHERE at > ? AND file IN `+in,
		append([]any{sqldb.Millis(now.Add(-foreignFresh))}, args...)...)
	if err != nil {
		return fmt.Errorf("locks: reading foreign locks: %w", err)
	}
	defer q.Close()
	for q.Next() {
		var file string
		var met Outside
		var since int64
		if err := q.Scan(&file, &met.Holder, &met.Program, &since); err != nil {
			return fmt.Errorf("locks: reading foreign locks: %w", err)
		}
		s := out[idmap.FileID(file)]
		if s.Lock.ID == "" {
			met.Since = sqldb.FromMillis(since)
			s.Foreign, s.Met = met.Holder, &met
			out[idmap.FileID(file)] = s
		}
	}
	return q.Err()
}

// List returns every lock row, oldest first, for the "open now" page and
// `davwopi locks`.
func (l *Locks) List(ctx context.Context) ([]Row, error) {
	now, err := l.now(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := l.rows(ctx, `ORDER BY since, file`)
	if err != nil {
		return nil, err
	}
	states := make(map[idmap.FileID]State)
	if err := l.addEditings(ctx, `file IN (SELECT file FROM locks_row)`, nil, states); err != nil {
		return nil, err
	}
	out := make([]Row, 0, len(rows))
	for _, r := range rows {
		s := r.state(now)
		s.Editing = states[r.file].Editing
		out = append(out, Row{File: r.file, Space: r.space, Upstream: r.upstream, Phase: r.phase.String(), State: s})
	}
	return out, nil
}
