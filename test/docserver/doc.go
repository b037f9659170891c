// Package docserver plays ONLYOFFICE's document server in tests, on the wire.
//
// # Owns
//
// A [Server] with api.js, the command service, conversion, the store of forgotten saves
// and the results of saves; the [Editor] of one person at one document, which joins, types,
// saves and leaves as browsers make the real one do.
//
// # Does not own
//
// The WOPI side of ONLYOFFICE (test/office), the pages of a bridge, anything that a
// release needs.
//
// # How a caller uses it
//
// Start a bridge whose editor is [Server.URL] with [Server.Secret]; take the configuration
// of its page and call [Server.Open].
//
// # Rules one must not break
//
// It verifies what is sent to it and signs what it sends by itself, with nothing of the
// bridge's. Statuses come in the order of reference/onlyoffice.md, a failed one is tried
// again as it is there, and what nobody takes is forgotten.
//
// # Why it is so
//
//   - 2026-11-28: pauses between repeats are a hundredth of the real ones (1, 2, 4 s).
//   - 2026-11-28: contents are plain texts. What a document is does not matter here.
package docserver
