// Package localdav is the embedded upstream: a WebDAV server over one folder of
// this computer, strict where golang.org/x/net/webdav is lenient.
//
// It owns the folder's view over HTTP: which names are served, the order of
// check and change, the ETags, the resource ids, the locks and the dead
// properties, and the rows that keep them.
//
// It does not own authentication (whoever mounts it puts that in front), the
// state database, WOPI, or file IDs. Other programs may use the folder at the
// same time, over SMB or from a shell.
//
// # How a caller uses it
//
// [Open] gives a [Server]. Set its exported fields, then use it as an
// [net/http.Handler], behind [net/http.StripPrefix] with the same [Server.Prefix] if it
// is not at the root, or in process through [Server.RoundTripper]. [Server.Close] ends it.
//
// # Rules
//
//   - One process serves a folder. Checks and changes are one step under a gate
//     that lives in this process; other programs that write to the folder are
//     seen, but not kept out.
//   - Nothing changes the folder but what runs under the gate (change.go): after a last look at conditions and locks, and with the row that
//     names the new inode written before the rename that shows it. Bodies are
//     staged before, under a hidden name, outside the gate.
//   - Every path goes through [dav.ParsePath] and then through os.Root. Symbolic
//     links work as long as they are relative and stay inside.
//   - An answer never waits for a slow reader while the gate is held.
//
// # Security considerations
//
// Every request is hostile: XML, headers, lock counts and property sizes are
// bounded. Names that cannot be addressed (not UTF-8, backslashes, control
// characters) and things that are neither files nor folders are not shown. Files
// are sent as attachments, never as pages. Whoever can write to the folder or to
// the state database is trusted.
//
// # Known limits
//
// It runs on Linux: [Open] fails elsewhere with errors.ErrUnsupported. A MOVE between
// file systems that are mounted inside the folder is 403; COPY works. On file systems without birth times there
// are no resource ids and no dead properties. A file with several hard links is
// replaced under one name only. Two changes by other programs within one tick of a
// clock coarser than 20 ms (FAT, some network file systems), of equal size, have one ETag.
//
// # Why it is so
//
//   - 2026-11-20: x/net's Handler serves GET, HEAD and PROPPATCH, and its
//     FileSystem and LockSystem interfaces are how it sees this package. The other
//     methods are here: x/net has no lockdiscovery and no shared locks, ignores
//     If-Match, removes a target before it moves onto it, truncates on PUT, and
//     turns every error of the file system into 404 or 405.
//   - 2026-11-20: A write is stage, fsync, row, rename, fsync of the folder. A
//     body that ends early is never renamed. Where a condition names an ETag the
//     rename is an exchange, and what came out is compared with what the
//     condition was about, so that a program that saved in that very moment is
//     not overwritten either.
//   - 2026-11-20: A resource id is a hash of device, inode and birth time, and a row
//     only where that would be wrong: for what was made or replaced here. So a
//     listing writes nothing, an outside mv keeps the id, and a copy has another.
//     Devices are numbered from the folder's own, because the kernel's numbers
//     change at a restart.
//   - 2026-11-20: An ETag is a random value stored with mtime, ctime and size for
//     what was written here, else a hash of inode, birth time, mtime, ctime and
//     size. Stored ones get an mtime of ours, in nanoseconds, that the kernel's
//     coarse clock does not produce; for the others the server waits until the
//     clock has ticked. ctime is in it because programs set mtime back.
//   - 2026-11-20: A MOVE of a file onto a file is taken for a save: the target keeps its
//     resource id and its lock. The source's dead properties win over the target's, the
//     rest of the target's stay. RFC 4918 9.9.3 would drop them; programs that save
//     by temporary file and MOVE would then lose them at every save.
//   - 2026-11-20: Locks are granted for one hour at most. An Infinite lock of a
//     program that crashed would be there for good.
//   - 2026-11-20: One gate for all changes, not one per path: the state database has one
//     writer anyway, and a folder can move while a file below it is written.
//   - 2026-11-20: A folder is deleted by renaming it to a hidden name, and removed
//     after. What cannot be removed comes back under its name.
package localdav
