package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// perFolder is how many files lie in each folder; a tenth of all folders lies below
// each of ten folders at the top.
const perFolder = 1000

// A large is a map of many files, in a state directory of its own.
type large struct {
	dir   string
	files int
	db    *sqldb.DB
	m     *idmap.Map
	s     idmap.SpaceID
}

// files is how many files the map has.
func files(b *testing.B) int {
	text := os.Getenv("DAVWOPI_BENCH_FILES")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10*perFolder {
		b.Fatalf("DAVWOPI_BENCH_FILES=%s: at least %d", text, 10*perFolder)
	}
	return n / (10 * perFolder) * 10 * perFolder
}

// newLarge makes the map, or takes the one that was made before.
func newLarge(b *testing.B) *large {
	b.Helper()
	l := &large{files: files(b), dir: os.Getenv("DAVWOPI_BENCH_DIR")}
	if l.dir == "" {
		l.dir = b.TempDir()
	}
	l.dir = filepath.Join(l.dir, strconv.Itoa(l.files))
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		b.Fatal(err)
	}
	l.open(b)
	b.Cleanup(func() { l.close(b) })
	if _, err := l.m.KnownAt(b.Context(), l.s, l.path(l.files-1)); err != nil {
		l.makeFolders(b)
		l.close(b)
		l.fill(b)
		l.open(b)
	}
	return l
}

func (l *large) open(b *testing.B) {
	b.Helper()
	ctx := context.Background()
	var err error
	if l.db, err = sqldb.Open(ctx, l.file()); err != nil {
		b.Fatal(err)
	}
	if l.m, err = idmap.New(ctx, l.db); err != nil {
		b.Fatal(err)
	}
	if l.s, err = l.m.Space(ctx, "main", ""); err != nil {
		b.Fatal(err)
	}
}

func (l *large) close(b *testing.B) {
	b.Helper()
	if err := l.db.Close(); err != nil {
		b.Fatal(err)
	}
}

func (l *large) file() string { return filepath.Join(l.dir, "state.db") }

func (l *large) folder(i int) dav.Path {
	perTop := l.files / perFolder / 10
	return dav.Path(fmt.Sprintf("/team-%d/project-%d/part-%d", i/perTop, i%perTop/10, i%10))
}

func (l *large) path(i int) dav.Path {
	return l.folder(i/perFolder) + dav.Path(fmt.Sprintf("/document-%d.odt", i%perFolder))
}

func (l *large) anyPath() dav.Path { return l.path(rand.IntN(l.files)) }

// forget makes the kernel forget what it keeps of the database, which is closed and
// opened meanwhile.
func (l *large) forget(b *testing.B) {
	b.Helper()
	l.close(b)
	f, err := os.Open(l.file())
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
	l.open(b)
}

// times runs f for every round of b and reports the middle and the hundredth-slowest
// round, in microseconds.
func times(b *testing.B, f func()) {
	b.Helper()
	var all []time.Duration
	for b.Loop() {
		began := time.Now()
		f()
		all = append(all, time.Since(began))
	}
	report(b, all)
}

// BenchmarkIDs is about the map with all its files: DESIGN.md 13, the line "idmap".
func BenchmarkIDs(b *testing.B) {
	l := newLarge(b)
	b.Run("Size", func(b *testing.B) { l.size(b) })
	b.Run("ColdByPath", func(b *testing.B) { l.cold(b, l.byPath) })
	b.Run("ColdByID", func(b *testing.B) { l.cold(b, l.byID) })
	b.Run("WarmByPath", func(b *testing.B) { times(b, l.byPath(b)) })
	b.Run("WarmByID", func(b *testing.B) { times(b, l.byID(b)) })
	b.Run("Rename", func(b *testing.B) { l.rename(b) })
	b.Run("List1000New", func(b *testing.B) { l.listNew(b) })
	b.Run("Save", func(b *testing.B) { l.save(b) })
	b.Run("Memory", func(b *testing.B) { l.memory(b) })
}

