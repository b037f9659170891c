// Package upstream starts WebDAV servers for tests: a strict one with switches for
// what others do wrong, and real ones.
//
// # Owns
//
// [Strict], its [Quirks], [Presets] and [Fault]s, its log of requests; [Embedded], the
// same server in process; [Apache], [ApacheDigest],
// [Nginx], [Lighttpd] and [Rclone], each in the foreground on a free port of
// 127.0.0.1 over a folder of its own.
//
// # Does not own
//
// What is right: that is decided by the tests that use it.
//
// # How a caller uses it
//
//	server := upstream.Strict(t)
//	server.Quirks.Set(func(q *upstream.Quirks) { q.NoLock = true }) // or
//	server.Quirks.Set(upstream.As("nginx"))
//	view := server.View(t)
//
// Everything ends with the test. A program that is not installed skips the test by
// its name.
//
// # Rules one must not break
//
// A switch stands for something that was measured on a real server, or that a network
// does; its comment says which. Files made behind a server's back are made with
// [Server.Write], since Apache runs as another user.
//
// # What Strict cannot play
//
// Dead properties belong to a file, not to its name: an on-disk rename keeps them, and
// a stranger at the old name does not inherit them (Apache, WsgiDAV). Where the folder
// above a locked file is moved the lock goes with the file or ends; it does not stay
// on the old URL (nginx, lighttpd, x/net). A MOVE over a file is one step, there is no
// moment without a file (x/net). No lock is granted for more than an hour, none is
// lost by a restart (see [Server.DropLocks]), none lasts a second less than it says
// (WsgiDAV), and only Infinite is reported for what was asked for without a timeout
// (Nextcloud). Copies are no hard links (lighttpd). A PUT that broke off shows in size
// and ETag (not in Nextcloud's). Names with a backslash are refused. X-OC-Mtime is not
// heard; refusals come before the body (not behind php-fpm); lockroot is right
// (not in OpenCloud). SEARCH and IDs as addresses are [Nextcloud]'s and [OpenCloud]'s.
// SFTPGo's upload modes 1 and 2 are switches, but no presets.
//
// # Why it is so
//
// 2026-11-20: the strict server is the embedded one, not x/net: x/net ignores
// conditions, so that a defence against lost updates would never be tested.
//
// 2026-11-20: quirks are put on from outside, by changing requests and answers, so
// that the product's own server has no switch that could be left on.
package upstream
