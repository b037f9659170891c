package idmap_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// A soul is a file as the people mean it who work with it.
type soul struct {
	n     int
	text  string
	alive bool
}

// A story is the model: what everybody did, and what the map may say of it. People work
// through the bridge, other programs by WebDAV, and others on the server's disk.
type story struct {
	*rapid.T
	m      *idmap.Map
	s      idmap.SpaceID
	server *upstream.Server
	view   *davbackend.View
	ids    bool // the upstream has IDs of its own
	strict bool // it is the embedded server
	files  map[dav.Path]*soul
	dirs   map[dav.Path]bool
	told   map[idmap.FileID]belief
	last   *int
	tally  map[string]int
	log    []string
}

func (st *story) must(err error) {
	if err != nil {
		st.fail("%v", err)
	}
}

func (st *story) fail(format string, args ...any) {
	st.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(st.log, "\n"))
}

func (st *story) disk(p dav.Path) string {
	return filepath.Join(st.server.Dir, filepath.FromSlash(string(p)))
}

func sorted[V any](m map[dav.Path]V) []dav.Path {
	var all []dav.Path
	for p := range m {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

func (st *story) file() (dav.Path, bool) {
	all := sorted(st.files)
	if len(all) == 0 {
		return "", false
	}
	return rapid.SampledFrom(all).Draw(st.T, "file"), true
}

func (st *story) dir() dav.Path { return rapid.SampledFrom(sorted(st.dirs)).Draw(st.T, "dir") }

// free is a path where nothing is; "" if it drew one that is taken.
func (st *story) free(names ...string) dav.Path {
	d := st.dir()
	p, err := d.Join(rapid.SampledFrom(names).Draw(st.T, "name"))
	if err != nil || len(p.Segments()) > 4 || st.files[p] != nil || st.dirs[p] {
		return ""
	}
	return p
}

var (
	fileNames = []string{"a.txt", "b.txt", "c.txt", "d.txt", "e.md"}
	dirNames  = []string{"k", "l", "m"}
)

// fresh are contents that no file has had, of a length of their own.
func (st *story) fresh(n int) string {
	*st.last++
	return fmt.Sprintf("%d of %d %s", *st.last, n, strings.Repeat("x", *st.last%977))
}

func (st *story) born(text string) *soul {
	*st.last++
	return &soul{n: *st.last, text: text, alive: true}
}

func (st *story) write(p dav.Path, text string) {
	if rapid.Bool().Draw(st.T, "by WebDAV") {
		st.put(p, text)
		return
	}
	st.must(os.WriteFile(st.disk(p), []byte(text), 0o666))
}

func (st *story) put(p dav.Path, text string) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	st.must(st.view.Put(context.Background(), p, davbackend.Body{Open: open, Size: int64(len(text))}, davbackend.Condition{}))
}

// shift moves what is at from, as the model sees it. What is at to is gone.
func (st *story) shift(from, to dav.Path) {
	st.end(to)
	for _, p := range sorted(st.files) {
		if from.Contains(p) {
			st.files[to+p[len(from):]] = st.files[p]
			delete(st.files, p)
		}
	}
	for _, p := range sorted(st.dirs) {
		if from.Contains(p) {
			st.dirs[to+p[len(from):]] = true
			delete(st.dirs, p)
		}
	}
}

func (st *story) end(at dav.Path) {
	for _, p := range sorted(st.files) {
		if at.Contains(p) {
			st.files[p].alive = false
			delete(st.files, p)
		}
	}
	for _, p := range sorted(st.dirs) {
		if at.Contains(p) {
			delete(st.dirs, p)
		}
	}
}

// carry moves on the upstream, by WebDAV or on its disk. kept says that what was at to
// lives on with other contents: the embedded server keeps its resource-id.
func (st *story) carry(from, to dav.Path) (kept bool) {
	if rapid.Bool().Draw(st.T, "by WebDAV") {
		st.must(st.view.Move(context.Background(), from, to, true, davbackend.Condition{}, davbackend.Condition{}))
		return st.strict && st.files[to] != nil
	}
	st.must(os.Rename(st.disk(from), st.disk(to)))
	return false
}

func (st *story) knownPath(id idmap.FileID) dav.Path {
	e, err := st.m.Known(context.Background(), st.s, id)
	if err != nil {
		return ""
	}
	return e.Path
}

// look is a person who comes to a path, and opens what is there if open.
func (st *story) look(p dav.Path, open bool) (idmap.Entry, bool) {
	ctx := context.Background()
	before := st.places()
	res, err := st.view.Stat(ctx, p)
	st.must(err)
	e, err := st.m.See(ctx, st.s, res, st.view)
	st.must(err)
	st.saw(e, before[e.ID], res)
	if open && e.Kind == idmap.File {
		sum := sha256.Sum256([]byte(st.files[p].text))
		st.must(st.m.Hash(ctx, e.ID, e.Revision.Number, sum[:]))
		b := st.told[e.ID]
		b.hashed, b.stamp = true, st.stamp(e, res)
		st.told[e.ID] = b
	}
	return e, true
}

// places is where the map knows each ID to be.
func (st *story) places() map[idmap.FileID]dav.Path {
	all := map[idmap.FileID]dav.Path{}
	for id := range st.told {
		all[id] = st.knownPath(id)
	}
	return all
}

func (st *story) list(d dav.Path, but ...dav.Path) []idmap.Entry {
	before := st.places()
	var all []dav.Resource
	st.must(st.view.List(context.Background(), d, func(r dav.Resource) error { all = append(all, r); return nil }))
	entries, err := st.m.SeeAll(context.Background(), st.s, d, all, true, st.view)
	st.must(err)
	for i, e := range entries {
		if !slices.Contains(but, e.Path) {
			st.saw(e, before[e.ID], all[i])
		}
	}
	return entries
}

// find is an office that asks for a file again.
func (st *story) find(id idmap.FileID) {
	before := st.knownPath(id)
	e, res, err := st.m.Find(context.Background(), st.s, id, st.view)
	b := st.told[id]
	switch {
	case errors.Is(err, idmap.ErrMissing), errors.Is(err, idmap.ErrNotFound):
		if b.soul.alive {
			st.tally["not found, and is there"]++
		} else {
			st.tally["not found, and is gone"]++
		}
	case err != nil:
		st.fail("find: %v", err)
	case e.ID != id || res.Path != e.Path:
		st.fail("asked for %s, and got %+v at %q", id, e, res.Path)
	default:
		st.tally["found"]++
		if e.Path != before {
			st.tally["found elsewhere"]++
		}
		st.saw(e, before, res)
	}
}

func (st *story) all() {
	met := map[idmap.FileID]dav.Path{}
	for _, d := range sorted(st.dirs) {
		for _, e := range st.list(d) {
			if p, ok := met[e.ID]; ok {
				st.fail("%q and %q share %s", p, e.Path, e.ID)
			}
			met[e.ID] = e.Path
		}
	}
}

// storySteps are the steps of one story: what happened, not what could not.
const storySteps = 40

// TestStories: whatever people, programs and others do, on every preset, an ID names the
// file that it named, or none. What cannot be told from outside is counted.
// DAVWOPI_IDMAP_STEPS sets the number of steps in all.
func TestStories(t *testing.T) {
	steps := 20_000
	switch {
	case raced:
		steps = 480 // one story on each preset
	case testing.Short():
		steps = 1_000
	}
	if n, err := strconv.Atoi(os.Getenv("DAVWOPI_IDMAP_STEPS")); err == nil {
		steps = n
	}
	inMemory(t)
	presets := append([]upstream.Preset{{Name: "strict", Set: func(*upstream.Quirks) {}}}, upstream.Presets()...)
	each := (steps + len(presets) - 1) / len(presets)
	seeded(t, (each+storySteps-1)/storySteps)
	var mu sync.Mutex
	sum := map[string]int{}
	t.Cleanup(func() {
		t.Logf("%d steps, %d times an ID was told, %d times found at another place; the same from outside as another history: %d by looks (%.2f %%), %d by place (%.2f %%)",
			sum["steps"], sum["told"], sum["found elsewhere"], sum["looks the same"], share(sum, "looks the same"), sum["only the place speaks"], share(sum, "only the place speaks"))
		if sum["steps"] < steps && !t.Failed() {
			t.Errorf("only %d steps of %d", sum["steps"], steps)
		}
	})
	for i, preset := range presets {
		t.Run(preset.Name, func(t *testing.T) {
			t.Parallel()
			tally := stories(t, preset, i)
			mu.Lock()
			defer mu.Unlock()
			for what, n := range tally {
				sum[what] += n
			}
		})
	}
}

func share(sum map[string]int, what string) float64 {
	return 100 * float64(sum[what]) / float64(max(1, sum["told"]))
}

// inMemory keeps what the test stores where nothing waits for a disk, if there is such a
// place: nobody pulls the plug here.
func inMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "stories-")
	if err != nil {
		return
	}
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

