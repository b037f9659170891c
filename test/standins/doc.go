// Package standins plays the editors of others in a browser: their pages in the frame of a
// host page, on an origin of their own, with the servers behind them.
//
// # Owns
//
// The pages that stand in for Collabora Online, ONLYOFFICE Docs and Microsoft's editors; the
// documents that are open in them; and their dialogues with a host page, as files in
// dialogues/, in which every message has its source. A message that is in no file, comes
// too early, or is not as the file says, fails the test, whoever says it.
//
// # Does not own
//
// WOPI as these editors' servers speak it (test/office), the browser (test/browser), the
// daemon (test/daemon).
//
// # How a caller uses it
//
// Start one with [New], give the daemon its URL, and work in the frame as a person would: the
// parts of the page have the IDs that page/editor.html shows.
//
// # Rules
//
//   - An editor speaks to the daemon from its server only, with the token that the host page
//     posted, or that the page has handed on since.
//   - It does what was seen of the real one (reference: the comments in document.go), also
//     where that is awkward.
//   - Its page speaks to PostMessageOrigin and hears nobody else.
//
// # Why it is so
//
//   - 2026-11-28 Dialogues are lines of text and not code: whoever compares them with a new
//     version of an editor reads them beside its source.
package standins
