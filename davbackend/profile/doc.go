// Package profile finds out what an upstream really does, by trying it.
//
// # Owns
//
// The measuring ([Measure]), what it has shown ([Facts]), the choice of how saves and
// locks treat the upstream ([Facts.Profile]), the store of both ([Store]) with the
// folders that a killed measuring has left ([Store.Tidy]).
//
// # Does not own
//
// Requests and their errors (davbackend), whose credential is used and when it is
// measured (cmd), the words for people (bridge/doctor).
//
// # How a caller uses it
//
//	store, err := profile.New(ctx, db)
//	facts, known, err := store.Facts(ctx, "main")
//	facts, err = store.Measure(ctx, "main", view, pinned) // and view's client learns it
//	err = store.Tidy(ctx, open)                            // what a kill has left
//
// # Rules one must not break
//
//   - What a server says of itself decides nothing alone: its name only says which
//     column to compare with, and one measured cell that differs makes it unknown.
//   - No upload is broken off on purpose: some servers lose the file.
//   - All happens in one folder with a name that nobody else uses, written down
//     before it is made, and removed whatever happens.
//   - What could not be found out is "", and counts as the careful answer.
//
// # Why it is so
//
//   - 2026-11-28: whether a server replaces a file in one step cannot be measured
//     without breaking an upload off. A slow upload with a look in the middle refutes
//     it, but a buffering proxy hides the refutation; so "in place" needs both, a
//     server that is known to do it and a look that saw the old contents.
//   - 2026-11-28: some seventy requests instead of the twenty that were planned: every
//     right answer needs its wrong one beside it (an upstream may refuse everything),
//     and each write before a condition needs a look for the present ETag. It is once
//     for each server version and in the background.
//   - 2026-11-28: the file's name has a space, because dav-ext for nginx compares tags
//     undecoded: what works for plain names only would be found by a user instead.
//   - 2026-11-28: privileges (RFC 3744) are believed if they allow what the measuring has
//     just done. A server that denies it, says nothing, or leaves out that who sees the
//     set may read, is not asked again: a wrong no would lock people out, a wrong yes is
//     refused by the server itself.
package profile
