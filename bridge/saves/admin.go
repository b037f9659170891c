package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"davwopi/idmap"
)

// An Entry is a line of the journal, for `davwopi saves list` and for pages.
type Entry struct {
	ID       string
	State    string // spooled, delivering, waiting, aside, verified, conflict, unacknowledged, refused, preimage
	Name     string // of the file when it was saved
	Reason   string // why it is still here, "" none
	File     idmap.FileID
	Upstream string
	Size     int64 // bytes
	Writer   string
	User     string // UserID of the person whose own it is, "" nobody's
	At       time.Time
	Until    time.Time // when it is dropped by itself; zero: not before it is delivered
	Why      Why       // it is kept, where Reason is for operators
	SignIn   bool      // its credential was refused: anybody with write right can lend theirs
}

// A Why is what became of an entry that nobody delivers any more.
type Why string

const (
	// NotTaken: the upstream did not take it, and its editor was told so.
	NotTaken Why = ""
	// Stopped: davwopi stopped before it was delivered; its editor may have heard nothing.
	Stopped Why = "stopped"
	// Replaced: it was saved, and right after that something else lay there.
	Replaced Why = "replaced"
	// Vanished: it was saved, and right after that the file was not there any more.
	Vanished Why = "vanished"
	// NoFile: its file is deleted, or nowhere in reach.
	NoFile Why = "no file"
)

// whys are the reasons that say more than that the upstream did not take it.
var whys = map[string]Why{
	reasonUnjournaled: Stopped, reasonUndelivered: Stopped, reasonReplaced: Replaced, reasonVanished: Vanished,
	reasonDeleted: NoFile, reasonGone: NoFile,
}

// Reasons that settle gives, for operators.
const (
	reasonUnjournaled = "davwopi stopped before this save was journaled"
	reasonUndelivered = "davwopi stopped before this save was delivered"
	reasonReplaced    = "replaced outside soon after it was saved"
	reasonVanished    = "gone from the upstream soon after it was saved"
	reasonDeleted     = "the file was deleted"
	reasonGone        = "the file is gone"
)

// until is when the entry is dropped if nobody asks for it (expire).
func (r *row) until() time.Time {
	switch r.state {
	case stateSpooled, stateDelivering, stateWaiting, stateAside, statePreimage:
		return time.Time{}
	}
	return r.changed.Add(retention) // it may have waited for longer before
}

func (r *row) public() Entry {
	return Entry{
		Until: r.until(), Why: whys[r.reason],
		ID: r.id, State: r.state, Name: nameOf(r), Reason: r.reason, File: r.file, Upstream: r.upstream, Size: r.size,
		Writer: r.writer, User: r.user, At: r.made, SignIn: r.acknowledged() && r.reason == needsSignIn,
	}
}

// List returns what can be read from here, oldest first.
func (s *Saves) List(ctx context.Context) ([]Entry, error) {
	all, err := s.anywhere(ctx, `1 = 1`)
	if err != nil {
		return nil, err
	}
	list := make([]Entry, 0, len(all))
	for _, r := range all {
		if s.readable(r) {
			list = append(list, r.public())
		}
	}
	return list, nil
}

// Open returns the bytes of an entry, which the caller closes; [ErrNoEntry]. They
// are compared with the journal's hash first, because the directory may have been
// touched.
func (s *Saves) Open(ctx context.Context, id string) (io.ReadCloser, Entry, error) {
	r, err := s.entry(ctx, id)
	if err != nil {
		return nil, Entry{}, err
	}
	sp, err := s.hashBytes(ctx, r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Entry{}, ErrNoEntry
	}
	if err != nil {
		return nil, Entry{}, fmt.Errorf("saves: reading entry %s: %w", id, err)
	}
	if !bytes.Equal(sp.sha256, r.sha256) {
		return nil, Entry{}, fmt.Errorf("saves: the bytes of entry %s are not those that were saved", id)
	}
	f, err := s.reader(ctx, r, 0)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("saves: reading entry %s: %w", id, err)
	}
	return f, r.public(), nil
}

// Drop removes an entry and its bytes for good, on a person's word. [ErrInUse] if
// a request works on it or its outcome is not settled yet; [ErrNoEntry].
func (s *Saves) Drop(ctx context.Context, id string) error {
	r, err := s.entry(ctx, id)
	if err == nil {
		err = s.takeFrom(ctx, r)
	}
	if err != nil {
		return err
	}
	if !s.live.take(id) {
		return ErrInUse
	}
	defer s.live.leave(id)
	// What may have taken a file away is looked at first: its temp may be that file.
	if r.sent == sentMove {
		if err := s.settle(ctx, r); err != nil {
			return fmt.Errorf("%w: %w", ErrInUse, err)
		}
		if r, err = s.entry(ctx, id); errors.Is(err, ErrNoEntry) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if r.state == stateWaiting {
		// Its strings named bytes that nobody will have.
		if err := s.takeBack(ctx, r); err != nil {
			return err
		}
	}
	return s.forget(ctx, r)
}
