// Package bootstrap is WOPI's bootstrapper, the door of the Office apps on phones: it takes an access token of the
// sign-in provider and gives WOPI's.
//
// # Owns
//
// /wopibootstrapper: Bootstrap and its shortcut operations, and the challenge of its 401.
//
// # Does not own
//
// Whether a token is good (oauth.Bearer), what a person can reach (endpoint), what a container is told to be (the
// containers room, handed in as Info), the provider's own endpoints.
//
// # How a caller uses it
//
// Fill a [Bootstrapper] and call [Bootstrapper.Mount].
//
// # Rules
//
//   - Office understands 401 only, and only with exactly one Bearer challenge in the exact form: whatever is about the
//     person or the token is 401, never a redirect or 403. What is about us or the provider is 503.
//   - A WOPI token opens nothing here, and the bearer token nothing elsewhere.
//   - Every answer is made from a grant of its own, whose tokens are derived: for the ecosystem and for what the
//     answer names. It lives for as long as any (access.DefaultTTL), but no longer than the sign-in of the app that our own
//     endpoints gave a token; GetNewAccessToken asks the token again.
//   - Over plain http it answers nobody but loopback: the token would travel readable.
//
// # Why it is so
//
//   - 2026-11-28: X-WOPI-WopiSrc and X-WOPI-HostNativeFileName are read, never fetched; what is not an address of ours, or
//     not for this person, is 404 alike.
//   - 2026-11-28: A person whose own password or token an upstream wants, and of whom none is kept, gets 401: signing in
//     again is what helps.
package bootstrap
