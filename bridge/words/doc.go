// Package words holds what people read, in every language that they can read it in.
//
// # Owns
//
// The catalogues, one file per language below languages/; which of them somebody gets;
// how numbers, sizes, times and lists look in each; how it is said why somebody could not be
// reached ([Failure]); and the small script that says the same words in a page.
//
// # Does not own
//
// Pages and what happens in them, words of protocols, the log, and the command line: what
// an operator reads in a terminal is English, but for what the check-up and
// the rehearsal find, which is written for home users wherever they read it.
//
// # How a caller uses it
//
//	list.entries[one] = {n} entry          # languages/en.txt; de.txt has the same keys
//	list.entries[other] = {n} entries      # the form is chosen by n
//
//	{{t "list.entries" "n" .Total}}        in a view: text, for elements and attributes
//	{{th "trouble.gone" "name" .Name}}     the same for words with <b>, <code> or <a> in them
//	{{t .Title}} {{bytes .Size}} {{when .At}} {{number .N}} {{lang}} {{names .People}}
//	Title: words.Say("trouble.gone", "name", name)   in Go: a [Text], said when the page is made
//	Name: words.Plain(name)                          a Text that is nobody's to translate
//	words.For(r).Say("closed.title")                 a string at once, for the person who asks
//	words.Terminal(os.Environ())                     the language of a terminal
//	{{scriptWords "host."}} in <script type="application/json" id="words">, and [Script] before
//	one's own: say('host.saved', {name}) gives the words of a key that begins with "host."
//
// An argument may be a string, a whole number, a float64, a [Size], a time.Time, a [Date], a
// time.Duration, a []string, a Text, a []Text or an [English]: each is put in the language's form, strings cannot
// turn the direction of what stands beside them, and in HTML they are escaped and a time
// becomes a <time>.
//
// # Rules
//
//   - Every string has a key, in every language, with the same arguments and the same
//     marks. What is used and not there, or there and not used, fails a test of test/house,
//     and so do words in a view that come from no catalogue.
//   - A key is written out where it is used; of one that is put together, the beginning up
//     to its last full stop is: "kind." + kind.
//   - Names of files, people and servers are arguments, never a part of a string.
//   - Markup in a string is <b>, <bdi>, <br>, <code>, <kbd> or <a href="{href}">, nothing else,
//     and such a string is said with th.
//   - A further language is one more file. Its forms are those of CLDR.
//
// # Why it is so
//
//   - 2026-11-28 Lines of text and neither JSON nor Go: whoever translates needs to know
//     nothing else, comments can stand beside, and two people who add a line do not meet.
//   - 2026-11-28 golang.org/x/text matches languages and knows plurals and numbers; it has no
//     dates, so their forms are strings of the catalogue.
//   - 2026-11-28 Arguments have names: other languages put them in another order.
//   - 2026-11-28 The choice is, in this order: the person's own (a cookie), ui_locales as an
//     app sends it, rs as a page that opens documents does, and what the browser says.
package words
