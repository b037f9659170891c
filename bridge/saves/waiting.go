package saves

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A Policy says what a save is answered that the upstream does not take because it
// is away (DESIGN 7.5).
type Policy string

const (
	// Refuse answers with an error; the bytes are kept for recovery. The zero Policy
	// does, too.
	Refuse Policy = "refuse"
	// Auto lets the saves of editors wait that would not try again: ONLYOFFICE and
	// Collabora. The others keep their own unsaved mark.
	Auto Policy = "auto"
	// Queue lets all saves wait.
	Queue Policy = "queue"
)

// Where saves may wait.
const (
	defaultMaxAge = 24 * time.Hour
	leastFree     = 256 << 20 // bytes
	leastPart     = 20        // a twentieth of the disk: 5 %, or
	enoughFree    = 8 << 30   // bytes: two of the largest bodies
)

const (
	needsSignIn     = "needs sign-in"
	supersededSaved = "a newer save replaces it"
)

// outage reports whether an error is one that waiting helps against.
func outage(err error) bool {
	var foreign *foreignError
	switch {
	case errors.As(err, &foreign), errors.Is(err, errAgain), errors.Is(err, dav.ErrChanged), errors.Is(err, locks.ErrBusy):
		return false
	}
	return transient(err) || errors.Is(err, dav.ErrUnauthorized)
}

// queueing reports whether the saves of an editor may wait by the policy.
func (p Policy) queueing(office wopi.Office) bool {
	switch p {
	case Queue:
		return true
	case Auto:
		return office == wopi.OnlyOffice || office == wopi.Collabora
	}
	return false
}

// mayQueue reports whether a save may be acknowledged that only this directory has:
// never where that may be forgotten, is nearly full, is not read by every bridge, or
// where saves have waited for too long already.
func (s *Saves) mayQueue(ctx context.Context) (bool, error) {
	if s.DB.Shared() && s.place() == s.store && !s.ownSpool {
		return false, nil
	}
	if s.DB.Shared() && s.InDatabase {
		return s.freshEnough(ctx) // the room is the database's affair, which refuses what it cannot keep
	}
	if s.lacks(theRoom) {
		return true, nil
	}
	room, err := s.disk.room(s.spools())
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("saves: looking at the state directory: %w", err)
	}
	if room.fleeting || room.nearlyFull() {
		return false, nil
	}
	return s.freshEnough(ctx)
}

// freshEnough reports whether nothing has waited for longer than [Saves.MaxAge].
func (s *Saves) freshEnough(ctx context.Context) (bool, error) {
	now, err := s.DB.Now(ctx)
	if err != nil {
		return false, err
	}
	old, err := s.exists(ctx, `SELECT 1 FROM saves_entry WHERE store = ? AND state IN (?, ?) AND made < ? LIMIT 1`,
		s.store, stateWaiting, stateAside, sqldb.Millis(now.Add(-s.MaxAge)))
	return !old, err
}

// queueOr lets the entry wait if its failure is an outage and everything allows it;
// then it returns the revision that the editor is told. Else it ends the delivery.
func (d *delivery) queueOr(ctx context.Context, cause error) (idmap.Revision, error) {
	rev, ok, err := d.queue(ctx, cause)
	switch {
	case ok:
		return rev, nil
	case err == nil:
		return idmap.Revision{}, d.end(ctx, cause)
	case errors.Is(err, errCrash), errors.Is(err, locks.ErrStale):
		return idmap.Revision{}, err
	}
	return idmap.Revision{}, d.end(ctx, errors.Join(cause, err))
}

// queue is queueOr without an end: false if the entry does not wait.
func (d *delivery) queue(ctx context.Context, cause error) (idmap.Revision, bool, error) {
	none := idmap.Revision{}
	if !outage(cause) || d.p.NoWait || d.r.kind != kindPut || d.permit.Editing == nil || !d.s.WhenDown.queueing(d.office()) {
		return none, false, nil
	}
	if d.pending != nil && !d.pending.Diverted {
		return none, false, nil // the conflict is certain, and its person is asked
	}
	if ok, err := d.s.mayQueue(ctx); err != nil || !ok {
		return none, false, err
	}
	if ok, err := d.deliverable(); err != nil || !ok {
		return none, false, err
	}
	if aside, err := d.isAside(ctx); err != nil {
		return none, false, err
	} else if aside {
		return d.queueAside(ctx, cause)
	}
	if d.undeliverable() {
		return none, false, nil
	}
	if err := d.mine(ctx); err != nil {
		return none, false, err
	}
	if err := d.s.step("to wait"); err != nil {
		return none, false, err
	}
	rev, err := d.wait(ctx, cause)
	if err != nil {
		return none, false, err
	}
	if err := d.s.step("waiting"); err != nil {
		return none, false, err
	}
	d.s.dropReplaced(ctx, d.file)
	return rev, true, nil
}

