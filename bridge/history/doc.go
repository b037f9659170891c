// Package history remembers what happened to each document, for people.
//
// # Owns
//
// A table of events: what, when, who, and how often in a row. For each document the newest
// [Kept] of them, for no longer than [Age].
//
// # Does not own
//
// Who may see them: whoever can see the document, which its caller asks. What is true of
// locks and saves: an event is what was seen, a line of a diary and no evidence. It is not
// an audit log either, for the log is.
//
// # How a caller uses it
//
// [New] once, [History.Add] after something has happened, [History.Of] for a document's
// page, [History.Clean] now and then.
//
// # Rules
//
//   - Adding never makes what has happened fail: the caller logs an error and goes on.
//   - Names of people stand in it as they were then.
//
// # Why it is so
//
//   - 2026-11-28 Saves by the same person within [Together] are one event with a count: an
//     editor that saves every minute would push everything else out.
//   - 2026-11-28 A table of its own, filled by what the endpoints and pages report, and no
//     reading of the tables of locks and saves: those forget what they need no more.
package history
