package upstream

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Quirks are Strict's switches. They are read at every request; change them with Set
// while the test runs. The zero value is a strict server.
type Quirks struct {
	mu *sync.Mutex // of the server; guards all fields

	// Entity tags.
	WeakETags      bool // W/ everywhere, and If-Match with them is 412 (Apache for 2 s after a write)
	UnquotedETags  bool // in PROPFIND (WsgiDAV)
	NoPropfindETag bool // nginx
	NoPutETag      bool // Apache, nginx
	OtherPutETag   bool // PUT's answer has another one than PROPFIND (SFTPGo)
	OtherGetETag   bool // GET's answer has another one than PROPFIND (mail.de)

	// Conditions.
	IgnoreConditions bool // If-Match, If-None-Match, ETags in If (nginx, x/net, rclone)
	IfETagFails      bool // a list of an ETag without a token never holds (x/net)
	ETagConflict     bool // a wrong If-Match is 409 (OpenCloud)

	// Locks.
	NoLock          bool          // class 1: LOCK and UNLOCK are 501 (plain Nextcloud)
	LockCap         time.Duration // longest lock granted (lighttpd 600 s); 0 as asked
	LockSays        string        // reported timeout: "Infinite", "Second-0", "Second-"; "" the truth
	HideLocks       bool          // lockdiscovery is empty (x/net, rclone)
	HideOwner       bool          // lockdiscovery without owner (nginx, lighttpd)
	OnlyLockToken   bool          // tokens count in Lock-Token only, not in If (OpenCloud)
	RefuseBoth      bool          // If and Lock-Token together are 412 (WsgiDAV)
	RefuseTagPath   bool          // a tag without a host is 412 (x/net)
	RefreshLies     bool          // any token is 200 (lighttpd)
	UnlockLies      bool          // a wrong token is 204 (nginx)
	MoveLosesLock   bool          // MOVE onto a locked file drops its lock (sabre, WsgiDAV, Nextcloud)
	MoveLocked412   bool          // MOVE onto a locked file is 412 whatever is shown (lighttpd)
	LockQuietCreate bool          // LOCK on nothing makes a file and answers 200
	LockUnmapped500 bool          // LOCK on nothing is 500 (OpenCloud)

	// Properties.
	NoDeadProps int  // status of PROPPATCH (nginx 405, x/net 403); 0 stored
	ForgetProps bool // PROPPATCH is 200 and stores nothing (rclone)
	MultiAs200  bool // multistatus answers have status 200
	NativeIDs   bool // oc:id and oc:fileid from the resource-id

	// Collections and bodies.
	SlashStatus   int  // answer to MOVE, COPY, DELETE of a collection without slash (301, 308, 400, 409)
	PropfindSlash int  // the same for PROPFIND (301)
	MissingParent int  // MOVE into a missing parent (Apache 500, x/net 403)
	GzipGet       bool // GET is compressed whatever was asked for
	NoRanges      bool // a range request gets the whole file with 200
	PutStatus     int  // of a successful PUT: 200, 201, 204, 207
	PartialWrites bool // a PUT that breaks off leaves what came (x/net, sabre, WsgiDAV, Nextcloud)
	HTMLErrors    bool // refusals have an HTML body (hosted servers)

	// Answer is asked first, after authentication; a handler it returns answers in the
	// server's place. It may be nil.
	Answer func(*http.Request) http.Handler

	faults []*Fault
	users  map[string]string // others than User, with their passwords
}

// Set changes switches between two requests.
func (q *Quirks) Set(change func(*Quirks)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(q)
}

// Reset makes the server strict again and forgets faults; users stay.
func (q *Quirks) Reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q = Quirks{mu: q.mu, users: q.users}
}

// AddUser lets somebody else in, with a password.
func (q *Quirks) AddUser(name, password string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	users := map[string]string{name: password}
	for n, p := range q.users {
		users[n] = p
	}
	q.users = users // a snapshot may still be read
}

// now returns a copy to look at during one request.
func (q *Quirks) now() Quirks {
	q.mu.Lock()
	defer q.mu.Unlock()
	return *q
}

// take returns the first fault that r meets and counts it.
func (q *Quirks) take(method, name string) *Fault {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, f := range q.faults {
		if f.Method != "" && f.Method != method || !strings.Contains(name, f.Name) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				q.faults = append(append([]*Fault(nil), q.faults[:i]...), q.faults[i+1:]...)
			}
		}
		return f
	}
	return nil
}
