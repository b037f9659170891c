// Package office plays the part of the office in tests, on the wire.
//
// # Owns
//
// A [Client] that sends the operations of the files endpoint as Microsoft's,
// Collabora's and ONLYOFFICE's servers send them, signed if it has keys; a
// [Session] that goes through their order of requests for one editing; an
// [Editor], the HTTP server with the discovery document that a bridge asks.
//
// # Does not own
//
// Microsoft's own cases (test/conform), the storage (test/upstream), anything
// that a release needs.
//
// # How a caller uses it
//
// Start a bridge whose editors are [Editor.URL]; open a file to get WOPISrc and
// access token; make a [Client] with [Editor.Client] and talk.
//
// # Rules one must not break
//
// A double lives on the wire: nothing of the bridge is called but over HTTP.
// A Client judges nothing. It returns what was answered, and the test says
// whether that is right. An error of a Client means that there was no answer.
//
// # Why it is so
//
//   - 2026-11-20: the order of requests and the headers are those observed on
//     real servers; where an office sends less than WOPI allows, so do we.
//   - 2026-11-20: keys have 1,024 bits. They live for a second, and every test
//     makes its own.
package office
