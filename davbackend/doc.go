// Package davbackend is the client of the upstream, the WebDAV server that somebody
// already has.
//
// # Owns
//
// Requests to the upstream and what their answers mean: [View.Stat], [View.List],
// [View.Get], [View.Put], [View.Move], [View.Copy], [View.Delete], [View.Mkcol],
// [View.SetProps], [View.Lock], [View.RefreshLock], [View.Unlock], [View.ByNativeID],
// [View.BeginUpload] and what follows it, [View.HasTrash], [View.Untrash]; Basic, Digest and
// Bearer; where the files of an account are; the progress limit; the one table from statuses to errors.
//
// # Does not own
//
// What a save or a lock means (saves, locks), file IDs (idmap), whose credential is
// used (access), the words of WebDAV (dav), measuring what an upstream can do.
// Nothing is tried again here except what the protocol itself asks for (a challenge,
// a trailing slash, a refused Expect).
//
// # How a caller uses it
//
//	client := &davbackend.Client{Base: base, Assumed: davbackend.Unknown}
//	view := client.As(davbackend.Credential{Kind: "password", User: "ann", Secret: "..."})
//	res, err := view.Stat(ctx, path)
//
// Errors wrap one of the sentinels of package dav; a [*StatusError] in the chain says
// which status it was, a [*LockedError] who holds a foreign lock. An upstream that
// cannot be reached or does not speak WebDAV is a [*UnavailableError] with a sentence
// for people.
//
// # Rules one must not break
//
// After an error of a writing method the old contents are to be assumed in place but
// unconfirmed; after [dav.ErrUnavailable] and [dav.ErrIncomplete] the write may have
// happened. Never trust the answer to PUT: Stat afterwards. Never send If and
// Lock-Token together (WsgiDAV answers 412), nor a path-only tag (x/net: 412). No
// credential goes anywhere but to Client.Base's origin, so no redirect is followed
// anywhere else. URLs are made with View.url after View.locate, never from Client.Base:
// on a Nextcloud everybody has a root of their own.
//
// # Known quirks
//
// Each is pinned by a test in conformance_test.go or upstream's switches.
//
//   - 2026-11-20, nginx 1.22.1 with dav-ext 3.0.0: tags in If are not decoded (above);
//     the refresh of a lost lock makes a new one, which RefreshLock releases.
//   - 2026-11-20, lighttpd 1.4.69: the refresh of a lost lock is 200 and shows the token
//     that was sent as if it were there.
//   - 2026-11-28, Apache 2.4.71: a locked file that is moved on the disk leaves its name
//     in PROPFIND, with the lock and nothing else; a PUT would make a new file there.
//     [View.Stat] says that it is not there (locknull_test.go).
//   - 2026-11-20, rclone 1.60.1: MKCOL over a folder is 201; MOVE of nothing is 403.
//
// # Why it is so
//
// 2026-11-20: own client on net/http's Transport. No Go library has LOCK, If,
// arbitrary properties and PUT with a length together; http.Client's redirects and
// total timeouts are both wrong here.
//
// 2026-11-20: the challenge is learned before a body is sent (one PROPFIND for each
// Client), so that a gigabyte is not sent twice and no password goes out as Basic to
// a server that wants Digest.
//
// 2026-11-20: where the profile says that conditions are not honoured, ETag and
// Absent are checked by a PROPFIND right before the write instead of being sent:
// x/net and rclone answer 412 even to a right ETag in If. A race remains; callers
// hold the lock.
//
// 2026-11-20: an unknown upstream is shown tokens in an untagged If, except in MOVE and
// COPY. dav-ext 3.0.0 for nginx compares a tag with the decoded path without decoding
// it, so that a tagged If never holds for a name with a space; every other measured
// server but OpenCloud takes both.
//
// 2026-11-20: the root of an account belongs to the View, found on first use and kept by
// a hash of the credential. A Client for each person would learn challenge and profile
// anew each time, and locks and saves would have to be told which one they mean.
// What a server says about the scheme in a Location is not believed: behind a proxy it
// is often wrong; another host is refused.
//
// 2026-11-20: idle connections live for four seconds, because Apache and lighttpd
// close them after five and a PUT on a dying connection cannot be told from a lost
// answer.
//
// 2026-11-29: equal PROPFINDs at the same time are one where only CheckFileInfo wants the
// answer: many open one document at once. What decides about a write is always asked anew,
// an answer that was begun before a write of ours ended is given to nobody who asked after
// it, and what another program wrote meanwhile is seen as late as if it had been asked when
// the request was sent, a second ago at most: one that hangs keeps nobody who comes later.
// Listings are not shared: each would have to be held whole.
package davbackend
