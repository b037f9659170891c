package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"davwopi/bridge/locks"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// In an outage some saves are no save of the file any more: they rest on older contents
// than those that are known, or somebody else has the file, or the editing is diverted.
// With the upstream there they would become a conflict copy at once (DESIGN 7.7). Editors
// that do not try again are told 200 for them too; they wait in the state `aside`, are
// shown to nobody as the file, and become that copy when the upstream is back.

// acknowledged reports whether somebody was told that these bytes are safe, though the
// upstream has not got them.
func (r *row) acknowledged() bool { return r.state == stateWaiting || r.state == stateAside }

// isAside reports whether the outage met a save that is to go beside its file.
func (d *delivery) isAside(ctx context.Context) (bool, error) {
	if d.pending != nil || d.holder != "" {
		return true, nil
	}
	rests, err := d.rests(ctx)
	return !rests, err
}

// queueAside lets the entry wait for its place beside the file.
func (d *delivery) queueAside(ctx context.Context, cause error) (idmap.Revision, bool, error) {
	none := idmap.Revision{}
	known, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if errors.Is(err, idmap.ErrNotFound) {
		return none, false, nil // nothing says where beside would be
	}
	if err != nil {
		return none, false, err
	}
	if err := d.mine(ctx); err != nil {
		return none, false, err
	}
	now, err := d.s.DB.Now(ctx)
	if err != nil {
		return none, false, err
	}
	err = d.s.advance(ctx, d.r, func(n *row) {
		n.state, n.reason = stateAside, bounded(cause.Error())
		n.startsFrom(known.Path)
	}, func(tx sqldb.Queryer) error {
		return replacesOlderAsides(ctx, tx, d.r)
	})
	if err != nil {
		return none, false, err
	}
	if err := d.s.step("aside"); err != nil {
		return none, false, err
	}
	d.s.dropReplaced(ctx, d.file)
	return asideRevision(d.r, now), true, nil
}

// startsFrom notes where the file is when its bytes begin to wait, unless something was sent
// there already: if it is deleted meanwhile they go beside that.
func (r *row) startsFrom(at dav.Path) {
	if r.sent == sentNothing {
		r.target = at
	}
}

// replacesOlderAsides ends, inside tx, the waiting of older asides of the same editing that
// nothing was sent of.
func replacesOlderAsides(ctx context.Context, tx sqldb.Queryer, r *row) error {
	_, err := tx.Exec(ctx, `UPDATE saves_entry SET state = ?, reason = ?
		WHERE file = ? AND editing = ? AND state = ? AND num < ? AND sent = 0 AND temp = ''`,
		stateUnacknowledged, supersededSaved, string(r.file), r.editing, stateAside, r.num)
	return err
}

// asideRevision has strings for bytes that are no revision of any file yet: of a form
// that no file's have, so that nothing is found by them.
func asideRevision(r *row, now time.Time) idmap.Revision {
	return idmap.Revision{
		Version:      "aside." + r.id,
		LastModified: fmt.Sprintf("%s.%07dZ", now.UTC().Format("2006-01-02T15:04:05"), rand.N(10_000_000)),
		Size:         r.size,
		SHA256:       r.sha256,
	}
}

// settleAside brings the bytes of an aside entry to the copy, under the file's lease.
func (d *delivery) settleAside(ctx context.Context) error {
	if d.r.beside == 1 {
		if err := d.settleBegun(ctx, stateAside); err != nil || d.r.state != stateAside {
			return err
		}
	}
	newer, err := d.s.exists(ctx, `SELECT 1 FROM saves_entry WHERE file = ? AND editing = ? AND editing > 0 AND state = ? AND num > ? LIMIT 1`,
		string(d.file), d.r.editing, stateAside, d.r.num)
	if err != nil {
		return err
	}
	if newer && d.r.sent == sentNothing {
		d.dropTemp(ctx, d.r.temp)
		return d.s.forget(ctx, d.r)
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err = d.goAside(ctx)
		if n == maxRounds || !errors.Is(err, errAgain) {
			break
		}
	}
	return d.ended(ctx, err)
}

