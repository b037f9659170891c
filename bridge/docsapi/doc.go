// Package docsapi speaks ONLYOFFICE's Docs API, for document servers whose WOPI is
// switched off: the same files by the same IDs, the same locks and the same journal as
// the files endpoint, told in JSON and signed with a shared secret.
//
// # Owns
//
// Document keys and what is known of the session behind each ([Docs.Open], store.go); the
// signed configuration of the editor; the addresses below /docsapi/ at which a document
// server fetches bytes and tells what happens (callback), and at which the page around
// its editor asks for what its events want (page.go); the clients of the command service
// and of conversion ([Server]).
//
// # Does not own
//
// The page itself (bridge/web), the lock and the base of an editing (locks), how bytes
// become durable and where they end (saves), who may do what (access, through
// [endpoint.Endpoint.Reach]), which editor speaks this way (discovery).
//
// # How a caller uses it
//
// [New] once, Mount on the public router, [Docs.Run] beside the server. The page asks
// [Docs.Open] with the grant that it has minted.
//
// # Rules
//
//   - What a document server says is believed only from a JWT that the shared secret has
//     signed; a plain field that says something else spoils the request.
//   - Its addresses are bound to a grant, a use and a key or file (access.DocsUse). What
//     the grant may is asked anew each time.
//   - Only the origin of the configured document server is ever fetched, without redirects.
//   - {"error":0} follows durability, never goes before it.
//   - A key belongs to one state of a document. It is the same for everybody while anybody
//     edits, and never used again after a save that ended its session.
//   - The base of an editing is the revision behind its key: what was delivered for it, or
//     what its own saves have made of that.
//
// # Security considerations
//
// Whoever has the secret can save into documents that are open, as the people who have them
// open: a document server is trusted as much as an editor that signs by WOPI's keys. It is
// trusted more in one thing: its script runs in our own page, beside the person's session.
//
// # Why it is so
//
//   - 2026-11-28: keys are the file's ID and its Version, which no other state of it has,
//     in a row. Without the row two people who open a document while an outside change
//     comes in between would sit in two sessions of one file.
//   - 2026-11-28: the WOPI lock is taken with the key as its ID when the first person has
//     joined (status 1), not when the page is made: a page that never connects would keep
//     the file locked. Who joins in vain is turned into a viewer by the command service.
//   - 2026-11-28: bytes are served only if they are the revision behind the key. A document
//     server keeps what it was given by its key, and would show somebody older contents
//     under a newer name, or the other way round.
//   - 2026-11-28: callbacks of one key take turns in the order in which they come. A late
//     forced save after the final one is told by the time of the last change that both
//     name, and not written: it is older.
//   - 2026-11-28: a save that fails for a reason that may pass is answered 503, which a
//     document server tries three times; for good, 200 with an error. Either way it keeps
//     the result as forgotten, from where [Docs.Run] fetches it.
//   - 2026-11-28: whose forgotten save it is was written down with the session. It is
//     delivered as by that person, whose grant may have expired; an administrator's
//     sign-out forgets them ([Docs.Forget]).
//   - 2026-11-28: its script is not kept in a frame of its own: the editor's frame inside would
//     inherit the sandbox, and an editor without an origin does not work.
//   - 2026-11-28: what is typed is saved every ten minutes by our word (forcesave). The document
//     server by itself saves when the last one has left, which may be days later.
//   - 2026-11-28: a result in another format than the file's is converted back first, and
//     is kept beside the file if that fails: OOXML in a file called .odt is no document.
package docsapi
