// Package discovery knows what each editor can do, and with which keys it signs.
//
// # Owns
//
// Fetching, bounding and reading the discovery document of each configured
// editor; keeping the last good one; which kind of office it is; the choice of
// an action for a file; the address of that action with its placeholders
// filled; the editor's proof keys.
//
// # Does not own
//
// The check of a proof (bridge/proof), the host page that opens an address
// (bridge/web), which editors there are (configuration).
//
// # How a caller uses it
//
// Fill an [Editors] and share it. Pages call [Editors.Action] and then
// [Action.URL]; listings call [Editors.Can], which never waits; the endpoint
// calls [Editors.Keys] and, when a proof fails, [Editors.Refetch].
//
// # Rules one must not break
//
// A document is somebody else's: it is read within bounds, and an address in it
// is used only if it is http or https. An editor that is down never stops the
// bridge and never makes one person wait for another's fetch. An editor that
// was seen with keys stays one that must sign until the operator says otherwise:
// Remember and Seen carry that over a restart.
//
// # Why it is so
//
//   - 2026-11-20: a plain map and no cache with eviction. There is one entry per
//     configured editor, and the last good document must outlive its age.
//   - 2026-11-20: a fetch runs on its own time limit and not on a request's
//     context: whoever asked first may go away while others wait for it.
//   - 2026-11-20: asked to edit, the choice goes edit, convert, view over all
//     editors. A person gets the most that anybody can do now, and
//     Action.Mode says which it is.
//   - 2026-11-28: a document server of ONLYOFFICE without WOPI answers 404 where its
//     discovery would be; only then its script is looked for. A proxy's 502 is no reason
//     to speak another language to the same editor.
//   - 2026-11-28: an Office Online Server lists the validator for .wopitest with view
//     alone, and its suite writes. It is an editor here, so that its token may.
package discovery
