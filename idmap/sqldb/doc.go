// Package sqldb opens the state database: one SQLite file, or PostgreSQL when
// several bridges share their state. It owns the connections, the transactions,
// the clock and the order of migrations.
//
// It does not own a table of any room: every room hands in its own migrations
// and its own queries. It knows nothing of WebDAV or WOPI.
//
// # How a caller uses it
//
// [Open] once per process, [DB.Migrate] once per room, then [DB.Read] for single
// queries and [DB.Write] for everything that changes something, or [DB.WriteUnsynced]
// where a power cut may take it back. Queries are
// written once, in the SQL that SQLite and PostgreSQL share, with `?` for
// arguments; ON CONFLICT, RETURNING and WITH RECURSIVE are in both.
//
// # Rules
//
//   - The function given to [DB.Write] may run more than once: it has no effects
//     but those on the database and on variables that it sets anew each time. The
//     databases of sqldbtest run it twice.
//   - It never calls [DB.Write] itself: SQLite has one writer, it would wait for
//     itself. It returns every error it gets: PostgreSQL has given the
//     transaction up by then. A violation that is expected is avoided with
//     ON CONFLICT.
//   - Errors are wrapped with %w, or [DB.Write] cannot see that it should try again.
//   - Rows are closed before the next statement of the same transaction, because
//     a connection of PostgreSQL does one thing at a time.
//   - No bool and no time.Time in a column: BIGINT, and [Millis]. No NUL in TEXT.
//   - An argument that PostgreSQL cannot give a type from its surroundings is
//     written CAST(? AS BIGINT).
//
// # Security considerations
//
// Whoever can write to the database is trusted: IDs, locks and grants are what it
// says. The SQLite file is made with mode 0600.
//
// # Why it is so
//
//   - 2026-11-20: SQLite by modernc.org/sqlite: pure Go, and its commits are
//     several times faster than those of a B+tree file with one fsync per page
//     chain. PostgreSQL by pgx, because a tree needs unique(parent, name), and a
//     lock needs compare-and-swap, in one transaction.
//   - 2026-11-20: synchronous(FULL). A file ID that was given out and forgotten
//     by a power cut breaks an open document for good.
//   - 2026-11-20: One writer connection and BEGIN IMMEDIATE instead of retries
//     on SQLITE_BUSY; writers queue in the process, in order. On PostgreSQL every
//     write transaction is serializable and tried again, so that a room's code is
//     the same for both.
//   - 2026-11-20: A lock file beside the SQLite file keeps a second daemon out.
//     SQLite itself would let it in, and two lock keepers would fight.
//   - 2026-11-28: Who migrates waits for a row, not for a table lock, and everything else
//     is done by serializable transactions: no advisory lock, no LISTEN, no LOCK TABLE, so
//     that another database may speak PostgreSQL's protocol here.
//   - 2026-11-28: A dump is a text of rows that either database reads, and a load is many
//     transactions that can be gone on with: one transaction of ten million rows would
//     have to begin anew after every fault. Two databases sort text differently, so that
//     tables are compared by a sum in which the order of rows does not count.
//   - 2026-11-29: [DB.WriteUnsynced] beside Write, not less syncing for all: of the nine
//     transactions of a save three have to be durable at once, and the log keeps their
//     order. Not on PostgreSQL, where it would save the same (synchronous_commit): a
//     bridge that lives on would hold leases that the database has forgotten.
//   - 2026-11-29: Statements on the writer's connection are prepared once, and short ones
//     do not watch their context: each of the two took as long as the statement itself.
//   - 2026-11-20: No SQLite on network file systems: WAL needs shared memory, and
//     their locks are promises.
package sqldb
