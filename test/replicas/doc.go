// Package replicas tries several bridges on one state: built daemons, a PostgreSQL of the
// test's own that syncs and may crash, a small proxy that gives every request to the next
// bridge, and a file server.
//
// # Owns
//
// The proxy, the races, the take-overs, and what is measured of several bridges: the
// ratio of their throughput, and what an open document costs the database and the file
// server (see deploy/CAPACITY.md).
//
// # Does not own
//
// How a bridge goes on after a crash (test/torture, which has a mode with two of them),
// how the rooms' stores behave on PostgreSQL (their own suites).
//
// # How it is used
//
// `go test ./test/replicas` plays a short version of everything. `make replicas` plays the
// long ones, which DAVWOPI_TEST_REPLICAS=1 asks for, and `make capacity` measures.
//
// # Why it is so
//
//   - 2026-11-28: A bridge whose clock is wrong is the same program, built with another
//     time.Now (go build -overlay): a static program asks the kernel in a way that nothing
//     outside of it can change, and a clock that tests hand in would be where it was
//     thought of, and not where it was forgotten.
package replicas
