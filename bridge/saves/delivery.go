package saves

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"davwopi/bridge/locks"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// A delivery is one attempt to bring an entry's bytes to one file, under that
// file's lease. It is used by one goroutine.
type delivery struct {
	s     *Saves
	r     *row
	t     locks.Target
	p     Put
	actor locks.Actor
	lease *locks.Lease // of the file; nil while a new file is made
	until time.Time    // end of the request's patience

	permit locks.Permit
	view   *davbackend.View // whose credential is tried now
	token  dav.LockToken    // shown on the upstream; "" none
	file   idmap.FileID     // the file that is written
	base   int64            // revision that the bytes rest on; 0: anything goes

	entry idmap.Entry    // the file as the last look showed it
	was   dav.Resource   // the PROPFIND of that look
	own   map[int64]bool // revisions of the file that this delivery has left

	copyOwn map[int64]bool // the same of the conflict copy

	inflight   string         // state while sending; "": delivering
	inPlace    bool           // the profile says so, or MOVE is refused
	asTaker    bool           // the lock taker's credential is tried
	handed     bool           // the DAV lock was handed over, or that was tried
	takerGone  error          // why it goes on without the lock that another person took; nil: it does not
	reshadowed bool           // the DAV lock was taken again, once
	missed     bool           // the file was not there, once
	tempSeen   dav.Resource   // the temp when it was verified
	putTag     dav.ETag       // of what the last PUT into place has written, "" not told
	stamp      string         // that was written on a temp
	stampOn    dav.Path       // which one
	staged     bool           // that was in this round
	attempt    int            // names tried for a new file
	pre        *row           // pre-image of exactly what the last look showed
	fetched    bool           // by a GET that took its time
	gathered   *chunks        // on the upstream, not yet put together; nil none
	abandoned  bool           // chunks were left on the upstream, which may be at work on them
	undoable   bool           // a pre-image is kept, or nothing is written
	putBack    *row           // pre-image to restore if the upload in place fails
	holder     string         // who has the file instead; "" nobody
	superseded bool           // by the holder of a WOPI lock
	pending    *ConflictError // the answer if the copy cannot be made in time
}

// body is the spool as the upstream client wants it.
func (d *delivery) body(ctx context.Context) davbackend.Body {
	return d.s.upTo(ctx, d.r, 0, d.r.size)
}

// condition is what must hold for a write: our lock, and the contents that the
// last look showed, where the profile honours ETags or nothing else protects the
// file. (The upstream client looks itself where ETags are not honoured.)
func (d *delivery) condition() davbackend.Condition {
	c := davbackend.Condition{Token: d.token}
	if d.s.lacks(theCondition) {
		return c
	}
	if d.token == "" || d.view.Client().Profile().Conditions {
		c.ETag = d.was.ETag
	}
	return c
}

// look finds the file and what lies there now. Contents that have only got another
// ETag stay the revision that they were.
//
// It costs one PROPFIND if the file is where it was. Errors: [idmap.ErrMissing],
// [idmap.ErrNotFound], or the upstream's.
func (d *delivery) look(ctx context.Context) error {
	known, err := d.s.IDs.Known(ctx, d.t.File.Space, d.file)
	if err != nil {
		return err
	}
	res, err := d.view.Stat(ctx, known.Path)
	if err == nil && !res.Collection {
		if err := d.touched(ctx, known, res); err != nil {
			return err
		}
		e, err := d.s.IDs.See(ctx, d.t.File.Space, res, d.view)
		if err != nil {
			return err
		}
		if e.ID == d.file {
			d.entry, d.was = e, res
			return d.may(ctx)
		}
	} else if err != nil && !errors.Is(err, dav.ErrNotFound) {
		return err
	}
	e, res, err := d.s.IDs.Find(ctx, d.t.File.Space, d.file, d.view)
	if err != nil {
		return err
	}
	d.entry, d.was = e, res
	return d.may(ctx)
}