// deliverable reports whether there is a credential to deliver the bytes with later.
func (d *delivery) deliverable() (bool, error) {
	if len(d.r.pinned) > 0 {
		return true, nil
	}
	up, err := d.s.Locks.Upstreams.Get(d.r.upstream)
	return err == nil && up.Service != nil, err
}

// undeliverable reports whether the bytes, which are none, would never be written over what
// is known to lie on the upstream: that is too large to be kept first (keepPreimage), and
// nobody should be told that it is only a matter of time.
func (d *delivery) undeliverable() bool {
	there := d.entry.Revision.Size
	return d.r.size == 0 && there != 0 && (there < 0 || there > d.s.preBytes)
}

// rests reports whether the bytes rest on what is known to lie on the upstream, or
// on what waits already.
func (d *delivery) rests(ctx context.Context) (bool, error) {
	known, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if errors.Is(err, idmap.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.entry = known
	if w, err := d.s.waitingRow(ctx, d.file, d.r.id); err != nil || w != nil && !known.Missing.IsZero() {
		return false, err
	} else if w != nil {
		if ok, err := d.restsOn(ctx, d.s.DB.Read(), w); err != nil || !ok {
			return false, err
		}
	}
	if d.own[known.Revision.Number] || known.Revision.Number == d.base {
		return true, nil
	}
	return d.s.writtenBy(ctx, d.r.editing, d.file, known.Revision.Number)
}

// restsOn reports whether the bytes rest on the waiting save w.
func (d *delivery) restsOn(ctx context.Context, q sqldb.Queryer, w *row) (bool, error) {
	if d.base >= w.revision {
		return true, nil
	}
	return writtenBy(ctx, q, d.r.editing, d.file, w.revision)
}

// wait lets the entry wait, under the lease, and returns the revision that it is from then on.
func (d *delivery) wait(ctx context.Context, cause error) (idmap.Revision, error) {
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return idmap.Revision{}, fmt.Errorf("saves: %w", err)
	}
	var rev idmap.Revision
	next := *d.r
	err = d.s.DB.Write(ctx, func(tx sqldb.Queryer) (err error) {
		next = *d.r
		next.changed, next.reason = now, bounded(cause.Error())
		next.startsFrom(d.entry.Path)
		if err := d.lease.Still(ctx, tx); err != nil {
			return err
		}
		if newer, err := newerIn(ctx, tx, d.r); err != nil || newer && !d.s.lacks(theOrder) {
			return errors.Join(errSuperseded, err) // one was acknowledged behind us
		}
		rev, err = d.begins(ctx, tx, now, d.permit.Editing, &next)
		return err
	})
	if errors.Is(err, errTaken) {
		err = d.s.notChanged(d.r, err)
	}
	if err != nil {
		return idmap.Revision{}, err
	}
	*d.r = next
	return rev, nil
}

