// Package bridge is the front of the house: it puts the rooms behind one address.
//
// It owns the routes, the order of the middleware (a panic becomes a 500, the
// request gets its number, proxies are believed or not, an unknown Host is
// refused, cross-origin writes are refused), the log lines, /healthz, and the
// admin socket through which commands talk to the running daemon.
//
// It does not own any operation or page, and it makes no room: cmd wires them and
// fills [Bridge].
//
// A caller fills a [Bridge] and serves [Bridge.Handler] on the public listener and
// [Bridge.Admin] on a unix socket that only the operator can open.
//
// Rules: no token, proof or credential is logged at any level, and names of
// documents only at debug: above it, of an error only its innermost causes are
// written, which are sentinels and system errors without paths. /healthz answers
// under every Host, everything else only under ours.
//
// # Why it is so
//
// 2026-11-20: an upstream that does not answer is logged as an error once, then
// counted, and its return is logged with the count: a NAS that sleeps at night
// must not fill a disk.
//
// 2026-11-20: gorilla/mux runs with SkipClean and UseEncodedPath: its redirects to
// cleaned paths would turn a WebDAV method into a GET.
//
// 2026-11-20: a request ends when its client sends less than 512 bytes of a body in
// a minute, or takes nothing of an answer for as long (stall.go). net/http has
// limits on the whole only, which a large file over a slow line would break.
//
// 2026-11-20: /dav/ keeps the access rules too. It refuses to list a folder in which
// something is hidden rather than rewrite the embedded server's answers.
package bridge
