package sqldb

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
)

// maxStatements bounds the texts that are kept; rooms have far fewer.
const maxStatements = 512

// statements keeps what was made of each query's text: for PostgreSQL the
// rebound text (pgx prepares by itself), for SQLite the prepared statement,
// because parsing costs SQLite more than a look-up by key does.
type statements struct {
	kind dialect
	read *sql.DB

	mu       sync.RWMutex
	rebound  map[string]string    // guarded by mu
	prepared map[string]*sql.Stmt // guarded by mu; on read
	written  map[string]*sql.Stmt // guarded by mu; on the writer's connection
}

func newStatements(kind dialect, read *sql.DB) *statements {
	return &statements{kind: kind, read: read, rebound: map[string]string{}, prepared: map[string]*sql.Stmt{}, written: map[string]*sql.Stmt{}}
}

// text is query as the database wants it.
func (s *statements) text(query string) string {
	if s.kind == dialectSQLite {
		return query
	}
	s.mu.RLock()
	t, ok := s.rebound[query]
	s.mu.RUnlock()
	if ok {
		return t
	}
	t = rebind(query)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rebound) < maxStatements {
		s.rebound[query] = t
	}
	return t
}

// reader returns the prepared form of query on the readers' side, nil if it has
// none. That query is wrong will show when it is run unprepared.
func (s *statements) reader(ctx context.Context, query string) *sql.Stmt {
	if s.kind != dialectSQLite {
		return nil
	}
	s.mu.RLock()
	st, n := s.prepared[query], len(s.prepared)
	s.mu.RUnlock()
	if st != nil || n >= maxStatements {
		return st
	}
	st, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.prepared[query]; other != nil {
		st.Close()
		return other
	}
	s.prepared[query] = st
	return st
}

// writer returns the prepared form of query on the writer's side, nil if it has none.
func (s *statements) writer(query string) *sql.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.written[query]
}

// prepareWriter prepares query for the transactions to come. That it is wrong shows when
// it is run.
func (s *statements) prepareWriter(ctx context.Context, write *sql.DB, query string) {
	s.mu.RLock()
	full := len(s.written) >= maxStatements
	s.mu.RUnlock()
	if full {
		return
	}
	st, err := write.PrepareContext(ctx, query)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written[query] != nil {
		st.Close()
		return
	}
	s.written[query] = st
}

// Statements are the texts that SQLite has prepared so far, of both sides: for tests that
// look at their plans. Of PostgreSQL there are none.
func (db *DB) Statements() []string {
	s := db.stmts
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Concat(slices.Collect(maps.Keys(s.prepared)), slices.Collect(maps.Keys(s.written)))
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range []map[string]*sql.Stmt{s.prepared, s.written} {
		for _, st := range all {
			st.Close()
		}
		clear(all)
	}
}