// may asks the rules about the place where the file is now: it may have been moved
// while the save waited.
func (d *delivery) may(ctx context.Context) error {
	if d.t.May == nil {
		return nil
	}
	return d.t.May(ctx, d.entry)
}

// touched tells idmap that an ETag changed while the contents did not (DESIGN
// 7.7: compared by sha256 before it is called a change).
//
// Equal contents do not make a copy the file: where the upstream has IDs of its own
// idmap judges by them, and compare looks at the contents.
func (d *delivery) touched(ctx context.Context, known idmap.Entry, res dav.Resource) error {
	rev := known.Revision
	if res.NativeID != "" || res.ResourceID != "" || !d.r.restored.IsZero() {
		return nil
	}
	if len(rev.SHA256) == 0 || res.Size != rev.Size || res.ETag == "" || rev.ETag == "" || res.ETag.Same(rev.ETag) {
		return nil
	}
	sum, err := hashAt(ctx, d.view, res.Path)
	if err != nil || !bytes.Equal(sum, rev.SHA256) {
		return err
	}
	_, err = d.s.IDs.Rebind(ctx, d.t.File.Space, d.file, res)
	return err
}

// same reports whether two looks showed the same contents, as far as a PROPFIND
// can tell.
func same(a, b dav.Resource) bool {
	if a.ETag != "" && b.ETag != "" {
		return a.ETag.Same(b.ETag)
	}
	return a.Size == b.Size && a.Modified.Equal(b.Modified)
}

// hashAt reads what lies at p and hashes it. It returns [dav.ErrIncomplete] if the
// upstream hangs up early.
func hashAt(ctx context.Context, v *davbackend.View, p dav.Path) ([]byte, error) {
	c, err := v.Get(ctx, p, 0, -1)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	hash := sha256.New()
	n, err := copyBytes(hash, c)
	if err != nil {
		return nil, fmt.Errorf("saves: reading back: %w", err)
	}
	if c.Size >= 0 && n != c.Size {
		return nil, fmt.Errorf("saves: reading back: %w", dav.ErrIncomplete)
	}
	return hash.Sum(nil), nil
}

// holds reports whether res has our bytes: by the temp's ETag, which a MOVE keeps,
// else by sha256, never by size alone.
func (d *delivery) holds(ctx context.Context, res dav.Resource) (bool, error) {
	if res.Collection || res.Size >= 0 && res.Size != d.r.size {
		return false, nil
	}
	if d.r.tempETag != "" && res.ETag.Same(d.r.tempETag) && !d.r.tempETag.Same(d.r.before) {
		return true, nil
	}
	sum, err := hashAt(ctx, d.view, res.Path)
	if err != nil {
		return false, err
	}
	return bytes.Equal(sum, d.r.sha256), nil
}

// brokeOff reports whether res is what an upload of ours left that broke off: a
// strict prefix of our bytes.
func (d *delivery) brokeOff(ctx context.Context, res dav.Resource) (bool, error) {
	if res.Collection || res.Size < 0 || res.Size >= d.r.size {
		return false, nil
	}
	c, err := d.view.Get(ctx, res.Path, 0, -1)
	if err != nil {
		return false, err
	}
	defer c.Close()
	f, err := d.s.reader(ctx, d.r, 0)
	if errors.Is(err, ErrElsewhere) {
		return false, nil // nothing can be proven
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	theirs, ours := make([]byte, chunk), make([]byte, chunk)
	for {
		n, err := io.ReadFull(c, theirs)
		if _, ferr := io.ReadFull(f, ours[:n]); ferr != nil && n > 0 {
			return false, nil
		}
		if !bytes.Equal(theirs[:n], ours[:n]) {
			return false, nil
		}
		switch {
		case errors.Is(err, dav.ErrIncomplete):
			return false, err
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

// lost reports whether an answer does not say what became of the request.
func lost(err error) bool {
	return errors.Is(err, dav.ErrUnavailable) || errors.Is(err, dav.ErrIncomplete)
}
