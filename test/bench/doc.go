// Package bench measures what DESIGN.md 13 promises: of the IDs, with millions of
// files in the map.
//
// It owns the making of a large map, the percentiles and RESULTS.md. It does not own
// the small benchmarks of the rooms, which lie beside their code.
//
// # How a caller uses it
//
//	make bench                                        # all, small
//	DAVWOPI_BENCH_FILES=10000000 DAVWOPI_BENCH_DIR=/var/tmp/bench \
//		go test -run '^$' -bench . -count 5 -timeout 0 ./test/bench
//
// The map is kept in the directory and used again. Nothing here fails because
// something is slow: it reports, and RESULTS.md says on which machine.
package bench
