package endpoint

import (
	"context"
	"net/netip"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// An Endpoint holds what the steps and the operations ask. All fields are set
// before use; it may be used concurrently.
type Endpoint struct {
	URLs      URLs
	Tokens    *access.Tokens
	Rules     access.Rules
	Upstreams *access.Upstreams
	IDs       *idmap.Map
	Locks     *locks.Locks
	Saves     *saves.Saves
	Editors   *discovery.Editors
	Offers    Offers

	// Share makes a link for a browser to the file or container of a request, which
	// never gives more than its grant; edit says for which of the two. It is called
	// for grants that have that right. Nil: links are not offered, anywhere.
	Share func(ctx context.Context, q *Request, edit bool) (string, error)

	// Linked is the file or folder to which the link with that secret leads, or
	// [idmap.ErrNotFound]. Nil: there are no links.
	Linked func(ctx context.Context, secret string) (idmap.FileID, error)

	// Version and Machine are X-WOPI-ServerVersion and X-WOPI-MachineName of every
	// answer, for the logs of editors; "" none.
	Version, Machine string

	// MaxBody is the largest body of a file, in bytes.
	MaxBody int64

	// Networks are those from which servers of configured editors may call; nil: all.
	Networks []netip.Prefix

	// AtOnce is how many requests of one grant are carried out at a time. As many again
	// wait for their turn, the rest is refused. 0: no limit.
	AtOnce int

	turns turns

	// Log is told of every request once, after its answer.
	Log func(context.Context, Line)

	// Now is the clock for signatures.
	Now func() time.Time
}

// Offers are the capabilities that the operator switched.
type Offers struct {
	WriteRelative bool // PutRelativeFile
	FileURL       bool // CheckFileInfo's FileUrl
	BusinessUsers bool // LicenseCheckForEditIsEnabled
	Containers    bool // the containers and ecosystem endpoints
}

// An Operation carries out one WOPI operation. Its error becomes an answer by
// [Refusal].
type Operation func(context.Context, *Request) (wopi.Response, error)

// An Entry of a [Table] says what an operation demands and what it does.
type Entry struct {
	Run Operation

	// Edit is true if the operation wants the right to edit. Without it the
	// answer is Denied.
	Edit   bool
	Denied int

	// Account is true if it wants a person with an account: guests are refused with
	// 501 (they never rename, delete or share further).
	Account bool

	// Sleeper is true if a save-only grant may still do it (DESIGN 8).
	Sleeper bool

	// Bytes is true if the body is that of a file; others are bounded to 64 KiB.
	Bytes bool
}

// A Table is the operations of one room.
type Table map[wopi.Operation]Entry

// A Line is what is logged of one request. It holds no token, no proof, and no
// name of a document.
type Line struct {
	Operation   wopi.Operation
	File        idmap.FileID
	UserID      string
	Name        string // what that person is called, never for the log
	Editor      string
	Status      int
	Duration    time.Duration
	Upstream    string // origin of the upstream that was asked; "" none
	Trips       int    // requests to the upstream
	Correlation string
	Session     string
	Err         error // the cause of a refusal; nil for success
}
