// Package conform plays Microsoft's own cases for WOPI hosts against a running
// bridge.
//
// # Owns
//
// The reading of TestCases.xml, whose format is that of Microsoft's validator;
// the requests, validators, saved states and mutators that it names; the
// signing of every request with two key pairs; the verdict. The command
// test/conform/validate prints it, test/conform/editor publishes the keys.
//
// # Does not own
//
// The cases: testdata holds Microsoft's file and two of its schemas as they
// are, under the MIT licence beside them. What they do not test (the
// bootstrapper, the expiry of locks, X-WOPI-MaxExpectedSize) other tests do.
//
// # How a caller uses it
//
// Put an unlocked, writable file whose name ends in .wopitest into a fresh
// folder, get its WOPISrc and an access token, and call [Run]. Three runs with
// different capabilities are needed to see every case: some groups exclude
// each other.
//
// # Rules one must not break
//
// A case passes only if every validator of every request held. A case that
// cannot be played is a failure and never a pass. What the suite's own runner
// does is done here too, even where it is odd: sources of a rule are named
// beside it. Two things differ on purpose: requests are signed, and what would
// crash the other runner is a failed case.
//
// # Why it is so
//
//   - 2026-11-20: a runner of our own, because Microsoft's signs nothing and so
//     can never show that proof keys work, and because it needs .NET.
//   - 2026-11-20: the groups of CSPP Plus are read, so that their prereqs skip
//     them as they should; a host that passes those prereqs sees them fail
//     here, since their requests are not played.
package conform
