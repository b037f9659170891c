// Package proof checks that a request comes from an office that holds the
// private key to what its discovery publishes.
//
// # Owns
//
// The bytes that are signed, the three pairs of signature and key that count,
// the age of a timestamp, and both forms in which discovery writes a key.
//
// # Does not own
//
// Where keys come from and when they are fetched again (bridge/discovery); what
// the office is told (bridge/endpoint, which answers 500).
//
// # How a caller uses it
//
// discovery parses keys with [ParseKey]; the endpoint calls [Keys.Check] with
// the URL exactly as the office sent it. Tests, the runner of Microsoft's cases
// and the office double make headers with [Sign].
//
// # Rules one must not break
//
// [Request.URL] is the absolute URL that the office used: its scheme and host,
// the request target untouched. It is never rebuilt from decoded parts. Time is
// an argument. All functions are pure and may be called concurrently.
//
// # Why it is so
//
//   - 2026-11-20: X-WOPI-ProofOld under the old key does not count. It proves
//     nothing that a stolen, retired key could not prove.
//   - 2026-11-20: both the decoded and the raw access token are tried.
//     Microsoft's published vectors sign the raw text, Microsoft's validator,
//     Collabora and ONLYOFFICE the decoded one. Our own tokens need no escaping,
//     so the two are equal and one attempt is enough.
//   - 2026-11-20: a timestamp up to five minutes ahead is believed. Clocks
//     differ, and a signature from the future protects no less.
package proof
