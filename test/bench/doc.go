// Package bench measures what DESIGN.md 13 promises: operations beside the bare request
// to the same server, by turns in one run; large documents; a thousand open ones; long
// listings; the IDs, with millions of files in the map.
//
// It owns the load generator, the wire with latency, the percentiles, and RESULTS.md,
// which table writes out of the lines of benchmarks in results. It does not own the
// small benchmarks of the rooms, which lie beside their code.
//
// # How a caller uses it
//
//	make bench                           # all, some 40 minutes; writes RESULTS.md
//	make bench PARTS="load soak"         # or large, listing, ids, rooms
//	make bench PARTS=ids FILES=10000000  # needs 4 GiB
//	QUICK=1 make bench                   # to try it out
//	DAVWOPI_BENCH_PROFILES=/tmp make bench PARTS=soak # and Go's profiles
//	go test -run '^$' -bench Load/apache -benchtime 1x ./test/bench
//
// DAVWOPI_BENCH_SOAK_DOCUMENTS and DAVWOPI_BENCH_SOAK_MINUTES are 1000 and 10.
//
// # Rules one must not break
//
// Nothing here fails because something is slow: it reports, and RESULTS.md says on
// which machine. It does fail if an operation does not do what it says: the tests look
// at the generator itself, and the benchmarks whether the server has the last saves.
//
// # Why it is so
//
//   - 2026-11-29: the turns are blocks of all desks at once, first through the daemon and
//     then past it, and the next time the other way round. Mixed, each would have the
//     other's load.
//   - 2026-11-29: requests to the server are counted by the daemon itself, so that they can
//     be told for the embedded server, too. TestLoad compares that with a server's log.
package bench
