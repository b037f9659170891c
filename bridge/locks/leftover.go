package locks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// Kinds of intents that this room settles itself.
const (
	kindLock   = "lock"   // a DAV lock with this nonce may exist and belongs to no row
	kindUnlock = "unlock" // this DAV lock is nobody's any more
	kindMove   = "move"
	kindDelete = "delete"
)

// A leftover is the detail of the intents "lock" and "unlock": something of ours
// on the upstream that is to be released.
type leftover struct {
	Path  dav.Path      `json:"path"`
	Token dav.LockToken `json:"token,omitempty"` // "": only the nonce is known
	Nonce string        `json:"nonce"`
	Until int64         `json:"until"` // ms; by then it has ended by itself
	// Evidence of the file at the time: a LOCK that hits nothing may make an empty file.
	Evidence evidence `json:"evidence,omitzero"`

	id     int64
	kind   string
	pinned []byte
}

// evidence is what tells one file from another at the same place.
type evidence struct {
	ETag       dav.ETag `json:"etag,omitempty"`
	Size       int64    `json:"size"`
	Modified   int64    `json:"modified,omitempty"` // ms
	NativeID   string   `json:"native,omitempty"`
	ResourceID string   `json:"resource,omitempty"`
	Container  bool     `json:"container,omitempty"` // then its presence is all there is besides IDs
}

// evidence is what this request knows about the file: its PROPFIND, else what was
// recorded.
func (t Target) evidence() evidence {
	if t.Seen.Path != "" {
		return evidenceOf(t.Seen)
	}
	if t.File.Kind == idmap.Container {
		return evidence{Size: -1, Container: true}
	}
	r := t.File.Revision
	return evidence{ETag: r.ETag, Size: r.Size, Modified: sqldb.Millis(r.Modified)}
}

func evidenceOf(res dav.Resource) evidence {
	return evidence{
		ETag: res.ETag, Size: res.Size, Modified: sqldb.Millis(res.Modified),
		NativeID: res.NativeID, ResourceID: res.ResourceID, Container: res.Collection,
	}
}

// matches reports whether res is the file of e: the best evidence that both have
// decides.
func (e evidence) matches(res dav.Resource) bool {
	o := evidenceOf(res)
	switch {
	case e.NativeID != "" && o.NativeID != "":
		return e.NativeID == o.NativeID
	case e.ResourceID != "" && o.ResourceID != "":
		return e.ResourceID == o.ResourceID
	}
	return e.sameContents(res)
}

// anyFolder reports whether e is of a folder that nothing but its place tells from
// others.
func (e evidence) anyFolder() bool { return e.Container && e.NativeID == "" && e.ResourceID == "" }

// stranger reports whether res certainly is another file than e's.
func (e evidence) stranger(res dav.Resource) bool {
	return (e.NativeID != "" && res.NativeID != "" && e.NativeID != res.NativeID) ||
		(e.ResourceID != "" && res.ResourceID != "" && e.ResourceID != res.ResourceID)
}

// sameContents reports whether res has the contents that e saw.
func (e evidence) sameContents(res dav.Resource) bool {
	o := evidenceOf(res)
	if e.Container || o.Container {
		return e.Container == o.Container // the ETag and time of a folder are what is in it
	}
	if e.Size >= 0 && o.Size >= 0 && e.Size != o.Size {
		return false
	}
	if e.ETag != "" && o.ETag != "" {
		return e.ETag.Same(o.ETag)
	}
	return e.Modified == o.Modified
}

// leftovers are the locks of ours that are still to be released for file.
func (l *Locks) leftovers(ctx context.Context, file idmap.FileID) ([]leftover, error) {
	all, err := readIntents(ctx, l.DB.Read(), `file = ? AND kind IN (?, ?) ORDER BY id LIMIT 100`, string(file), kindLock, kindUnlock)
	if err != nil {
		return nil, err
	}
	var out []leftover
	for _, w := range all {
		if o, err := readLeftover(w.Intent); err == nil {
			out = append(out, o)
		}
	}
	return out, nil
}

func readLeftover(i Intent) (leftover, error) {
	var o leftover
	if err := json.Unmarshal(i.Detail, &o); err != nil {
		return o, fmt.Errorf("locks: detail of an intent %q: %w", i.Kind, err)
	}
	o.id, o.kind, o.pinned = i.ID, i.Kind, i.Pinned
	return o, nil
}

// leave is what remains of r's DAV lock when its row goes or becomes another's;
// false if nothing does.
func (r *row) leave() (leftover, bool) {
	o := leftover{Path: r.path, Token: r.token, Nonce: r.nonce, Until: sqldb.Millis(r.granted)}
	return o, r.token != ""
}

// addLeftover writes the intent to release o, whose DAV lock r's taker took.
// It is not settled before due.
func addLeftover(ctx context.Context, tx sqldb.Queryer, kind string, r *row, o leftover, serial int64, due time.Time) (int64, error) {
	return insertIntent(ctx, tx, Intent{
		Kind: kind, File: r.file, Space: r.space, Upstream: r.upstream, Serial: serial, Pinned: r.pinned, Detail: detail(o),
	}, due, due)
}

