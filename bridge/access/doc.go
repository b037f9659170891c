// Package access decides who may do what to which file until when.
//
// It owns WOPI access tokens and the grants behind them ([Tokens]), the one-use tickets to the host page ([Tickets]),
// the links by which people share a file or folder, with the guests who come by them ([Shares]), the API keys of programs
// ([APIKeys]), the operator's access: rules ([Rules]), and the answer to "as whom does this person reach that upstream"
// ([Upstreams]).
//
// It does not own people, sessions or credentials (oauth), file IDs (idmap), what an upstream allows (asked on every
// request), editings and their members (locks), or what an office is told about a refusal (endpoint).
//
// # How a caller uses it
//
// The host page mints: [Tokens.Mint] with a [Grant] of person, file and editor. The WOPI endpoint opens:
// [Tokens.Open] with the token and the file of the URL, then asks [Rules.Allows] with the file's path of this very moment
// and compares it with the grant's Scope. Answers that hold URLs get tokens by [Tokens.Derive], which stores
// nothing. Sign-out calls [Tokens.SignedOut] with the members of all live editings, and ends the oauth session. Every
// minute: [Tokens.Keep] with these members; now and then the Clean methods.
//
// To throw somebody out: end their oauth sessions, call [Tokens.SignedOut] for each without members, then
// [Tokens.RevokePrincipal], and delete their credentials. In this order nothing that was on its way slips through.
//
// # Rules
//
//   - A grant is a ceiling. Never decide by it alone: rules, scope and upstream have the last word on every request.
//   - A save-only grant allows PutFile, Lock, RefreshLock, UnlockAndRelock, Unlock and GetLock with the editing's lock
//     ID, and CheckFileInfo; nothing else, no derived tokens, no new ones.
//   - A grant minted on the strength of another token takes over that one's Expires ("token trading", reference 2.5).
//   - Tokens, tickets and keys go into no log, error, cache or page; Member keys and grant IDs may.
//   - Nothing here is cached: a revocation holds at once, on every replica.
//   - A grant with a Share is worth what the link is worth at that moment; a link that is over leaves no reprieve.
//
// # Security considerations
//
// Whoever writes to the database is trusted to grant, but not to read: tokens, tickets, keys, links and guests' cookies are
// there as SHA-256 only, pinned credentials sealed, and so are links, for their makers. Passwords of links, which people
// choose, are slow hashes, and tries are counted in each process as those of sign-in are (oauth). Whoever has the secret key and knows a grant's ID can derive tokens from it.
//
// # Why it is so
//
//   - 2026-11-20: Opaque tokens and a row, not signed claims: revocable at once, short (47 characters), nothing inside.
//     Signed claims need a list of the revoked, which is the same row again.
//   - 2026-11-20: Derived tokens carry no claims either, only whose row to read: a listing of 20,000 children
//     writes nothing, and a revocation of the parent reaches them all.
//   - 2026-11-20: The hash is over the token's text, not over its bytes: base64url has four spellings of the
//     same 32 bytes, and only the one that we minted shall open.
//   - 2026-11-20: A member's reprieve is a row of its own, because of one grant the stored token may be a member of
//     an editing and a derived one not, or the other way round, with different ends.
//   - 2026-11-20: Sessions that were signed out are remembered for a day, so that a page that was being made during
//     sign-out cannot mint afterwards. Asking the session's row instead would be a look into another room's table.
//   - 2026-11-20: Rules: the longest path, then a name before "*", then the most restrictive; not the last
//     match. Orders of lines are read wrong by people and lost by tools, and doubt must take away.
//   - 2026-11-20: A display name in a rule only takes away. People choose theirs, at most providers; but an operator who
//     writes a ban with the name on the screen must not be ignored.
//   - 2026-11-20: The blob of a pinned service credential says only "service": the password in the configuration may
//     be changed while a save waits.
//   - 2026-11-28: GetShareUrl has one row per person, resource and right (standing), however often an editor asks, and it
//     answers with the same link: rows that nobody made on purpose would bury those that people look for.
//   - 2026-11-28: The secret of a link is sealed besides its hash, for people come back to copy it once more. With the
//     secret key changed it can no longer be shown, but opens as before.
//   - 2026-11-28: A link for people who sign in is not bound by its maker's rights of today, an anonymous one is: the
//     first gives nobody anything that is not theirs, the second stands in for its maker.
//   - 2026-11-28: Guests are heard by rules as "*" and as group:guests, so that an operator who names people one by one has
//     shut them out, and can let them in where he likes.
package access