// seeded sets the number of stories, and says by which seed they can be had again.
func seeded(t *testing.T, checks int) {
	set := func(name, value string) {
		f := flag.Lookup(name)
		before := f.Value.String()
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Value.Set(before) })
	}
	if testing.Short() {
		checks *= 5 // of which rapid makes a fifth
	}
	set("rapid.checks", strconv.Itoa(checks))
	if seed := flag.Lookup("rapid.seed").Value.String(); seed == "0" {
		set("rapid.seed", strconv.FormatUint(rand.Uint64()|1, 10))
	}
	t.Logf("-rapid.seed=%s", flag.Lookup("rapid.seed").Value)
}

// stories plays them on one preset; another salt makes others of one seed.
func stories(t *testing.T, preset upstream.Preset, salt int) map[string]int {
	server := upstream.Strict(t)
	server.Quirks.Set(preset.Set)
	m, err := idmap.New(t.Context(), sqldbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	view, last, n, tally := server.View(t), 0, 0, map[string]int{}
	if slices.Contains([]string{"apache", "lighttpd", "sabre", "wsgidav"}, preset.Name) { // which keep properties
		if view.Client().Stamp, err = m.StampName(t.Context()); err != nil {
			t.Fatal(err)
		}
		profile := view.Client().Profile()
		profile.Stamps = true
		view.Client().Learn(profile)
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s, err := m.Space(context.Background(), preset.Name, strconv.Itoa(n))
		if err != nil {
			rt.Fatal(err)
		}
		st := &story{
			T: rt, m: m, s: s, server: server, view: view, files: map[dav.Path]*soul{}, dirs: map[dav.Path]bool{"/": true},
			told: map[idmap.FileID]belief{}, last: &last, tally: tally, strict: preset.Name == "strict",
			ids: preset.Name == "strict" || strings.Contains(preset.Name, "cloud"),
		}
		for range salt {
			rapid.Uint64().Draw(rt, "salt")
		}
		st.clear()
		res, err := view.Stat(context.Background(), "/")
		st.must(err)
		_, err = m.At(context.Background(), s, res)
		st.must(err)
		done := 0
		for range 5 * storySteps { // what is drawn may not be possible
			h := rapid.SampledFrom(happens).Draw(rt, "step")
			happened := h.do(st)
			st.log = append(st.log, h.name+":"+st.String())
			st.overhear()
			if happened {
				tally["steps"]++
				tally[h.name]++
				done++
			}
			if done == storySteps {
				break
			}
		}
		st.all()
		server.Forget()
	})
	t.Log(tally)
	return tally
}

// String is the tree, for who has to find out what went wrong.
func (st *story) String() string {
	var b strings.Builder
	for _, p := range sorted(st.files) {
		fmt.Fprintf(&b, " %s=%d", p, st.files[p].n)
	}
	return b.String()
}