// settleUnlock releases a DAV lock that belongs to no row.
func (l *Locks) settleUnlock(ctx context.Context, x *Lease, i Intent) error {
	o, err := readLeftover(i)
	if err != nil {
		return err
	}
	r, err := readRow(ctx, l.DB.Read(), i.File)
	if err != nil {
		return err
	}
	if r != nil && r.token == o.Token && r.path == o.Path {
		return nil // taken over by a row, which releases it
	}
	if now, err := l.now(ctx); err != nil || r.pending(now) {
		return errors.Join(err, &laterError{now.Add(takingFor)}) // just being taken over, perhaps
	}
	view, err := l.keep(ctx, i.Upstream, i.Pinned)
	if err != nil {
		return err
	}
	return l.release(ctx, view, o)
}

// release gives a DAV lock up. An error means that it may still be there; that the
// upstream does not know the lock is none, nor is a refusal of one that has run out.
func (l *Locks) release(ctx context.Context, view *davbackend.View, o leftover) error {
	if o.Token == "" || l.lacks(theRelease) {
		return nil
	}
	err := unlock(ctx, view, o.Path, o.Token)
	if maybeUnknown(err) {
		if now, clockErr := l.now(ctx); clockErr == nil && sqldb.FromMillis(o.Until).Before(now) {
			return nil
		}
	}
	return err
}

// settleLock looks for a DAV lock that a LOCK of ours may have left: only one that
// shows the nonce is released. Where the upstream does not show it, time must do it.
func (l *Locks) settleLock(ctx context.Context, x *Lease, i Intent) error {
	o, err := readLeftover(i)
	if err != nil {
		return err
	}
	r, err := readRow(ctx, l.DB.Read(), i.File)
	if err != nil {
		return err
	}
	if r != nil && r.nonce == o.Nonce {
		return nil // the row has it
	}
	view, err := l.keep(ctx, i.Upstream, i.Pinned)
	if err != nil {
		return err
	}
	res, err := view.Stat(ctx, o.Path)
	if errors.Is(err, dav.ErrNotFound) && len(res.Locks) == 0 {
		return nil
	}
	if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return err
	}
	for _, lock := range res.Locks {
		if carries(lock.Owner, o.Nonce) && lock.Token != "" {
			if r != nil && r.token == lock.Token {
				return nil
			}
			return l.undo(ctx, view, o, lock.Token, res, l.elsewhere(ctx, view, i.Space, i.File, o, res))
		}
	}
	now, err := l.now(ctx)
	if err != nil {
		return err
	}
	if until := sqldb.FromMillis(o.Until); now.Before(until) {
		return &laterError{until} // not shown, or still under way
	}
	return nil
}

// elsewhere reports whether the empty file res at o's place is one that our LOCK
// made, though no 201 says so: it has another identity than the file that was
// meant, or that is found at another place.
func (l *Locks) elsewhere(ctx context.Context, view *davbackend.View, space idmap.SpaceID, file idmap.FileID, o leftover, res dav.Resource) bool {
	if res.Path == "" || res.Size != 0 {
		return false
	}
	if o.Evidence.stranger(res) {
		return true
	}
	e, _, err := l.IDs.Find(ctx, space, file, view)
	return err == nil && e.Path != o.Path
}

// undo releases the DAV lock that we have on res, and removes the file if our LOCK
// has made it and it is still empty.
func (l *Locks) undo(ctx context.Context, view *davbackend.View, o leftover, token dav.LockToken, res dav.Resource, made bool) error {
	if made && res.Size == 0 {
		if err := worthRetrying(view.Delete(ctx, o.Path, davbackend.Condition{Token: token})); err != nil {
			return err
		}
	}
	return unlock(ctx, view, o.Path, token)
}

// unlock releases the DAV lock token at p. An error means that it may still be
// there. OpenCloud says 423 to a token that it does not know and Nextcloud 500, others
// while they are busy with the file. After 423 it is gone only if lockdiscovery shows
// another in its place; after 500 if there is a lockdiscovery, which x/net and rclone
// do not have, and that does not show it.
func unlock(ctx context.Context, view *davbackend.View, p dav.Path, token dav.LockToken) error {
	err := view.Unlock(ctx, p, token)
	for _, gone := range []error{dav.ErrNotFound, dav.ErrChanged, dav.ErrUnsupported, dav.ErrBadName} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	if !maybeUnknown(err) {
		return err
	}
	res, statErr := view.Stat(ctx, p)
	switch {
	case errors.Is(statErr, dav.ErrNotFound):
		return nil
	case statErr != nil || !res.LocksKnown || (own{tokens: []dav.LockToken{token}}).any(res.Locks):
		return err
	case errors.Is(err, dav.ErrLocked) && len(res.Locks) == 0:
		return err
	}
	return nil
}

// maybeUnknown reports whether a refusal of UNLOCK may only mean that the upstream does
// not know the token (any more).
func maybeUnknown(err error) bool {
	var said *davbackend.StatusError
	return errors.Is(err, dav.ErrLocked) || errors.As(err, &said) && said.Status == http.StatusInternalServerError
}

// worthRetrying keeps the errors after which something may still be there that
// can be removed later.
func worthRetrying(err error) error {
	if unclear(err) || errors.Is(err, dav.ErrUnauthorized) {
		return err
	}
	return nil
}
