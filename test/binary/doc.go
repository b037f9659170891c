// Package binary tests the built daemon from outside: the loop of a user, every
// operation of the files endpoint over HTTP, kills, memory with large files, what a
// wrong configuration says. It runs not with -short.
package binary
