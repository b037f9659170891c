// Package files is WOPI's files endpoint: one file per operation.
//
// It owns what each operation of /wopi/files/{id} means: which right it wants,
// what it asks of identity, locks and saves, and the words of its answer. It owns
// the small table of PutUserInfo.
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
// 2026-11-20: GetFile asks the upstream once. The ETag of its answer tells whether
// the bytes are the revision that is known; only where it does not, it looks
// before and after.
//
// 2026-11-20: no editor makes, replaces or renames to the names of lock files and of
// our own temps (names.go): one person could lock others out of a document, take
// their lock away, or put other bytes in the place of their save.
package files
