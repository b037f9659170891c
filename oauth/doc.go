// Package oauth knows who is asking.
//
// It owns people ([Principal]), their browser sessions ([Sessions]), the ways in: links that work once ([Links]), the
// upstream's own user names and passwords ([PasswordSignIn]), app passwords for DAV clients ([AppPasswords]); how often a
// password can be guessed elsewhere ([Tries]); what
// the upstream wants to see of a person, sealed ([Credentials]); and the one secret key with what is derived from it
// ([LoadKey], [Sealer]).
//
// It does not own what people may do (access), cookies and pages (web), or upstreams, of which it knows names only.
//
// # How a caller uses it
//
// At start [LoadKey] or, from the environment, [ParseKey]; then [NewSealer] and the New functions, which bring
// their tables up to date. A sign-in ends with a Principal; [Sessions.Start] turns it into a cookie value and
// [Sessions.Get] the cookie value into the person, at every request. The caller sets the cookie: HttpOnly,
// SameSite=Lax, Secure and "__Host-" on https. The Clean methods are called now and then.
//
// # Rules
//
//   - A cookie, link, app password or secret key is never logged, put into an error, or kept; only [Hash] of it is.
//   - A link is redeemed by POST: programs that preview links fetch them with GET.
//   - Rights never rest on [Principal.Name], which people choose, but on [Principal.Key], Subject, Groups, and on Login,
//     for which the operator named a claim.
//   - What a provider answers is bounded in size and time, never quoted at length, and never a reason to send a secret
//     to another host. That it cannot be asked is [ErrProvider], never a verdict about a person or token.
//   - Additional data of a seal is the whole key of its row, by [RowKey].
//   - A new purpose of [Sealer.MAC] gets a new name, with a version in it; the form of what is signed is unambiguous.
//
// # Security considerations
//
// The database is trusted to say who has a session, but not with secrets: whoever reads it gets no cookie, link, password
// or credential. Whoever has the secret key and the database has the credentials. A lost key costs
// sign-ins and open derived tokens, no documents. Rate limits are counted per process, in memory, for at most 10,000 names
// and as many peers: an attacker with more addresses than that is a matter for the upstream's own limits.
// A user name can be kept out of password sign-in by an attacker with several addresses; sessions, app passwords
// and links go on working.
//
// # Why it is so
//
//   - 2026-11-20: Sessions are rows, not signed cookies: sign-out has to mean something, on every replica.
//   - 2026-11-20: AES-256-GCM with random nonces from the standard library: a few thousand seals a day are far from
//     the 2^32 at which nonces would be a worry. Each blob names its version and key, so that keys can be rotated.
//   - 2026-11-20: HKDF per purpose from one key, instead of several keys: people lose what they have to keep in pairs.
//   - 2026-11-20: A key file that others can read is refused, not mended: it may have been read already.
//   - 2026-11-20: What was secret is hashed by SHA-256 without salt, because it is random: 256 bits, 125 for app
//     passwords, which people type. Passwords that people chose are never stored but sealed, for the upstream.
//   - 2026-11-20: An attempt from a peer over its limit does not count against the user name, else a single peer could
//     keep anybody out for ever without ever being heard.
//   - 2026-11-28: An own key set: go-oidc's asks the provider once for every forged token, and believes retired
//     keys until an unknown one comes. Ours asks every 20 seconds at most and forgets after 15 minutes.
//   - 2026-11-28: A signed token with at_hash is taken for an ID token, nonce or not: Office asks without a nonce, so
//     that its ID tokens have none. Dex puts at_hash into access tokens too; there, method introspect.
//   - 2026-11-28: A sign-in under way lies sealed in a cookie of its own, and becomes a row when it is used: one use,
//     on every replica; two tabs do not disturb each other; and strangers who begin sign-ins write nothing.
//   - 2026-11-28: One replica renews a person's token, by a lease: providers take a second refresh with the same token for
//     theft and revoke everything.
package oauth
