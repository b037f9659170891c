// Package locks is the lock book: who edits which file, on WOPI's side and on the
// upstream's, over time.
//
// # Owns
//
// The WOPI lock of a file and its rules ([Lock]); the DAV lock that shadows it,
// with the keeper that refreshes, takes again and releases it ([Locks.Run]);
// lock files of desktop programs, read and written; editings, their members and
// their base; the lease under which a file is changed ([Lease]); intents, by which
// a crash between the database and the upstream is settled ([Intent]); and the
// operations that are little else than locks and intents: Lock, RefreshLock,
// UnlockAndRelock, Unlock, GetLock, the deeds of RenameFile, DeleteFile,
// RenameContainer and DeleteContainer, and what a browser does to a folder with all that is in it.
//
// # Does not own
//
// Contents: how a save reaches the upstream, what is compared with the base and
// what becomes of a conflict is in saves. Who may do what is in access; headers and
// statuses are in endpoint; how WebDAV is spoken is in davbackend.
//
// # How a caller uses it
//
//	book, err := locks.New(ctx, locks.Locks{DB: db, IDs: ids, Upstreams: upstreams, Respect: true})
//	go book.Run(ctx)
//	err = book.Lock(ctx, target, actor, id) // *MismatchError is WOPI's 409
//
// A save asks [Locks.MayWrite] before it reads a body, spools, takes the [Lease],
// asks [Locks.Permit], writes, and records with [Locks.SetBase]:
//
//	x, err := book.Lease(ctx, target.File.ID, "put", patience)
//	defer x.Release()
//	permit, err := book.Permit(ctx, x, target, actor, id)
//	intent, err := book.Intend(ctx, x, locks.Intent{Kind: "put", ...})
//	// x.Check before each step that cannot be undone
//	err = book.SetBase(ctx, x, permit.Editing.ID, revision)
//	err = book.Done(ctx, intent)
//
// # Rules one must not break
//
//   - The row in the database is the truth among WOPI clients; the DAV lock only
//     keeps others out. Nothing here is cached.
//   - Rules are pure and told the time; the time is the database's.
//   - Every change of a row is a compare-and-swap by its serial. Whoever has asked
//     the upstream in between looks again.
//   - A nonce is stored before LOCK is sent, the token before WOPI is answered.
//     Only a DAV lock that shows a nonce or token of ours is adopted or released.
//   - No transaction is held while the upstream is asked.
//   - A DAV lock is given back under the file's lease, and a row that has one is
//     not taken over while somebody else holds the lease.
//   - A lock ID is a key: it is in no error and in no log.
//
// # Why it is so
//
//   - 2026-11-20: the row `taking` makes Lock's own intent: rivals must see it, and
//     wait for its outcome. The intents "lock" and "unlock" stand for DAV locks that
//     no row has any more: after a taking that failed without an answer, a
//     take-over, a move.
//   - 2026-11-20: after Unlock a late PutFile gets the DAV lock only, in a row that
//     is `releasing` from the start. Were the WOPI lock taken again, nobody would
//     ever release it, and who opens the file again at once would be refused.
//   - 2026-11-20: the first accepted GetFile decides the base, and later ones do
//     not move it: a second window, or a look at what was changed outside, must not
//     let the first one's save overwrite it. Where it errs, a conflict copy is
//     made, and nothing lost.
//   - 2026-11-20: an ID of this or the last editing, while somebody else holds the
//     file, is a [SupersededError] and not a plain mismatch: the bytes of the exit
//     save are the only copy. Microsoft's made-up IDs, by which it asks who holds
//     the lock, were never held here and get the plain 409.
//   - 2026-11-20: GetLock of a file that something else locks is 409 with an empty
//     X-WOPI-Lock. An invented ID would be legal, and would be used as OldLock.
//   - 2026-11-20: on servers other than the embedded one Lock spends its third trip
//     on a look at what it has locked, and leaves the long refresh to the keeper's
//     next pass: Apache answers 200 to a LOCK of nothing, others make an empty file,
//     which would pass for an edit of the file that was renamed a moment before.
//   - 2026-11-20: a DAV lock that is taken again during a save asks for a minute
//     too, and the keeper for the rest: somebody waits for the save.
//   - 2026-11-20: serials of leases are made from the clock, so that they grow even
//     when an old row was swept away.
//   - 2026-11-28: lock files of ours have lines of their own (locks_announced), written
//     before the file is and removed after it. They were a column of the lock row
//     before, and whatever failed after the row was gone left a lock file for ever.
//   - 2026-11-28: 423 to UNLOCK says nothing by itself: OpenCloud says so to an unknown
//     token, others while they are busy. It is tried again until the lock has run out.
//   - 2026-11-28: a file of which a save waits is pinned by a line of its own
//     (locks_waiting), written and removed in the journal's transactions. Were it the
//     row's phase alone, a release or an expiry in between would forget it.
//   - 2026-11-28: a refused MOVE is looked at like one without an answer: a proxy that
//     sends it twice gets a refusal for what it has done.
//   - 2026-11-28: a container is moved with the leases of the locked files below it,
//     whose DAV locks and lock files are taken back before and made anew after: no
//     server is known to take both along. Other people's locks are a reason to refuse,
//     not to carry: their editors would save into a folder that they did not move.
//   - 2026-11-28: for the same reason the evidence of a container is its IDs, or that it
//     is there: its ETag and time are those of what is in it.
//   - 2026-11-29: The leases of a process are renewed by one transaction (renewals.go). With
//     one for each, two hundred saves that waited for the embedded server, whose every
//     change waits for its turn with the database, renewed their leases all the time, and
//     each change waited for all the renewals: two changes a second, and after a minute the
//     saves gave up and began anew. Seen in the torture under load: 67 of 200 documents
//     could not be saved within five minutes, and held their locks.
//   - 2026-11-28: Apache binds a lock to the account that took it and answers 403 to
//     everybody else, with its token too (measured, 2.4). A 403 never lends another's
//     credential to a write; the lock passes to whoever saves instead: given back as its
//     taker, taken with the writer's own, who has been seen to write beside the file.
package locks
