package locks

import (
	"context"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A Target is a file as one person reaches it, as of this request.
type Target struct {
	// File is the file and where it is for this person.
	File idmap.Entry
	// Seen is this request's PROPFIND of the file; a zero Path says that none was
	// made. Lock spares itself a PROPFIND with it.
	Seen dav.Resource
	// Upstream is the name under which access.Upstreams knows the upstream.
	Upstream string
	// View is the upstream as this person sees it.
	View *davbackend.View
	// Pin seals a copy of this person's credential for the keeper, which must
	// refresh and release the DAV lock when nobody asks. It is called when a lock
	// is taken and when an operation that may be left half done begins. Nil pins
	// nothing: then only an upstream in service mode can be kept.
	Pin func(context.Context) ([]byte, error)
	// May asks our own rules about the place where the file turns out to be; nil:
	// it may be written wherever it is. Its error wraps dav.ErrDenied.
	May func(context.Context, idmap.Entry) error
}

// An Actor is who asks, in which editor.
type Actor struct {
	Member string      // access.Grant.Member()
	Editor string      // configured URL of the editor, "" for scripts and the API
	Office wopi.Office // kind of the editor
	UserID string      // the principal, the same for every grant of a person
	Name   string      // "NAME via davwopi", shown to other users of the upstream
}

// State is what is known about a file's lock and editing, from the database
// alone.
type State struct {
	Lock    Lock     // zero when unlocked or expired
	Foreign string   // holder of a foreign lock seen lately, "" none or not known
	Met     *Outside // the foreign lock that was met lately, nil none; nil where Lock is held
	Editing *Editing // the live editing, nil if there is none
	Shadow  Shadow
	Holder  Actor     // who took the lock
	Since   time.Time // when it was taken
}

// Outside is a lock that is not WOPI's, as it was met lately: a DAV lock, or the lock file
// of a program on a desktop.
type Outside struct {
	Holder  string    // who has it, "" not known
	Program string    // of a lock file: "LibreOffice"; "" a DAV lock
	Since   time.Time // when it was first met, without a longer gap
}

// A Shadow is the DAV lock that stands behind a WOPI lock.
type Shadow struct {
	Path  dav.Path
	Token dav.LockToken // "" none (upstream without LOCK, or lost)
	Until time.Time     // granted until, as far as we know
	Lost  bool          // the upstream has dropped it and it could not be taken again
}

// An Editing is one editing of a file: from the Lock that turned it locked to
// its Unlock.
type Editing struct {
	ID       int64
	File     idmap.FileID
	Editor   string // configured URL
	Office   wopi.Office
	Base     int64 // revision number that the editor's contents rest on; 0 none yet
	Started  time.Time
	Ended    time.Time    // zero: live, though its lock may have expired
	Reported int64        // revision made outside that the editor was told of (Collabora's 1010), 0 none
	Diverted idmap.FileID // ONLYOFFICE's conflict copy, to which later saves go; "" none
}

// A Permit is the yes to a write, as of now, under the lease.
type Permit struct {
	Lock    Lock             // the lock as it stands; zero when unlocked
	Editing *Editing         // nil: unlocked zero-byte file
	Token   dav.LockToken    // show it on the upstream; "" none
	View    *davbackend.View // whose credential to try first: the writer's own
	Taker   *davbackend.View // the lock taker's pinned one; nil if that is the same principal
	Retaken bool             // an ID of the latest editing was taken again
}

// An Intent is a promise written down before anything that changes both a row
// and the upstream; it is settled once its lease has run out.
type Intent struct {
	ID       int64
	Kind     string // "lock", "unlock", "move", "delete", "put", "create", ...
	File     idmap.FileID
	Space    idmap.SpaceID
	Upstream string
	Serial   int64  // of the lease under which it was written
	Pinned   []byte // sealed credential
	Detail   []byte // JSON of the kind
}

// HeldByJournal is the phase of a file whose DAV lock only a waiting save holds.
const HeldByJournal = "held by journal"

// A Row is a line of [Locks.List].
type Row struct {
	File     idmap.FileID
	Space    idmap.SpaceID
	Upstream string
	Phase    string // "taking", "held", "releasing", or HeldByJournal
	State
}
