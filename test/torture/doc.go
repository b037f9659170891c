// Package torture is the proof that no acknowledged save is lost: the built daemon
// under scripted offices, while everything around it is killed, stopped, filled up
// and edited; and after a power cut.
//
// # Owns
//
// The people who edit two hundred documents (the test's own process); the saboteur,
// a second process that has the daemon, the upstreams and the disk of the state
// directory in hand; the ledger, a third one, which writes down what was promised
// before anybody relies on it, reads the upstreams' folders and the journal in the
// end, and compares. And the recording of a daemon's system calls, played again up to
// a random moment without what was not fsynced until then.
//
// # Does not own
//
// How an office talks (test/office), how a server is started (test/upstream,
// test/daemon), the steps inside of one save (bridge/saves has a test that dies at
// each of them).
//
// # How it is used
//
// `go test ./test/torture` kills the daemon 50 times and prints the figures. `make
// torture` does it 1,000 times. DAVWOPI_TEST_TORTURE_SEED=N plays the plan of another run
// again: what the saboteur does, and to whom, but not to the microsecond when.
//
// TestWithout proves the ledger: it plays a story for each protection that davwopi has,
// with a program that leaves it out (built with the tag faults), and the ledger must say
// so. With DAVWOPI_TEST_TORTURE_WITHOUT=N each is left out of a run with N kills, too.
//
// # Rules one must not break
//
// Every version of a document names the versions that it was made from, in the
// ledger. A version is kept if it, or something made from it, lies whole in a folder
// of an upstream, or in the journal where somebody is told of it: not as what can be
// undone. That is all the ledger knows; how davwopi does it is not its concern.
//
// # Why it is so
//
//   - 2026-11-28: The state directory lies on an ext4 image of its own in a private mount
//     namespace, because a disk is full only if it is one: nothing waits on a tmpfs, and
//     a limit on the size of files (RLIMIT_FSIZE) is another error than ENOSPC. Where
//     mounting is not permitted the disk is never full, and the test says so.
//   - 2026-11-28: Who edits behind the bridge waits until no PutFile of that document is
//     on its way. A program that writes into the folder does not ask for DAV locks, and
//     no server checks the ETag and writes in one step that such a program could not
//     come between: what falls into these microseconds is lost by the file system.
//     Replays after a kill and deliveries of waiting saves are not waited for.
//   - 2026-11-28: On nginx and rclone, which know no conditions, and may be busy with what
//     a dead daemon has sent, others edit through the server, with a DAV lock of their own.
//     On Apache they change files on its disk while nothing was killed or stopped just
//     now; on the embedded server, which dies with the daemon, at any time.
//   - 2026-11-28: nginx shows no owner of a lock, so that a lock of which a dead daemon had
//     not yet read the token is nobody's until it ends. It ends after 20 s here.
//   - 2026-11-28: What the journal keeps to be undone does not count as kept, nor what is
//     verified: without it five of the protections could be left out, and the ledger was
//     satisfied by pre-images and by spools that were about to go.
//   - 2026-11-28: The power cut is played from a log of system calls (strace), not by a
//     file system in user space: it records the very program that is released, needs no
//     mount, and every fsync that the log shows can be left out one by one.
package torture
