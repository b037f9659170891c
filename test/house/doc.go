// Package house holds the rules of the house, as tests: which room may look into
// which, which outside library lives where, what every room says of itself, that
// the README's table of options is the configuration's, that nothing is left
// unformatted. And which test is there for what other hosts got wrong (peers_test.go).
//
// It reads the sources itself instead of asking the go command, so that the test
// cache sees what was read and runs it again when a file changes.
//
// A room that is not in [mayImport], or an arrow that is not there, is a mistake in
// the code or a decision to be written down there.
package house
