package idmap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// FolderTags says what the ETag of a folder tells about changes below it, as the
// upstream was measured.
type FolderTags int

const (
	NoTags      FolderTags = iota // nothing: a folder has to be listed
	OwnChildren                   // something came, went or was renamed in the folder itself
	WholeTree                     // something changed anywhere below it
)

var (
	// ErrEarly: the next round of a walk is not due yet.
	ErrEarly = errors.New("idmap: the next walk is not due")
	// ErrTaken: another bridge walks, or has taken the walk over.
	ErrTaken = errors.New("idmap: somebody else walks")
)

// A Walk looks for what others have renamed or moved in one space, before somebody
// asks for it and finds it gone, and while its evidence is fresh. What it sees goes the
// way of a person's listing ([Map.SeeAll], [Map.See], [Map.Find]): it has no rules of
// its own.
//
// A round looks first into the folders that hold issued IDs and that somebody has used
// lately. Only if something was lost, then or before, it searches the folders that nobody
// knew, for what was lost, and gives IDs to nothing else there. Folders whose ETags say
// that nothing has happened are passed over.
//
// All fields are set before use. Several processes may have a Walk over one space: one
// of them walks at a time, and another one goes on where a dead one was.
type Walk struct {
	Map    *Map
	Space  SpaceID
	Finder Finder                      // sees the whole root: a service account's view
	Pace   func(context.Context) error // called before every request; its error ends the round. nil: no limit
	Tags   FolderTags
	Every  time.Duration // from the beginning of a round to that of the next
	Within time.Duration // a folder that nobody has used for so long is not looked into
	Search int           // folders that one round searches for what was lost; 0: none

	holder string
}

// NewWalk returns w, ready for use.
func NewWalk(ctx context.Context, w Walk) (*Walk, error) {
	if err := w.Map.DB.Migrate(ctx, "idmap walk", walkMigrations); err != nil {
		return nil, fmt.Errorf("idmap: walk: %w", err)
	}
	w.holder = random(10)
	return &w, nil
}

// Walked is what a round has done.
type Walked struct {
	Requests int // to the upstream
	Listed   int // folders
	Same     int // folders that were passed over for their ETags, each with what is below it where that counts
	Searched int // folders that nobody knew
	Lost     int // files and folders that are not where they were, and were not found
}

// Round makes a round, or what is left of one that was broken off. It returns
// [ErrEarly] if none is due, [ErrTaken] if another process has it, and the error of the
// Finder that ended it, such as dav.ErrUnavailable: the next call goes on there.
func (w *Walk) Round(ctx context.Context) (Walked, error) {
	r, err := w.begin(ctx)
	if err != nil {
		return Walked{}, fmt.Errorf("idmap: walk: %w", err)
	}
	err = r.kept(ctx)
	if leaveErr := r.leave(context.WithoutCancel(ctx)); err == nil {
		err = leaveErr
	}
	if err != nil {
		return r.done, fmt.Errorf("idmap: walk: %w", err)
	}
	return r.done, nil
}

// kept walks while the walk's lease is renewed.
func (r *round) kept(ctx context.Context) error {
	bounded, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	defer func() { cancel(); keeping.Wait() }()
	keeping.Go(func() { r.keep(bounded, cancel) })
	err := r.walk(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = ErrTaken
	}
	return err
}

// Look looks into folders where something may just have changed, as a file system has
// said, and for what is lost by that. Unknown and vanished folders are passed over. It
// needs no turn: a look is right whoever makes it.
func (w *Walk) Look(ctx context.Context, folders []dav.Path) (Walked, error) {
	r := w.round()
	now, err := w.Map.DB.Now(ctx)
	if err != nil {
		return Walked{}, fmt.Errorf("idmap: look: %w", err)
	}
	for _, p := range folders {
		owner, _, err := w.Map.ownerAt(ctx, w.Space, p)
		if err == nil && owner != nil && owner.kind == Container {
			_, err = r.look(ctx, p)
		}
		if err != nil && !passable(err) {
			return r.done, fmt.Errorf("idmap: look: %w", err)
		}
	}
	lost, err := w.lost(ctx, sqldb.Millis(now)-1, ``, maxFound)
	if err == nil {
		err = r.find(ctx, lost)
	}
	if err != nil {
		return r.done, fmt.Errorf("idmap: look: %w", err)
	}
	return r.done, nil
}

// passable reports whether a walk goes on after err: this folder cannot be seen.
func passable(err error) bool {
	return errors.Is(err, dav.ErrNotFound) || errors.Is(err, dav.ErrDenied) || errors.Is(err, dav.ErrUnsupported)
}

// maxFound bounds the lost resources that are looked for one by one.
const maxFound = 50

// A round is one walk under way.
type round struct {
	*Walk
	f     Finder // paced and counted
	row   walkRow
	tags  map[dav.Path]dav.ETag // of folders, as listings of this round have shown
	dirty []folderRow           // not yet written
	saved time.Time             // when the position was written
	done  Walked
}

// maxTags bounds the tags that a round remembers.
const maxTags = 20000

func (w *Walk) round() *round {
	r := &round{Walk: w, tags: map[dav.Path]dav.ETag{}}
	r.f = paced{w.Finder, w.Pace, &r.done.Requests}
	if h, ok := w.Finder.(Hasher); ok {
		r.f = pacedHasher{r.f.(paced), h}
	}
	return r
}

func (r *round) walk(ctx context.Context) error {
	top, _, err := r.Map.ownerAt(ctx, r.Space, dav.Root)
	if err != nil {
		return err
	}
	if top == nil {
		return r.finish(ctx) // nothing has an ID
	}
	if r.row.phase == walkKnown {
		if err := r.known(ctx, dav.Root, top.num); err != nil {
			return err
		}
		if err := r.turn(ctx); err != nil {
			return err
		}
	}
	if err := r.seek(ctx, top.num); err != nil {
		return err
	}
	return r.finish(ctx)
}

// paced is a Finder that waits before each request, and counts it.
type paced struct {
	f    Finder
	pace func(context.Context) error
	n    *int
}

func (p paced) wait(ctx context.Context) error {
	*p.n++
	if p.pace == nil {
		return ctx.Err()
	}
	return p.pace(ctx)
}

func (p paced) Stat(ctx context.Context, at dav.Path, extra ...dav.PropName) (dav.Resource, error) {
	if err := p.wait(ctx); err != nil {
		return dav.Resource{}, err
	}
	return p.f.Stat(ctx, at, extra...)
}

func (p paced) List(ctx context.Context, at dav.Path, each func(dav.Resource) error) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	return p.f.List(ctx, at, each)
}

func (p paced) ByNativeID(ctx context.Context, nativeID string) (dav.Path, error) {
	if err := p.wait(ctx); err != nil {
		return "", err
	}
	return p.f.ByNativeID(ctx, nativeID)
}

// ByInode asks the disk, which is no request.
func (p paced) ByInode(ctx context.Context, inode string) ([]dav.Path, error) {
	disk, ok := p.f.(InodeFinder)
	if !ok {
		return nil, dav.ErrUnsupported
	}
	return disk.ByInode(ctx, inode)
}

type pacedHasher struct {
	paced
	h Hasher
}

func (p pacedHasher) SHA256(ctx context.Context, at dav.Path, limit int64) ([]byte, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	return p.h.SHA256(ctx, at, limit)
}
