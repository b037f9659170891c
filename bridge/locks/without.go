package locks

// A protection is something without which a save is written over, or a file stays locked.
// Each can be left out, one at a time, to prove that the tests notice: in a program that
// was built with the tag faults (faults.go). A release has no such switch.
type protection string

const (
	theRule    protection = "rule"    // who does not show the lock's ID writes nothing
	theLease   protection = "lease"   // one at a time works on a file
	theShadow  protection = "shadow"  // a file that is locked here is locked on the upstream, too
	theRelease protection = "release" // and is not any more when it is unlocked here
	theIntents protection = "intents" // what a crash has left half done is finished or undone
	theKeeper  protection = "keeper"  // locks are looked after when nobody asks for them
)

// lacks reports whether p is left out.
func (l *Locks) lacks(p protection) bool { return l.k.without == p }
