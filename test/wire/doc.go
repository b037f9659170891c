// Package wire plays whole editings against the whole bridge in one process, with a
// scripted office on one side and a strict WebDAV server with switches on the other.
//
// # Owns
//
// The tests of DESIGN 12's wire tier: what an editing leaves behind on every kind
// of upstream, after every kind of fault, and how many requests it costs.
//
// # Does not own
//
// The office (test/office), the upstream (test/upstream), the daemon (test/binary).
//
// # How a caller uses it
//
// Nobody calls it. `go test ./test/wire` plays a sample of the faults, with a seed
// that it prints; DAVWOPI_WIRE=all plays all and writes lock files too,
// DAVWOPI_WIRE_SEED=N plays that sample again, DAVWOPI_WIRE_SCENES=N one of another
// size, -short a smaller one.
//
// # Rules one must not break
//
// A test says what a person would find: on the upstream, in the journal, in the
// editor's answers. It looks into the bridge only to count requests and to restart
// it.
//
// # Why it is so
//
//   - 2026-11-20: every fault is played in every step of an editing in which its
//     method occurs at all, found by playing the editing once without a fault; a
//     list by hand would miss the request that somebody adds.
//   - 2026-11-28: every server of the matrix is played as a whole (upstream.Presets),
//     unknown and measured, and every trap that was found on one has a test of its own
//     (traps_test.go): what the bridge must do there, not only that it survives.
//   - 2026-11-20: a process that dies is played by making the rooms anew over the
//     same state. What a kill does to the file system is test/binary's.
package wire
