// Package endpoint is the shared way of a WOPI request.
//
// It owns the steps that every operation goes through, in their order: which
// operation, whose access token, is the signature good, may this person do this
// here, what do the headers say; then the operation itself; then one answer and
// one log line. It owns the only table that turns errors of ours into statuses of
// WOPI ([Refusal]), and the addresses that we hand out ([URLs]). It owns what a grant
// can see (scope.go, above.go: the entrances, the root, the ancestors), and what files
// and containers answer alike: names that editors give, the making of a file
// ([Endpoint.Make]), EnumerateAncestors, GetEcosystem, GetShareUrl. It sends the parts of
// pages that are the same for everybody ([Asset]), for bridge/web and bridge/textedit.
//
// It does not own what an operation does: that is in files, containers and ecosystem,
// one file per operation. It does not own locks, saves, identity or
// tokens; it only asks them.
//
// A room of operations fills a [Table] and mounts [Endpoint.Handler] (or its siblings
// for containers, the ecosystem and FileUrl) for each route. An [Operation] gets a [Request] that was read once, and returns a
// [wopi.Response] or an error. It never sees the http.ResponseWriter.
//
// Rules: the steps are numbered and none can be skipped; the access token is read
// from the query or the Authorization header, never by FormValue, which eats the
// body; nothing below learns of HTTP; an unknown error is a 500 that says nothing.
//
// # Why it is so
//
// 2026-11-20: an expired access token is refused before its signature is looked
// at: the answer is the same 401 for every token that opens nothing, so nothing
// is learned from the order.
//
// 2026-11-20: a signature is tried over wopi_url and over public_url, because an
// editor signs the address that it was given and both are ours; path and query
// are those of the request line, byte for byte.
//
// 2026-11-20: an address without signatures opens with derived tokens only. The
// token that the editor got is worth nothing without the editor's key, there too.
//
// 2026-11-20: rights are asked twice where a look at the upstream finds the file at
// another place than the database had ([Endpoint.Seen]): the rules of the new place
// hold, and what was decided for the old one does not.
//
// 2026-11-20: no editor makes, replaces or renames to the names of lock files and of
// our own temps (names.go): one person could lock others out of a document, take
// their lock away, or put other bytes in the place of their save.
//
// 2026-11-20: the bytes of a file are asked for once ([Endpoint.Contents]). The ETag of
// the answer tells whether they are the revision that is known; only where it does not,
// the endpoint looks before and after.
//
// 2026-11-28: an ID at the address of another kind is not found: a token of a
// container must not lock it like a file.
//
// 2026-11-28: only a grant whose scope is access.Upstreams.Top reaches other upstreams
// than its own. An empty scope, or that of a root, could be an API key's.
//
// 2026-11-28: a poured answer holds back its first 32 KiB, so that what fails at once
// is refused like anything else. What fails later breaks the connection off.
//
// 2026-11-28: links have one hook ([Endpoint.Share]); without it they are promised
// nowhere, and GetShareUrl is 501.
//
// 2026-11-28: guests who came by a link are refused what wants an account (rename,
// delete, share further, PutUserInfo) where edit rights are asked about, and answers
// name the pages below their link, which are the only ones that they can open.
package endpoint
