// Package textedit is the built-in editor for text files: a WOPI client that
// runs in the page and speaks to the files endpoint of the same bridge.
//
// # Owns
//
// The editor's discovery document, the page that the host page's form opens in
// its frame, and the script in it: CheckFileInfo, Lock, GetFile, PutFile,
// RefreshLock, Unlock, and what a person is told when one of them is refused.
//
// # Does not own
//
// The host page around it, tokens and who may have one (bridge/web), the answers
// to its operations (bridge/files), locks and saves. On the server it has no
// state, reads no file and trusts no token: the script is treated by the bridge
// as any other office.
//
// # How a caller uses it
//
// Hand [Discovery] to the list of editors as the one made in process, and
// [Editor.Mount] to the router. The host page does the rest, as with any office.
//
// # Rules
//
//   - The access token is in the body of the form and in the page's data, never
//     in the address of a page. WOPI puts it into the query of the operations.
//   - A frame is made only for a WOPISrc of our own.
//   - The script changes no byte that the person did not change: it opens for
//     editing only what it can write back exactly (see text.js).
//   - Text that was typed is dropped only by the person's own decision.
//   - Only the page around the frame, at the same origin, is heard. Its words are
//     Collabora's where there are such, and else begin with Davwopi_.
//
// # Why it is so
//
//   - 2026-11-20 A plain textarea: it is what screen readers, phones, spell
//     checkers and undo know. No build step, no library.
//   - 2026-11-20 A lock ID per load of the page, and the last one kept in
//     sessionStorage: a reload takes over its own lock with UnlockAndRelock, so
//     that the Unlock which the old page sent while it went away cannot release
//     the new page's lock. Reusing the ID itself would allow just that.
//   - 2026-11-20 The lock ID begins with the UserId, so that the ID in a 409
//     says whether "take over here" is offered: it is the same person elsewhere.
//   - 2026-11-28 Name and state are said by the page around the frame; in the frame they
//     are there for those who listen. A page says each thing once.
//   - 2026-11-20 Files that are not UTF-8 are shown and not edited: guessing an
//     encoding and writing it back loses letters.
package textedit
