// Package wopi holds the words of the WOPI protocol and nothing that acts on
// them.
//
// # Owns
//
// The names of headers, overrides and operations; which operation a request
// for a file asks for; the lock ID; the success and the refusal as plain data
// ([Response], [Error]); the JSON bodies of the answers ([CheckFileInfo],
// [ContainerInfo], [Ancestors] and their like); names in UTF-7; the rules for
// names of files; the ticks of X-WOPI-TimeStamp; the kinds of [Office].
//
// # Does not own
//
// Who may do what, where a file is, whether a lock is held, how an answer is
// written to the wire. It opens no connection, reads no clock, keeps no state.
//
// # How a caller uses it
//
// The endpoint asks [ReadOperation] what is wanted, parses the headers with
// [ReadLock], [DecodeUTF7] and [ParseMaxExpectedSize], lets an operation make
// a [Response] or an error, and writes that once.
//
// # Rules one must not break
//
// Nothing of ours is imported here. A [LockID] comes only from [ParseLockID] or
// [ReadLock], so that one in hand is known to fit into a header. A property of
// CheckFileInfo is never sent as null, and the eight properties of CSPP Plus
// are never sent at all: the plain schema forbids them.
//
// # Why it is so
//
//   - 2026-11-20: one leaf for the words, so that locks, saves, endpoints and
//     tests speak alike without depending on each other.
//   - 2026-11-20: a name is refused only for what no file system of a WebDAV
//     server can hold. What merely displeases Windows is left alone when a
//     person asked for exactly that name, and repaired when the office only
//     suggested it.
//   - 2026-11-20: the decoder of UTF-7 refuses left-over bits. A name cut in the
//     middle of a character must not become another name.
package wopi
