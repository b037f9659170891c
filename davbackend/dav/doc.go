// Package dav is the leaf that holds WebDAV's words.
//
// # Owns
//
// The nouns of RFC 4918 as Go types: [Path], [ETag], [LockToken], [If], [Depth],
// timeouts, properties, [Resource] and [ActiveLock]; reading the XML that servers
// send (bounded and streamed) and writing the XML that they are sent; the
// sentinels in which an upstream's refusals are told.
//
// # Does not own
//
// Connections, requests, credentials, retries and the mapping of statuses to
// errors: those are davbackend's. It imports nothing of ours.
//
// # How a caller uses it
//
// [ParsePath], [ParseHref], [ParseETag], [ParseLockToken] and [ParseIf] are the only
// ways in; a value in hand needs no further checking. [DecodeMultistatus] calls back
// once for each response; [Response.Resource] turns one into a [Resource].
//
// # Rules one must not break
//
// Compare paths as [Path] values, never as URLs: servers differ in hex case and in
// what they escape. Compare entity tags with [ETag.Same]. Never put text into a
// header that did not come through one of the parsers above.
//
// # Why it is so
//
// 2026-11-20: responses become small bounded trees, not structs filled by
// reflection. Arbitrary properties, per-property status and lockdiscovery all need
// the tree; encoding/xml's Unmarshal bounds nothing.
//
// 2026-11-20: [If.String] prints a list without conditions as one that never holds.
// A condition that is lost on the way must fail closed, not let a write through.
//
// 2026-11-20: hosts in hrefs are not compared. Servers behind a reverse proxy name
// their inner host; only the path is used, and only on the configured origin.
package dav