// begins is all that a waiting save is, inside tx: a revision over what is known, with the
// bytes of next, which is d.r as it is from then on; whose work that is, and the base of its
// editing; the older ones that nothing was sent of need not wait any more; the file is pinned.
// It is one transaction: whoever is shown the strings of the revision finds its bytes, too.
func (d *delivery) begins(ctx context.Context, tx sqldb.Queryer, now time.Time, ed *locks.Editing, next *row) (idmap.Revision, error) {
	rev, err := d.s.IDs.IssueIn(ctx, tx, d.t.File.Space, d.file, d.entry.Revision.Number, now)
	if err != nil {
		return idmap.Revision{}, err
	}
	rev.Size, rev.SHA256, rev.ETag = d.r.size, d.r.sha256, ""
	next.state, next.revision, next.base = stateWaiting, rev.Number, rev.Number
	if err := d.s.update(ctx, tx, d.r, next); err != nil {
		return idmap.Revision{}, err
	}
	if err := wrote(ctx, tx, now, hand{d.r.num, ed.ID, d.r.user}, d.file, rev, d.r.sha256); err != nil {
		return idmap.Revision{}, err
	}
	_, err = tx.Exec(ctx, `UPDATE saves_entry SET state = ?, reason = ? WHERE file = ? AND state = ? AND num < ? AND sent = 0 AND temp = ''`,
		stateUnacknowledged, supersededSaved, string(d.file), stateWaiting, d.r.num)
	if err != nil {
		return idmap.Revision{}, err
	}
	if err := d.s.Locks.Pin(ctx, tx, d.file, ed.Editor, now); err != nil {
		return idmap.Revision{}, err
	}
	return rev, d.s.Locks.Based(ctx, tx, d.file, ed.ID, rev.Number, now)
}

// replaced ends, inside tx, the waiting of older saves that the bytes rest on: they are on
// the upstream. What was acknowledged meanwhile, and is not known to them, goes on waiting.
func (d *delivery) replaced(ctx context.Context, tx sqldb.Queryer) error {
	old, err := rowsOf(ctx, tx, `file = ? AND state = ? AND num < ?`, string(d.file), stateWaiting, d.r.num)
	if err != nil {
		return err
	}
	for len(old) > 0 { // each rests on those before it
		ok, err := d.restsOn(ctx, tx, old[len(old)-1])
		if err != nil {
			return err
		}
		if ok {
			break
		}
		old = old[:len(old)-1]
	}
	if len(old) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, `UPDATE saves_entry SET state = ?, reason = ? WHERE file = ? AND state = ? AND num <= ?`,
		stateUnacknowledged, supersededSaved, string(d.file), stateWaiting, old[len(old)-1].num)
	if err != nil {
		return err
	}
	return d.s.unpin(ctx, tx, d.r.id, d.file)
}

// unpin ends the pinning of a file, inside tx, unless another save of it waits than
// the one that is id.
func (s *Saves) unpin(ctx context.Context, tx sqldb.Queryer, id string, file idmap.FileID) error {
	var n int64
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM saves_entry WHERE file = ? AND state = ? AND id <> ?`, string(file), stateWaiting, id).Scan(&n)
	if err != nil || n > 0 {
		return err
	}
	return s.Locks.Unpin(ctx, tx, file)
}

// dropReplaced removes the waiting saves that newer ones have replaced. Nothing
// depends on it.
func (s *Saves) dropReplaced(ctx context.Context, file idmap.FileID) {
	old, err := s.entries(ctx, `file = ? AND state = ? AND reason = ?`, string(file), stateUnacknowledged, supersededSaved)
	for _, r := range old {
		if !s.live.take(r.id) {
			continue
		}
		err = errors.Join(err, s.forget(ctx, r))
		s.live.leave(r.id)
	}
	if err != nil {
		s.OnError("saves: dropping superseded entries", err)
	}
}

// waitingRow is the newest waiting save of file but that of id; nil if there is none.
func (s *Saves) waitingRow(ctx context.Context, file idmap.FileID, but string) (*row, error) {
	r, err := scan(s.DB.Read().QueryRow(ctx, `SELECT num, `+columns+` FROM saves_entry WHERE file = ? AND state = ? AND id <> ? ORDER BY num DESC LIMIT 1`,
		string(file), stateWaiting, but))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("saves: journal: %w", err)
	}
	return r, nil
}

// besideWaiting keeps what does not rest on a waiting save from being written over
// it. Nil: it may be written.
func (d *delivery) besideWaiting(ctx context.Context) error {
	if d.r.state == stateWaiting {
		return nil
	}
	w, err := d.s.waitingRow(ctx, d.file, d.r.id)
	if err != nil || w == nil {
		return err
	}
	if d.permit.Editing == nil {
		return locks.ErrWaiting()
	}
	if ok, err := d.restsOn(ctx, d.s.DB.Read(), w); err != nil || ok {
		return err
	}
	return d.conflict(ctx, "conflict")
}
