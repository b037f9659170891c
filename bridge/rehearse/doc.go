// Package rehearse plays whole editings on an upstream, in a folder of its own, with
// a stranger who writes, renames and deletes in between and with answers that get
// lost, and says what became of the bytes.
//
// # Owns
//
// The scenes ([Rehearsal.Play]) and what they have shown ([Report]), kept with the
// date for doctor.
//
// # Does not own
//
// What is rehearsed: it calls the rooms that do it for editors (locks, saves, idmap),
// with their own rules and journal. What an upstream does by itself is profile's.
//
// # How a caller uses it
//
//	r, err := rehearse.New(ctx, rehearse.Rehearsal{DB: db, IDs: ids, Locks: book, Saves: journal, Upstreams: ups, Profiles: store})
//	report, err := r.Play(ctx, "main", principal)
//	last, known, err := r.Last(ctx, "main")
//
// # Rules one must not break
//
//   - Everything happens in one folder that is written down before it is made
//     (profile.Store), and nothing outside it is touched.
//   - A scene says what it saw, never what should be. Bytes that are nowhere are
//     "lost", whoever is to blame.
//   - The stranger is another WebDAV program with the same account: it shows no lock
//     token, because it has none.
//
// # Why it is so
//
//   - 2026-11-28: it uses the daemon's own rooms on the real database instead of
//     copies of its own: a rehearsal on another stage would prove another play. Its
//     files get IDs like all others and are reported deleted at the end.
//   - 2026-11-28: an upload is broken off here, though never by profile: it hits a
//     document of ours whose contents are known, and what saves makes of it is the
//     point.
package rehearse
