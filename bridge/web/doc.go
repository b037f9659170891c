// Package web is what a browser sees of the bridge: sign-in, the list of files,
// the host page around an editor, downloads, and the pages that say in words
// what went wrong and what to do next.
//
// # Owns
//
// The pages, their style and their small script; the browser's cookie; the host
// page with its form, frame and messages; the links that start people's own Office apps; POST /api/v1/open and the function
// [Pages.Open] behind it, which the command line asks too.
//
// # Does not own
//
// Sessions, links and credentials (oauth), access tokens and tickets (access),
// what an editor can do (discovery), who holds a file (locks), where a file is
// (idmap), the protection of POST requests against other origins, host names and
// limits of bodies for the whole house (bridge).
//
// # How a caller uses it
//
// Fill a [Pages] and call [Pages.Mount] on the router of the public address,
// behind the cross-origin protection. Addresses in pages are paths made from
// URLs.Public, so a path prefix works if the router strips or knows it.
//
// # Rules
//
//   - Every page has a Content-Security-Policy of its own with a fresh nonce;
//     no inline handlers, no inline styles, nothing from another origin but the
//     editor's frame and icon on its host page, and the script of a document server that
//     is spoken to by the Docs API, which the operator has named and given a secret.
//   - An access token appears only in the host page's form and in the answer to
//     the page's own script (what the page of a ticket asks with can nothing but ask how its
//     document stands). Never in an address, but that of a picture, which opens
//     nothing else and lives for minutes.
//   - A host page hears its editor's frame at the editor's origin and nobody else, and
//     sends to that origin, or to one of frame_ancestors, never to "*".
//   - GET changes nothing, but for a ticket, which lives a minute and works once, and a code for an app
//     that the person has said yes to before.
//   - Bytes that users wrote leave by endpoint.FileBytes only.
//   - Names of files and people reach a page through html/template only. The links that start
//     Office (launch) are the one exception: whatever comes from a name is percent-encoded there
//     down to the unreserved characters.
//   - Words come from the catalogues of bridge/words; in Go they are words.Text until the
//     page is made for somebody.
//   - The check-up and the page about the server are shown to administrators only; for
//     others there are no such pages.
//   - A person's right is min(rule, grant), asked at each request; what rules
//     hide is not found.
//   - Whoever came by a link has a site of their own (visit): what lies outside of what
//     was shared is not looked for, its name is in no page, and every address on a page
//     is below /shared/LINK. A handler that a visitor may reach asks site.allows and
//     site.locate, never Rules.
//   - Lists, sign-in, the pages of what is open and what was saved, and all that changes
//     files work without script.
//   - What changes files goes through locks and saves, as an editor's change does: never by
//     the upstream's client alone.
//   - What somebody did that cannot be taken back is asked about on a page first.
//   - Of the journal a person is shown their own entries; of what is open, the documents
//     that their own look shows, or showed within the last hour while the upstream is away.
//
// # Why it is so
//
//   - 2026-11-20 Referrer-Policy is same-origin, not no-referrer: under
//     no-referrer browsers send "Origin: null" with our own forms, and on plain
//     http, where they send no Sec-Fetch-Site either, our own POSTs would look
//     foreign.
//   - 2026-11-20 A sign-in link shows a page whose form is sent by script or by
//     hand, because programs that preview links would use it up.
//   - 2026-11-20 A list has at most 500 rows per page and is sorted on the
//     server: 20,000 files need no script and no large page.
//   - 2026-11-20 Of a folder with more than 2,000 entries only the page that is
//     shown gets IDs, and what has vanished from it is not noted: recording 20,000
//     files for one page took three times as long as listing them. What was moved is
//     still known again, by its evidence, when it is shown or asked for.
//   - 2026-11-20 Two big folders are listed at a time. Whoever has no turn breaks
//     its listing off and begins anew with one: a request that waits upstream would
//     run into somebody's time limit.
//   - 2026-11-20 Signing in over another person's session signs that one out
//     first, in the same careful way as the button does.
//   - 2026-11-20 In the API, a person is named as sign-in would name them
//     (issuer upstream:NAME) where passwords are checked upstream, so that the
//     credential, the UserId and the grants are the same; elsewhere the issuer is
//     the key's name, so that a key cannot pose as somebody who signed in.
//   - 2026-11-28 What is open now is asked of the upstream one by one, at most 60 and
//     none twice within a minute: a list of folders would show what lies beside, and a
//     memory of rights would outlive them.
//   - 2026-11-28 /dav/ shows what the upstream holds, not what waits for it: programs that
//     come there compare and copy files, and would take one for changed twice.
//   - 2026-11-28 A page that tells of an outage asks for itself every 15 seconds and
//     gives way to what comes. Answers to POST, downloads and pages opened by a ticket
//     do not: asking again would do something twice, fetch a whole file, or be in vain.
//   - 2026-11-28 An anonymous link shows a form before it lets anybody in, with or
//     without a password: programs that preview links would be guests otherwise, and
//     people can say who they are.
//   - 2026-11-28 The pages of a link are below its row's ID and want a cookie, one per
//     link. With the secret in their addresses, whoever copies one would hand the link on,
//     past its password.
//   - 2026-11-28 Somebody with an account who opens an anonymous link is a guest there,
//     too, and is shown the way to the file as themselves: two sets of rights on one page
//     could not be told apart.
//   - 2026-11-28 Converting makes a second file: only the page that was asked to edit
//     does it, and the page that shows the file says so before. A ticket's page never
//     does, since the copy's own page wants a session.
//   - 2026-11-28 The rights of a page are cut to what the upstream says, as those of the
//     files endpoint are: an editor in edit mode with a file that it may not save is a
//     promise that nobody keeps.
//   - 2026-11-28 An open host page asks every few seconds how its document stands: from
//     the database, with a look at the upstream only where the person has had none for five
//     minutes. It asks by script and not by a stream: it must notice that nobody answers.
//   - 2026-11-28 Microsoft's and ONLYOFFICE's editors take no new token. Theirs saves for as
//     long as they work (access.Tokens.Keep), and the page asks for a fresh start in time.
//   - 2026-11-28 A host page may be zoomed, although Microsoft's sample forbids it: WCAG
//     1.4.4 wants it, and editors see to themselves.
//   - 2026-11-28 Only the host page, and what is said in its place, is framed by
//     frame_ancestors: a click that somebody is lured into can there at most work in a
//     document that is open anyway.
//   - 2026-11-28 Of a comment the latest words are shown, under the name of who wrote
//     those, not of who began: nobody can put words into another's mouth.
//   - 2026-11-28 Links to Office are shown where they can work and nowhere else, by what the browser
//     calls its machine: one that leads to an error is worse than none. A computer gets WebDAV and a
//     phone WOPI, because neither takes the other.
//   - 2026-11-28 Who comes with a new password signs out what came with the one before. Everything of a
//     person's uses the one that is kept, so a lost phone would get the new one, too.
//   - 2026-11-28 The list of what is open comes again by server-sent events, made for each
//     person: a bare word that something has changed would tell of documents that they cannot
//     see. Ten minutes for a stream, so that a session that has ended ends it.
//   - 2026-11-28 Which page a language was chosen on is read from Referer and stands in no
//     form: the addresses of some pages are secrets, and a page must not repeat them.
//   - 2026-11-28 Parts of pages are sent compressed, pages are not: the length of a page with a
//     secret and a stranger's words in it would tell the secret, letter by letter.
//   - 2026-11-28 What a house refuses is a page for whoever accepts HTML, a line of text for the rest.
//   - 2026-11-28 A name that is typed is refused with the reason if people or file systems
//     could not do with it; that of an uploaded file is repaired: nobody can answer for a
//     camera's names. A name with characters that turn the direction of writing looks like
//     another one, so it is never given.
//   - 2026-11-28 What can be undone is a row that knows what was done, and not words in an
//     address: those could say anything about anything.
//   - 2026-11-28 Uploads come in pieces by a protocol of ours, not by tus: what is asked
//     about (replace, keep both, leave out) is a part of it, and the pieces lie in the
//     journal, whose promise the upload gets with its last byte.
//   - 2026-11-28 The tokens of KaraDAV's properties are made when a PROPFIND asks for them
//     by name, one row for each request: programs list folders often, and open one file.
package web
