package upstream

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"davwopi/davbackend/dav"
)

// Quirks are Strict's switches. They are read at every request; change them with Set
// while the test runs. The zero value is a strict server. Numbers that are statuses
// are answered in place of what RFC 4918 wants; 0 is what it wants.
type Quirks struct {
	mu *sync.Mutex // of the server; guards the switches, and is never changed
	switches
}

// switches are what can be switched.
type switches struct {
	// Entity tags (upstreams.md 3.1).
	WeakETags      bool          // W/ everywhere, and If-Match with them is 412
	WeakFor        time.Duration // the same for so long after a write (Apache 2 s)
	UnquotedETags  bool          // in PROPFIND (WsgiDAV)
	NoPropfindETag bool          // nginx
	NoPutETag      bool          // Apache, nginx
	OtherPutETag   bool          // PUT's answer has another one than PROPFIND (SFTPGo)
	OtherGetETag   bool          // GET's answer has another one than PROPFIND (mail.de)
	SecondETags    bool          // made of size and mtime in seconds (nginx)
	TimeETags      bool          // made of size and mtime alone, which mv and cp -p keep (Apache, x/net; lighttpd beside the inode)
	FileETags      bool          // of size, mtime in seconds and inode, which an overwriting PUT keeps (sabre, WsgiDAV)
	CopyKeepsETag  bool          // a copy has its source's (nginx, lighttpd)
	MoveNewETag    bool          // a moved file has another one (none that was measured)
	FolderETag     string        // of a collection: "" none, "own" children (Apache, lighttpd), "near": and theirs, "tree" (Nextcloud, OpenCloud)

	// Conditions (3.3).
	IgnoreConditions  bool // If-Match, If-None-Match, ETags in If (nginx, x/net, rclone, SFTPGo)
	IgnoreIfNoneMatch bool // OpenCloud
	PutConditionsOnly bool // If-Match on anything but PUT is ignored (OpenCloud)
	IfMatchCreates    bool // If-Match on a missing file holds (WsgiDAV)
	IfETagFails       bool // a list of an ETag without a token never holds (x/net)
	ETagConflict      bool // a wrong If-Match is 409 (OpenCloud)

	// Locks (3.4): what LOCK, its refresh and UNLOCK answer.
	NoLock          bool          // class 1: LOCK and UNLOCK are 501 (plain Nextcloud)
	SharedLocks     int           // status of LOCK with shared scope (x/net 501); 200: an exclusive one (nginx)
	LockCap         time.Duration // longest lock granted (lighttpd 600 s); 0 as asked, at most an hour
	LockFixed       time.Duration // granted whatever is asked (nginx 3600 s, sabre 1800 s)
	LockSays        string        // reported timeout of all locks: "Infinite", "Second-0", "Second-"; "" the truth
	EndlessSays     string        // the same where Infinite, or nothing, was asked
	RefreshSays     string        // the same after a refresh (OpenCloud "Infinity")
	TokenFormat     string        // of tokens, for fmt with a UUID and a number; "" opaquelocktoken:UUID
	LockDepth0      bool          // Depth: infinity counts as 0 (Nextcloud, OpenCloud)
	LockQuietCreate bool          // LOCK on nothing makes a file and answers 200
	LockNull        bool          // LOCK on nothing makes what has locks but no contents, and answers 200 (Apache)
	LockUnmapped500 bool          // LOCK on nothing is 500 (OpenCloud)
	EchoOwner       bool          // the answer has the owner as it was sent, undeclared prefixes too (OpenCloud)
	TimeoutHangs    bool          // "Infinite, Second-N" is 500 and counted in Hangs (lighttpd hangs for ever)
	RefreshLies     bool          // any token is 200, and shown as if it were there (lighttpd)
	RefreshMakes    bool          // of a lock that is not there makes one (nginx)
	RefreshWrong    int           // of a wrong token (OpenCloud 500)
	UnlockWrong     int           // of a wrong token: 204 (nginx), 400 (Apache), 500 (Nextcloud), 423 (OpenCloud)
	HideLocks       bool          // lockdiscovery is empty
	NoLockDiscovery bool          // PROPFIND has none (x/net, rclone)
	HideOwner       bool          // lockdiscovery without owner (nginx, lighttpd, OpenCloud)

	// Locks: how tokens are shown, and what becomes of locks.
	OnlyLockToken   bool // tokens count in Lock-Token only, not in If (OpenCloud)
	RefuseBoth      bool // If and Lock-Token together are 412 (WsgiDAV)
	RefuseTagPath   bool // a tag without a host is 412 (x/net)
	TagNotDecoded   bool // a tag of the requested URL with a percent sign never holds (nginx)
	WrongToken423   bool // on a locked file, where RFC 4918 has 412 (nginx, lighttpd, sabre, Nextcloud)
	MoveLosesLock   bool // MOVE onto a locked file drops its lock (sabre, WsgiDAV, Nextcloud)
	MoveLocked412   bool // MOVE onto a locked file is 412 whatever is shown (lighttpd)
	MoveLocked423   bool // the same with 423 (OpenCloud)
	MoveOfLocked    int  // MOVE of a locked file, whatever is shown (x/net 412)
	MoveUntagged    int  // the same where If has no tag (Apache 424)
	MoveCarriesLock bool // the lock goes with the file (Nextcloud, OpenCloud)
	ParentMoves     bool // what holds a locked file may be moved (nginx, lighttpd, x/net, Nextcloud, OpenCloud)
	ParentLocked    int  // MOVE of what holds a locked file (Apache 424)
	PutRefused207   bool // a new file in a locked collection is 207, with 424 and 423 in it (Apache)

	// Properties (3.2, 3.6).
	NoDeadProps      int  // status of PROPPATCH (nginx 405); 0 stored
	RefusesProps     bool // PROPPATCH is 207 with 403 in it (x/net)
	ForgetProps      bool // PROPPATCH is 207 with 200 in it, and stores nothing (rclone)
	QuietProppatch   bool // a success is 204 (lighttpd)
	CopyLosesProps   bool // sabre, Nextcloud, OpenCloud
	MoveLosesProps   bool // MOVE onto a file: the target's are gone (all but lighttpd)
	FolderLosesProps bool // MOVE of a collection: what is in it has none any more (Nextcloud)
	MultiAs200       bool // multistatus answers have status 200
	NativeIDs        bool // oc:id and oc:fileid from the resource-id (Nextcloud, OpenCloud)
	MoveTakesID      bool // MOVE onto a file: the native ID is the source's (Nextcloud, OpenCloud)
	NoResourceID     bool // no DAV:resource-id (all)
	NoContentType    bool // no getcontenttype (nginx, sabre)

	// Privileges are what current-user-privilege-set says to a user about a path; nil:
	// there is no such property, and no access-control in the DAV header (most).
	Privileges func(user string, p dav.Path) []string

	Quota string // quota-available-bytes: "" the truth, "none", "-3" (Nextcloud), "-2" (OpenCloud)

	// Collections, destinations and names (3.6).
	SlashStatus      int                 // MOVE, COPY, DELETE of a collection without slash (301, 308, 400, 409)
	PropfindSlash    int                 // the same for PROPFIND (Apache 301)
	DepthInfinity    int                 // of PROPFIND: 207 answered, 1 cut to 1, 400; 0 is 403
	XMLType415       bool                // a body that is not called XML is 415 (lighttpd)
	PathDestination  int                 // a Destination without a host (Apache 400, nginx 404)
	OtherHost        int                 // a Destination on another host: 400 (nginx), 201 taken for ours (sabre, Nextcloud)
	MissingParent    int                 // MOVE into a missing parent: 500 (Apache), 403 (x/net), 204 makes it (nginx)
	PutMissingParent int                 // PUT into a missing parent (Nextcloud 404)
	MoveStatus       int                 // of MOVE and COPY of a file that worked (nginx 204)
	LongestName      int                 // bytes of a name; longer ones are LongName
	LongName         int                 // 400 if 0 (lighttpd 500)
	HideDotfiles     bool                // not listed (nginx)
	NFDIsNFC         bool                // both forms are one file (rclone, Nextcloud)
	CaseIsSame       bool                // upper and lower case are one file (a NAS, IIS)
	Hrefs            func(string) string // how hrefs in answers differ: DoubleSlash, OtherOrigin, OtherCase
	Refuse           map[string]int      // methods (REPORT, SEARCH)

	// Bodies and transport (3.5).
	GzipGet          bool              // GET is compressed whatever was asked for
	GzipAsked        bool              // where it was asked for (rclone, SFTPGo)
	GzipETag         bool              // a compressed GET's ETag ends with -gzip (mod_deflate)
	NoRanges         bool              // a range request gets the whole file with 200
	PutStatus        int               // of a successful PUT: 200, 201, 204, 207
	PutRange         int               // PUT with Content-Range: 501, 201 the part is the file (x/net), 206 patched (Apache); 0 is 400
	RefuseChunked    int               // PUT without a length (OpenCloud 400)
	ChunkedEmpty     bool              // the same is stored as nothing (sabre and Nextcloud behind php-fpm)
	PartialWrites    bool              // a PUT that breaks off leaves what came (x/net, sabre, WsgiDAV, Nextcloud)
	NewPutGone       bool              // but nothing of a new file (Nextcloud)
	BrokenPutDeletes bool              // and deletes what was there (SFTPGo mode 1)
	HalfWritten      string            // GET during a PUT: "" old contents, "piece" (x/net, sabre), "423" (Nextcloud)
	HTMLErrors       bool              // refusals have an HTML body (hosted servers)
	AtOnce           int               // open connections; more are closed at once (Hetzner 10)
	Headers          map[string]string // of every answer; DAV only to OPTIONS

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
	q.switches = switches{users: q.users}
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
