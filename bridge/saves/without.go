package saves

// A protection is something without which saves are lost. Each can be left out, one at a
// time, to prove that the tests notice: by a test of this room, or in a program that was
// built with the tag faults (faults.go). A release has no such switch.
type protection string

const (
	theLength     protection = "length"      // a body that is not whole is no save
	theFence      protection = "lease"       // who was taken over writes nothing more (with that of bridge/locks)
	theOrder      protection = "order"       // an older save of an editing does not follow a newer one
	theTakeOver   protection = "take-over"   // what an earlier holder of the lease has left on its way is made harmless
	theBase       protection = "base"        // only what the bytes rest on is written over
	theCondition  protection = "condition"   // and only if it is still that when the upstream writes
	theVerify     protection = "verify"      // what the upstream says yes to is looked at
	theCopy       protection = "copy"        // what does not go into the file goes beside it
	theOutside    protection = "outside"     // and so does what is written over on a person's word
	theSecondLook protection = "second look" // a spool goes when the upstream still shows its bytes a while later
	theReplay     protection = "replay"      // what a crash has left is finished
	theRoom       protection = "room"        // nothing waits where it would be forgotten
)

// lacks reports whether p is left out.
func (s *Saves) lacks(p protection) bool { return s.without == p }
