// Package saves is the save journal: it takes the bytes of a PutFile, makes them
// durable, brings them to the upstream by the way which that upstream allows,
// looks whether they are there, and only then lets go of them.
//
// # It owns
//
// The files in STATE/saves, or the pieces in the database or the files on a shared
// volume that stand for them, and the rows that describe them; the choice between
// writing in place, writing beside and moving, and sending in chunks; conflict copies, pre-images and
// what a crash left of any of them. It also makes new files (PutRelativeFile,
// upload), because a new file is lost as easily as a save; and the bodies of uploads that
// come in pieces ([Saves.Begin], [Saves.Append], [Saves.Whole]).
//
// # It does not own
//
// Locks, editings and leases (bridge/locks), revisions and the strings that name
// them (idmap), credentials (bridge/access), and what an editor is told: it
// returns errors, and bridge/endpoint answers.
//
// # How a caller uses it
//
// [New] once, [Saves.Recover] before the first request, [Saves.Run] beside the
// server. Then [Saves.Put] for PutFile, [Saves.Create] and [Saves.Overwrite] for
// everything that makes or replaces a file without a lock. All may be called
// concurrently; for one file they take turns by its operation lease.
//
// # Rules
//
//   - No failure after the spool discards the body. An entry leaves the journal
//     when its bytes were seen on the upstream after the lease, when a newer save of
//     the same editing is verified, when a person drops it, or after seven days.
//   - What lies on the upstream is written over only if the editing started from it
//     or wrote it; else it stays, or is copied first.
//   - The row is changed before the upstream is, never after: a row that says
//     "MOVE sent" may be wrong, one that does not say it is right.
//   - A row is changed by compare-and-swap on state and lease serial. Who loses has
//     been taken over, and writes nothing more anywhere.
//   - A temporary file on the upstream is removed only if its MOVE was never sent, or
//     its entry is verified or dropped and the target is there. One that may be there
//     all the same, or come only later, is litter: removed until it has been gone for a while.
//   - What waits was acknowledged, and only this directory has it: it leaves the state
//     `waiting` when it was seen on the upstream, when a copy beside the file has it,
//     when a newer save that rests on it is acknowledged, or when a person drops it. What
//     is `aside` is as safe, but no contents of the file: only a copy beside it ends it.
//   - Bytes in the database mean nothing before the row, which counts them; they go in
//     the row's transaction. What never got a row goes after an hour.
//   - An entry is worked on by the bridge that its row names (store) and by no other,
//     until that has been silent for 20 s; then whoever can read the bytes takes it over.
//     On a person's word it is taken over at once, unless a request may be at work on it.
//   - Bytes that are acknowledged and cannot be read from here are an error, and never a
//     reason to show older ones.
//   - A file in STATE/saves is removed before its row, so that a crash between the two
//     never leaves a spool that nobody knows.
//
// # Why it is so
//
//   - 2026-11-20: The spool's name holds the file ID, and its row is written after
//     it. A row first would cost one more commit per save, to gain only what
//     recovery can read from the name.
//   - 2026-11-20: The rows are the intents of this room. A put, create or conflict
//     copy is described by its entry alone, whichever bridge finishes it.
//   - 2026-11-20: Always written, never skipped. DESIGN 7.8 allows to skip a save of
//     equal bytes where ETags see edits within a second; the gain is one PUT, the
//     price a branch on which a save is not on the wire.
//   - 2026-11-20: Once the body is spooled, the request's cancellation is ignored. An
//     editor that hangs up has no use for half an upload, and its user has one for
//     a whole one. Time is bounded by the patience and by the upstream client's
//     progress limit.
//   - 2026-11-20: A PUT into place that broke off is recognised by its contents: a
//     strict prefix of what we sent. That is ours to repair; everything else that
//     differs from what was there before is somebody's.
//   - 2026-11-28: Chunks are sent after the look, not before it as a temp is: their
//     last request has the ETag in its condition, and a Nextcloud over an object store
//     shows another size of the file while parts of it arrive. Each attempt has a folder
//     of its own, because a server may go on assembling after a gateway gave up.
//   - 2026-11-28: A waiting save has its revision at once, with the evidence of what lies
//     beneath it on the upstream: looking there makes no further revision, an outside
//     change does, and delivery needs no other proof than the number.
//   - 2026-11-28: What does not rest on the newest known contents would be a conflict, of
//     which an absent upstream cannot keep a copy: it waits in a state of its own, with
//     strings of its own, and readers go on seeing the file.
//   - 2026-11-28: While one save of a file waits, the next is asked one PROPFIND before
//     it waits too: who saves on in an outage is not kept for the patience each time.
//   - 2026-11-28: Bytes in the database are rows of 1 MiB, not large objects: those are not
//     in the dump of a schema, and other engines that speak PostgreSQL's protocol lack them.
//   - 2026-11-28: Bridges say every 5 s that they are alive, instead of a lease on each entry:
//     one row, however many saves wait. Who was asleep loses the entry by compare-and-swap.
//   - 2026-11-29: A save whose file somebody else works on for longer than the patience
//     waits without the lease (behind.go). It is sound because one transaction asks the lock
//     rule, finds no newer save of the editing, sees what the bytes rest on, issues the
//     revision over exactly that, makes it the base, pins the file and changes the entry by
//     compare-and-swap; nothing goes upstream but under a lease, later, in the order of num.
//     The holder meets it where it writes: an older save that lands afterwards records
//     itself, but not as the base, does not end what it did not know of, and answers with
//     the newer one's strings; a delivery lets those rest on it that its last transaction
//     sees; giving the lock back, taking it and beginning a deletion ask in their own
//     transactions whether the file was pinned, and look again; a rename does not matter,
//     since delivery asks where the file is; a deletion that had begun leaves a recovered
//     copy; who slept has lost its lease to the delivery. A holder that died is settled
//     before what waits behind it. What the bytes do not rest on makes them wait for a place
//     beside the file, but not before a few looks: the holder may be between writing a
//     revision and writing down whose it is.
//   - 2026-11-29: What waits is never kept waiting by our own lock. The DAV lock is that of
//     whoever took it, and some servers let nobody else use it; their credential may be
//     none any more. It is handed over as in a save in time, or the bytes go without it:
//     the server refuses them as long as it is there, and nobody is asked to sign in for
//     somebody else.
//   - 2026-11-20: The previous save's spool becomes the pre-image of the next instead
//     of a GET: the bytes are here already, and their hash is known.
package saves
