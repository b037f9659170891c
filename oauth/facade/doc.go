// Package facade is an OAuth 2.0 authorization server for Office on phones, in front of whatever signs people in here.
//
// Every provider tried refuses the request that Office sends: it has no state, no PKCE, no nonce and often an empty scope.
// So Office is given our own endpoints, and sign-in happens behind them, as it does for browsers.
//
// # Owns
//
// The configured programs ([Client]); authorization requests, codes, families of tokens and the consents that people gave;
// the token, revocation and metadata endpoints, which machines ask; the check of its own access tokens.
//
// # Does not own
//
// Who is asking: sessions, cookies, sign-in and the consent page are the pages' (bridge/web), which hand a Principal in.
// What a token opens is the bootstrapper's.
//
// # How a caller uses it
//
// [New] once. GET /oauth2/authorize: [Facade.Begin], then the page at which somebody signed in says yes: [Facade.Open],
// [Facade.Consented], [Facade.Allow] or [Request.Deny]. The other endpoints are handlers: [Facade.ServeToken],
// [Facade.ServeRevoke], [Facade.ServeMetadata]. The bootstrapper asks [Facade.Check].
//
// # Rules
//
//   - An unknown client or redirect URI is an error here and never a redirect: redirect URIs are compared as texts.
//   - Codes and tokens are opaque, 256 random bits, stored as SHA-256, and each kind has its own prefix. None of them opens
//     anything but what it is for.
//   - A code is used once, within 60 seconds, by the client and with the verifier that it was made for; used again it
//     revokes everything that came from it (RFC 9700 section 4.5, RFC 6749 section 10.5).
//   - A refresh token is replaced at each use. Used again within 60 seconds, before its successor was, it gives the same
//     successor, because an answer may have been lost; later it revokes its family (RFC 9700 section 4.14.2).
//   - Who revokes a family says so first ([Facade.Ended]): the WOPI tokens that a phone got with it end, too.
//   - Nothing is decided in memory: replicas share the tables, and a restart forgets nothing.
//   - The token endpoint takes forms only, from the body only, and no parameter twice.
//
// # Security considerations
//
// Office sends neither state nor PKCE, so whoever gets somebody to open an authorization address could have a code made:
// the code goes to a redirect URI that is configured, is worth nothing without the client's secret, and the page asks the
// person first. A consent is remembered for one person, program and kind of phone.
//
// # Why it is so
//
//   - 2026-11-28: A request under way lies sealed in its address, not in a row: strangers who ask write nothing.
//   - 2026-11-28: The successor of a refresh token is derived from it by HMAC, so that it can be given again within the
//     grace without anything readable being stored.
//   - 2026-11-28: Wrong secrets are counted by peer, not by program: every browser learns a program's ID,
//     and one stranger who guessed at its secret twice a minute kept Office out for everybody. So a secret has to be
//     long enough that nobody guesses it.
//   - 2026-11-29: Codes and tokens are not counted: nobody guesses 256 bits, and only who has the secret gets to show any.
//     That is Microsoft's server, which shows those of everybody's phone from a few addresses, also what strangers have made
//     up in theirs, and all of them at once after a restore: that kept everybody out.
//   - 2026-11-28: An own implementation of one grant pair instead of a library: those that exist bring fifty packages and
//     their own idea of stores; what is needed is two forms and five tables.
package facade
