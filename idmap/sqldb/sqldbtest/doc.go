// Package sqldbtest gives tests the state databases that a release supports.
//
// It owns the PostgreSQL server that a test process starts for itself: on a unix
// socket in a temporary directory, without a network port. It does not own what
// is in the databases; every test gets an empty one.
//
// # How a caller uses it
//
// A test of a store wraps its body in [Each], and it runs on SQLite and on
// PostgreSQL. Where PostgreSQL is not installed that half is skipped by name.
// A test that only needs some database takes [New], one of what only SQLite has
// [SQLite].
//
// # Rules
//
// Nothing outlives the test process: the server is a child of a shell that waits
// for the end of a pipe whose other end only the test process holds, so even a
// killed test binary takes the server and its directory with it.
//
// # Why it is so
//
//   - 2026-11-20: A real server and no imitation, because what differs is exactly
//     serialization failures, types and collation.
//   - 2026-11-20: A schema per test and not a database, which costs 50 times more
//     to make.
package sqldbtest
