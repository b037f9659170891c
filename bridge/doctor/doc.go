// Package doctor tries every direction that has to work (browser, editor, bridge,
// WebDAV server, disk), says in one line each what is wrong, and gives the exact
// text to paste on the other side.
//
// # Owns
//
// The examination ([Doctor.Examine]) with its [Report] of findings; the words for
// people on what a measured upstream protects ([Words]); the address /doctor/hello/
// at which a request that left by our own public address is seen to come back.
//
// # Does not own
//
// Measuring an upstream (davbackend/profile), the page that shows the findings
// (bridge/web), the command and its exit status (cmd), what editors can do
// (discovery, of which each examination asks a fresh one).
//
// # How a caller uses it
//
// Fill a [Doctor], mount it on the public router, call [Doctor.Examine]. Without a
// running daemon leave Running false: what needs one is left out and said.
//
// # What a report looks like as JSON
//
// These names are stable: scripts read them. Texts are English there; people read them in
// their language ([Report.In]).
//
//	{"at": TIME, "version": TEXT, "running": BOOL, "findings": [
//	  {"severity": "error", "check": "wopi_access", "about": "https://office.example",
//	   "text": TEXT, "paste": [{"where": TEXT, "text": TEXT}]}]}
//
// Findings come worst first. severity is error (it does not work), warning (it works,
// but something can be lost or read by others), hint (something is worth knowing or
// could be better) or ok. about is the upstream's name, the editor's address, or an
// address or folder of ours; it may be absent, and so may paste. check is one of
//
//	daemon        davwopi itself runs
//	upstream      the WebDAV server answers, and as WebDAV
//	encryption    the way to it is encrypted
//	space         room on it
//	profile       when it was measured, and what it is
//	edits         somebody else's edit between open and save
//	locks         other WebDAV programs while a document is open
//	half_written  readers while a save is under way
//	dropped       a save that breaks off
//	ids           renames and moves
//	desktop       desktop programs on a network drive
//	restart       the server restarts while a document is open
//	names         names that it does not take
//	rehearsal     when a whole editing was last played through
//	editors       there is an editor at all
//	editor        its discovery answers; version, extensions
//	editor_page   browsers can get to where documents open
//	mixed_content an https page with an http editor
//	frame         the editor's page may be shown inside ours
//	proof_keys    the editor signs its requests
//	jwt           the editor and we accept each other's tokens (Docs API)
//	wopi_access   the editor can reach us and lets us in
//	public_url    the address for browsers leads here
//	wopi_url      the address for editors leads here
//	proxy         the reverse proxy says who asks, and how
//	body_size     large saves get through
//	cookie        sign-in is safe on the way
//	sign_in       the OpenID Connect provider answers, and is the one that is configured
//	sign_out      who signs out here is signed out there
//	phones        Office on phones can sign in there
//	clock         clocks agree
//	state         the state directory can be written, and what it lies on
//	state_space   room on it
//
// # Rules one must not break
//
//   - Only configured addresses are asked, and no redirect is followed. What an editor
//     publishes elsewhere is judged by its words alone.
//   - Answers are hostile: bodies are bounded, and no word of theirs reaches a finding
//     but a version number and addresses that were parsed.
//   - Every step has a bound of [stepLimit], the whole one of [totalLimit], also where
//     something does not listen to its context.
//   - What a finding says is a string of the catalogue (bridge/words), with what it speaks of
//     as arguments.
//   - No token, password or cookie is sent to an editor, or written to a finding.
//   - A severity is worth its meaning: error only where something does not work now.
//
// # Why it is so
//
//   - 2026-11-28: what a reverse proxy makes of a request is read where it arrives, not
//     asked of the answer: a number that only we know goes out by public_url, and the
//     handler notes Host, scheme and peer beside it. An address that leads to somebody
//     else's server cannot pretend.
//   - 2026-11-28: the frame policy is asked for with POST, as the host page's form does:
//     ONLYOFFICE answers nothing else, and proxies often add headers to good answers only.
//   - 2026-11-28: one examination at a time. They send requests to others' servers, and
//     whoever presses "look again" twice gains nothing by two at once.
//   - 2026-11-28: a state directory in memory is a warning, no error: all works until the
//     machine restarts.
package doctor
