// Package ecosystem is WOPI's ecosystem endpoint.
//
// It owns what CheckEcosystem, GetRootContainer and GetFileWopiSrc mean and the words
// of their answers.
//
// It does not own the shared way of a request, nor which containers a grant can see
// (endpoint); what a container is told to be is the containers room's, handed in as
// [Ecosystem.Info].
//
// A caller fills [Ecosystem] and calls [Ecosystem.Mount].
//
// Rules: the ecosystem is no resource; its tokens are derived for access.Ecosystem and
// open nothing else, and a token of a file or container does not open the ecosystem.
//
// # Why it is so
//
// 2026-11-28: GetFileWopiSrc understands our own addresses only, and looks at nothing
// but the ID in them: nothing that a client names is ever fetched.
//
// 2026-11-28: what GetFileWopiSrc cannot find, may not show, or does not understand is
// 404 alike.
package ecosystem