// size reports the bytes of the database for each file, and how many there are.
func (l *large) size(b *testing.B) {
	for b.Loop() {
	}
	st, err := os.Stat(l.file())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Size())/float64(l.files), "B/file")
	b.ReportMetric(float64(l.files), "files")
}

// sample is so many IDs, as links in people's hands.
func (l *large) sample(b *testing.B, n int) []idmap.FileID {
	b.Helper()
	ids := make([]idmap.FileID, n)
	for i := range ids {
		e, err := l.m.KnownAt(b.Context(), l.s, l.anyPath())
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = e.ID
	}
	return ids
}

func (l *large) byPath(b *testing.B) func() {
	return func() {
		if _, err := l.m.KnownAt(b.Context(), l.s, l.anyPath()); err != nil {
			b.Fatal(err)
		}
	}
}

func (l *large) byID(b *testing.B) func() {
	ids, i := l.sample(b, 100_000), 0
	return func() {
		if _, err := l.m.Known(b.Context(), l.s, ids[i%len(ids)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// cold measures the first 2000 look-ups after a start on a machine that has forgotten
// the database.
func (l *large) cold(b *testing.B, kind func(*testing.B) func()) {
	f := kind(b)
	l.forget(b)
	var all []time.Duration
	b.ResetTimer()
	for range 2000 {
		began := time.Now()
		f()
		all = append(all, time.Since(began))
	}
	for b.Loop() { // counts the rounds, which mean nothing here
	}
	report(b, all)
}

// rename moves a folder with a tenth of all files below it, and an empty one, forth and
// back by turns, so that a busy machine slows both.
func (l *large) rename(b *testing.B) {
	mover := func(from dav.Path) func() {
		e, err := l.m.At(b.Context(), l.s, dav.Resource{Path: from, Collection: true})
		if err != nil {
			b.Fatal(err)
		}
		to, i := [2]dav.Path{from + "-moved", from}, 0
		return func() {
			if _, err := l.m.Moved(b.Context(), l.s, e.ID, to[i%2], dav.Resource{}); err != nil {
				b.Fatal(err)
			}
			i++
		}
	}
	full, empty := mover("/team-0"), mover("/empty")
	var ofFull, ofEmpty []time.Duration
	for b.Loop() {
		for range 2 {
			began := time.Now()
			full()
			between := time.Now()
			empty()
			ofFull, ofEmpty = append(ofFull, between.Sub(began)), append(ofEmpty, time.Since(between))
		}
	}
	f50, f99 := percentiles(ofFull)
	e50, e99 := percentiles(ofEmpty)
	b.ReportMetric(f50, "full-p50-µs")
	b.ReportMetric(f99, "full-p99-µs")
	b.ReportMetric(e50, "empty-p50-µs")
	b.ReportMetric(e99, "empty-p99-µs")
	b.ReportMetric(f50/e50, "ratio")
}

// listNew lists a folder of a thousand files that nobody knew.
func (l *large) listNew(b *testing.B) {
	i := 0
	run := rand.Uint32()
	times(b, func() {
		folder := dav.Path(fmt.Sprintf("/new-%d-%d", run, i))
		if _, err := l.m.AtAll(b.Context(), l.s, folder, listing(folder), true); err != nil {
			b.Fatal(err)
		}
		i++
	})
}

// save records one save of any file: what a commit costs.
func (l *large) save(b *testing.B) {
	times(b, func() {
		e, err := l.m.KnownAt(b.Context(), l.s, l.anyPath())
		if err != nil {
			b.Fatal(err)
		}
		res := dav.Resource{Path: e.Path, ETag: e.Revision.ETag, Size: e.Revision.Size + 1, Modified: time.Now(), QuotaAvailable: -1}
		if _, err := l.m.Wrote(b.Context(), l.s, e.ID, res, nil); err != nil {
			b.Fatal(err)
		}
	})
}

// memory reports what this process holds after all of that.
func (l *large) memory(b *testing.B) {
	for b.Loop() {
	}
	now, _ := resident(b, os.Getpid())
	b.ReportMetric(float64(now)/(1<<20), "MiB")
}
