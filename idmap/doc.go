// Package idmap gives upstream resources names that last.
//
// An office addresses a file by a file ID that must survive edits, renames and
// moves of the file or of any folder above it, and be the same for every person.
// A path does none of that. This package owns the pairing of IDs and places, the
// evidence by which a file is known again, and the strings that name a file's
// contents towards an office (Version, LastModifiedTime).
//
// It does not own files, rights or locks: whether a person may see a file is
// decided by the person's own PROPFIND, before its result comes here. It talks to
// an upstream only through [Finder], in [Map.Find], [Map.See], [Map.SeeAll],
// [Map.SeeMembers] and [Batches.See].
//
// # How a caller uses it
//
// [New] once per process. [Map.Space] names a root; [Map.At] and [Map.AtAll] turn
// what a PROPFIND showed into entries with IDs; [Map.Find] turns an ID back into
// the resource. What we do ourselves is recorded by [Map.Made], [Map.Wrote],
// [Map.Moved] and [Map.Deleted] right after the upstream has confirmed it. Whoever may
// write a file marks it: [Map.NextStamp] and [Map.Stamped].
//
// # Rules
//
//   - What is given to [Map.At] was seen just now, by the credential of the
//     person who asks. Never a remembered resource.
//   - A place has at most one file, and a file at most one place per space. A file
//     that has to give way to another keeps its ID and waits to be found.
//   - An ID never changes its kind, and never comes to mean another file.
//   - An ID that died answers [ErrNotFound]. Only the same native id or
//     resource-id revives it.
//   - A Version or LastModified string of a file is never given to other contents
//     of it. See [Revision].
//   - The root of a space keeps its ID, and evidence is never recorded for it.
//
// # Why it is so
//
//   - 2026-11-20: The tree is by parent, not by path: a folder with a million files
//     below it is renamed by one row. A path is put together by one recursive query.
//   - 2026-11-20: "Missing" belongs to a place and not to a file: one person may
//     lose sight of a shared file while another still edits it. Only death is the
//     file's.
//   - 2026-11-20: A file that gave way keeps a row at its old place, marked as
//     waiting, so that what lies below a folder stays with the folder, and so that
//     the place can still be told to the operator.
//   - 2026-11-20: The present revision lies in the resource's own row, older ones in
//     a table of their own: a folder that is listed and never edited costs two rows
//     per file.
//   - 2026-11-20: The same resource-id may be recorded for two live files (hard
//     links). The known place ranks first, so that each keeps its own ID once a
//     listing has shown both; before that, a sight of one takes the ID along.
//   - 2026-11-20: At writes nothing if nothing changed (once an hour it notes that
//     the file was seen): CheckFileInfo must not cost an fsync.
//   - 2026-11-20: An ID that was made for a folder because something below it was
//     seen has no evidence yet. If the folder turns out to be one that we know from
//     elsewhere, the known one takes over what was found below.
//   - 2026-11-28: Where a server has no IDs of its own a file is known by its
//     fingerprint: ETag, size and time, and SHA-256 where somebody has read it. By
//     that an ID moves only if nothing of the file is at its old place, and one
//     place within 30 requests shows it; swaps and chains of renames of files that
//     we know are seen through. What is unclear gets a new ID, and the old one is
//     not looked for by its fingerprint any more: the next file that looks like it
//     would be taken for it. Without an ETag (nginx) the contents must be known.
//   - 2026-11-28: Other contents at an unchanged place are an edit, unless the old
//     ones are seen anywhere within reach under a name that is no backup's: then the
//     ID waits, since a wrong one is worse. An edit made elsewhere costs up to 30
//     requests for that, once. A temporary file that was moved over a document is the
//     document's next contents.
//   - 2026-11-28: What stands in the place of a document under another native id or
//     resource-id is its next contents if nothing bears the old one any more, as the
//     upstream's look-up says, or the nearest 30 folders where it has none. In a larger
//     tree without a look-up the old one may lie farther away; but there every program
//     that saves by temp and rename would end the ID at each save. See replaced.go.
//   - 2026-11-28: Stamps, measured on Apache 2.4.71, lighttpd 1.4.69 and as sabre and
//     WsgiDAV are known: beside the fingerprint they decide two things, a file that was
//     edited and moved by WebDAV (or on Apache's disk with its folder), and which of two
//     that look alike it is. A rename of a file on the disk loses the stamp on both; the
//     fingerprint is what finds it. So a stamp never speaks against a fingerprint.
//   - 2026-11-28: A folder without an ID of its own is known by its files: half of
//     them are there as they were, and none is another.
//   - 2026-11-28: The background walk ([Walk]) follows people: it looks into folders that
//     somebody has used, and searches unknown ones only after something was lost, once for
//     each loss. A look into everything, every night, would wake the disks of each NAS.
//     An equal folder tag counts only if it was the same at two listings ten seconds
//     apart: some clocks behind it tick each two seconds.
//   - 2026-11-28: A look-up is one query of outer joins, not a recursive one: half the
//     time, and PostgreSQL keeps the order of outer joins (it weighs all orders of
//     inner ones).
//   - 2026-11-28: An export carries row numbers as they are, and an import begins an
//     epoch: so it is one pass without a table of translations, and no string of a
//     revision is given out by both states. It goes into an empty state only, because
//     to unite two histories of one upstream is to guess.
//   - 2026-11-28: The operator's word moves an ID where no evidence does, but not
//     against it: a wrong ID is worse than none.
//   - 2026-11-28: What a file system says of renames ([Walk.Look]) is a reason to look
//     at the folders, never the truth: events come late and are lost, and two of them
//     need not be one rename.
package idmap