// goAside is one try to put the bytes beside the file, or into it if that is what an
// earlier try, before the outage, has done in part or whole.
func (d *delivery) goAside(ctx context.Context) error {
	if res, ok, err := d.landed(ctx); err != nil {
		return err
	} else if ok {
		return d.found(ctx, res)
	}
	err := d.look(ctx)
	switch {
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound), errors.Is(err, dav.ErrNotFound):
		_, err := d.gone(ctx, err)
		return err
	case err != nil:
		return err
	case !d.own[d.entry.Revision.Number]:
		return d.conflict(ctx, "conflict")
	}
	res, err := d.upload(ctx) // what lies there is a piece of these bytes
	if err != nil {
		return err
	}
	return d.found(ctx, res)
}

// settleBegun settles a copy beside the file of which it is not known whether it is
// there. If it is not, the entry is as before it was begun, in state.
func (d *delivery) settleBegun(ctx context.Context, state string) error {
	if err := d.settleBeside(ctx); err != nil || d.r.state != state {
		return err
	}
	return d.s.advance(ctx, d.r, func(n *row) { n.beside = 0 }, nil)
}

// prepare checks the bytes, and takes the entry over under the lease.
func (d *delivery) prepare(ctx context.Context) error {
	sp, err := d.s.hashBytes(ctx, d.r)
	if err != nil {
		return fmt.Errorf("saves: reading entry %s: %w", d.r.id, err)
	}
	if !bytes.Equal(sp.sha256, d.r.sha256) {
		return errSpoiled
	}
	d.t.File, err = d.s.IDs.Known(ctx, d.r.space, d.file)
	if errors.Is(err, idmap.ErrNotFound) && d.r.target != "" {
		// Deleted since the bytes began to wait: they go beside where it was.
		d.t.File, err = idmap.Entry{ID: d.file, Space: d.r.space, Name: d.r.name, Path: d.r.target}, nil
	}
	if err != nil {
		return err
	}
	return d.s.advance(ctx, d.r, func(n *row) { n.serial = d.lease.Serial }, nil)
}

// replacesAsides ends, inside tx, the waiting of older asides of the same editing: the
// copy has newer bytes of it.
func (d *delivery) replacesAsides(ctx context.Context, tx sqldb.Queryer) error {
	if d.r.editing == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE saves_entry SET state = ?, reason = ? WHERE file = ? AND editing = ? AND state = ? AND num < ?`,
		stateUnacknowledged, supersededSaved, string(d.file), d.r.editing, stateAside, d.r.num)
	return err
}

// dropAsides removes what replacesAsides has ended, temps included. Nothing depends on
// it.
func (d *delivery) dropAsides(ctx context.Context) {
	old, err := d.s.entries(ctx, `file = ? AND state = ? AND reason = ? AND temp <> '' AND (sent = 0 OR beside = 1)`,
		string(d.file), stateUnacknowledged, supersededSaved)
	for _, r := range old {
		d.dropTemp(ctx, r.temp)
	}
	if err != nil {
		d.s.OnError("saves: dropping superseded entries", err)
	}
	d.s.dropReplaced(ctx, d.file)
}

// divert keeps an editing of ONLYOFFICE on the copy that its bytes went to.
func (d *delivery) divert(ctx context.Context) {
	st, err := d.s.Locks.State(ctx, d.file)
	if ed := st.Editing; err == nil && ed != nil && ed.ID == d.r.editing {
		err = d.s.Locks.SetConflict(ctx, d.lease, ed.ID, ed.Reported, d.r.copy)
	}
	if err != nil && !errors.Is(err, locks.ErrStale) {
		d.s.OnError("saves: recording a conflict", err)
	}
}
