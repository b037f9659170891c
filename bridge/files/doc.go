// Package files is WOPI's files endpoint: one file per operation.
//
// It owns what each operation of /wopi/files/{id} means: which right it wants,
// what it asks of identity, locks and saves, and the words of its answer. It owns
// the small tables of PutUserInfo and AddActivities.
//
// It does not own the shared way of a request (endpoint), lock rules (locks), the
// writing of bytes (saves), or how an error becomes a status (endpoint.Refusal).
//
// A caller fills [Files] and calls [Files.Mount].
//
// Rules: an operation returns, it never answers; it looks at endpoint.Request and
// nowhere else; a success is exactly status 200; what differs between editors is
// in differences.go and nowhere else.
//
// # Why it is so
//
// 2026-11-20: RenameFile reads and forgets its body. Collabora sends the whole
// document with it; the same bytes come again with the next PutFile, and a rename
// that writes would bypass the journal.
//
// 2026-11-28: FileUrl gives the revision that it was made for, or what an editing has
// made of it since: an editor fetches it right after its PutFile and wants its own
// bytes. What came from outside meanwhile is another file to whoever has the address.
//
// 2026-11-28: comments are kept as they are told, one row for each, newest first; what
// was changed or deleted is told by further rows. Editors send again what they got no
// answer to, so an Id is kept once.
//
// 2026-11-28: PutRelativeFile looks first, and is 404 for a file that is gone: the copy
// belongs beside where the file is, and there may be no such place any more.
package files
