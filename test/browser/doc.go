// Package browser drives a real Chromium through the built daemon: what a person
// sees in the first five minutes, with the bytes on the disk as witness.
//
// # Owns
//
// A small client of the W3C WebDriver protocol over chromedriver, the life of
// chromedriver and its browsers, the screenshots, and what makes a page accessible:
// axe-core (axe/, installed by npm) and the eye of the tours look at every page.
//
// # Does not own
//
// The pages (bridge/web), the text editor (bridge/textedit), the daemon
// (cmd/davwopi) and its life (test/daemon).
//
// # How a caller uses it
//
//	DAVWOPI_SCREENSHOTS=DIR go test ./test/browser
//
// Without chromium or chromedriver the tests skip, naming the absent program; without
// npm the pages are looked at by the eye alone, and TestAxeFindsFaults skips.
//
// # Rules
//
//   - Waiting is for a condition, never for a time.
//   - Two people are two sessions with profiles of their own.
//   - Only processes that the test started are ended.
//
// # Why it is so
//
//   - 2026-11-20 WebDriver and not a library: the few commands that are needed are
//     JSON over HTTP, and a release needs no module for its tests.
package browser
