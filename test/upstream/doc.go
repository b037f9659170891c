// Package upstream starts WebDAV servers for tests: a strict one with switches for
// what others do wrong, and real ones.
//
// # Owns
//
// [Strict], its [Quirks] and [Fault]s, its log of requests; [Embedded], the same server
// in process; [Apache], [ApacheDigest],
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
//	server.Quirks.Set(func(q *upstream.Quirks) { q.NoLock = true })
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
// # Why it is so
//
// 2026-11-20: the strict server is the embedded one, not x/net: x/net ignores
// conditions, so that a defence against lost updates would never be tested.
//
// 2026-11-20: quirks are put on from outside, by changing requests and answers, so
// that the product's own server has no switch that could be left on.
package upstream
