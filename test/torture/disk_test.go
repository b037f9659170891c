package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A disk is what the calls have made of some folders, and what of it is durable.
type disk struct {
	roots   []string
	files   map[string]*inode // by path; what a program sees
	durable map[string]*inode // by path; what is left without power
	pending map[string][]change
	forget  func(path string) bool // whose fsyncs do nothing
	synced  map[string]int         // fsyncs, by class of what they are for
}

// A change is an entry of a folder that was made, or taken away with a nil inode.
type change struct {
	path string
	node *inode
	end  int
}

type inode struct {
	dir     bool
	bytes   []byte
	at      int64 // where the next write without a position goes
	left    []byte
	pending []patch
}

// A patch is a write that is not durable yet: bytes at a place, or with nil a new size.
type patch struct {
	at    int64
	bytes []byte
	size  int64
	end   int
}

func (p patch) apply(b []byte) []byte {
	size := max(int64(len(b)), p.at+int64(len(p.bytes)))
	if p.bytes == nil {
		size = p.size
	}
	if size > int64(len(b)) {
		b = append(b, make([]byte, size-int64(len(b)))...)
	}
	b = b[:size]
	copy(b[min(p.at, size):], p.bytes)
	return b
}

func newDisk(roots []string, forget func(path string) bool) *disk {
	d := &disk{roots: roots, files: map[string]*inode{}, durable: map[string]*inode{}, pending: map[string][]change{}, forget: forget, synced: map[string]int{}}
	return d
}

func (d *disk) ours(path string) bool {
	return slices.ContainsFunc(d.roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

func (d *disk) link(path string, n *inode, end int) {
	if n == nil {
		delete(d.files, path)
	} else {
		d.files[path] = n
	}
	dir := filepath.Dir(path)
	d.pending[dir] = append(d.pending[dir], change{path, n, end})
}

func (d *disk) keepNames(dir string, before int) {
	var later []change
	for _, c := range d.pending[dir] {
		switch {
		case c.end > before:
			later = append(later, c)
		case c.node == nil:
			delete(d.durable, c.path)
		default:
			d.durable[c.path] = c.node
		}
	}
	d.pending[dir] = later
}

func (n *inode) write(at int64, b []byte, end int) {
	p := patch{at: at, bytes: b, end: end}
	n.bytes = p.apply(n.bytes)
	n.pending = append(n.pending, p)
}

func (n *inode) resize(size int64, end int) {
	p := patch{size: size, end: end}
	n.bytes = p.apply(n.bytes)
	n.pending = append(n.pending, p)
}

// keepBytes makes durable what was written before a line of the log.
func (n *inode) keepBytes(before int) {
	var later []patch
	for _, p := range n.pending {
		if p.end > before {
			later = append(later, p)
		} else {
			n.left = p.apply(n.left)
		}
	}
	n.pending = later
}

// at joins a descriptor's path with a name.
func at(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// play does one call.
func (d *disk) play(t *testing.T, c call) {
	t.Helper()
	switch c.name {
	case "openat", "openat2", "open", "creat":
		d.open(t, c)
	case "write":
		if n := d.files[c.args[0]]; n != nil {
			n.write(n.at, []byte(c.args[1])[:length(t, c.result)], c.end)
			n.at += int64(length(t, c.result))
		}
	case "pwrite64":
		if n := d.files[c.args[0]]; n != nil {
			n.write(int64(length(t, c.args[3])), []byte(c.args[1])[:length(t, c.result)], c.end)
		}
	case "ftruncate":
		if n := d.files[c.args[0]]; n != nil {
			n.resize(int64(length(t, c.args[1])), c.end)
		}
	case "fsync", "fdatasync":
		d.sync(c)
	case "rename", "renameat", "renameat2", "link", "linkat":
		d.rename(c)
	case "unlink", "rmdir":
		d.unlink(at("/", c.args[0]), c)
	case "unlinkat":
		d.unlink(at(c.args[0], c.args[1]), c)
	case "mkdir":
		d.mkdir(at("/", c.args[0]), c)
	case "mkdirat":
		d.mkdir(at(c.args[0], c.args[1]), c)
	default:
		for _, a := range c.args {
			if d.ours(a) {
				t.Fatalf("the replay does not know %s of %s", c.name, a)
			}
		}
	}
}

func length(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("a length: %v", err)
	}
	return n
}

func (d *disk) open(t *testing.T, c call) {
	path := strings.TrimSuffix(c.result, " (deleted)")
	flags := strings.Join(c.args, ",")
	if !d.ours(path) || strings.Contains(flags, "O_DIRECTORY") || strings.Contains(flags, "O_PATH") {
		return
	}
	n := d.files[path]
	if n == nil && strings.Contains(flags, "O_CREAT") {
		n = &inode{}
		d.link(path, n, c.end)
	}
	if n == nil || n.dir {
		return
	}
	if strings.Contains(flags, "O_TRUNC") {
		n.resize(0, c.end)
	}
	if n.at = 0; strings.Contains(flags, "O_APPEND") {
		n.at = int64(len(n.bytes))
	}
	if strings.Contains(flags, "SYNC") {
		t.Fatalf("the replay does not know files that sync by themselves: %s", path)
	}
}

func (d *disk) sync(c call) {
	path := c.args[0]
	n := d.files[path]
	if slices.ContainsFunc(d.roots, func(r string) bool { return filepath.Dir(r) == path }) {
		n = &inode{dir: true} // the folder above, which is there
	}
	if n == nil {
		return
	}
	d.synced[class(d.roots, path)]++
	if d.forget != nil && d.forget(path) {
		return
	}
	if n.dir {
		d.keepNames(path, c.begun)
	} else {
		n.keepBytes(c.begun)
	}
}

func (d *disk) rename(c call) {
	from, to := "", ""
	if len(c.args) == 2 {
		from, to = at("/", c.args[0]), at("/", c.args[1])
	} else {
		from, to = at(c.args[0], c.args[1]), at(c.args[2], c.args[3])
	}
	n := d.files[from]
	if n == nil || !d.ours(to) {
		return
	}
	moves := map[string]*inode{from: n}
	if n.dir {
		for path, below := range d.files {
			if strings.HasPrefix(path, from+"/") {
				moves[path] = below
			}
		}
	}
	for path, m := range moves {
		if !strings.HasPrefix(c.name, "link") {
			d.link(path, nil, c.end)
		}
		d.link(to+strings.TrimPrefix(path, from), m, c.end)
	}
}

func (d *disk) unlink(path string, c call) {
	if d.files[path] != nil {
		d.link(path, nil, c.end)
	}
}

func (d *disk) mkdir(path string, c call) {
	if d.ours(path) {
		d.link(path, &inode{dir: true}, c.end)
	}
}

// random are the parts of names that differ from one file to the next: of spools,
// with and without the file that they are for, and of what the embedded server stages.
var random = regexp.MustCompile(`[a-z2-7]{16}(\.[a-z2-7]{26})?|(\.localdav|\.key)-[^/.]*`)

// class says what a file is, without what differs from one to the next.
func class(roots []string, path string) string {
	for _, r := range roots {
		if rest, ok := strings.CutPrefix(path, r); ok {
			return filepath.Base(r) + random.ReplaceAllString(rest, "${2}*")
		}
	}
	return "the folder above"
}

// cut writes what is left without power into a folder, for each root its base name.
// keep decides about each change that is not durable yet: the disk may have it or not.
func (d *disk) cut(t *testing.T, into string, keep func() bool) {
	t.Helper()
	names := map[string]*inode{}
	for path, n := range d.durable {
		names[path] = n
	}
	for _, changes := range d.pending {
		for _, c := range changes {
			if !keep() {
				break // of one folder the changes become durable in their order
			}
			if names[c.path] = c.node; c.node == nil {
				delete(names, c.path)
			}
		}
	}
	var paths []string
	for path := range names {
		paths = append(paths, path)
	}
	slices.Sort(paths) // folders before what is in them
	for _, path := range paths {
		n, target := names[path], ""
		for _, r := range d.roots {
			if rest, ok := strings.CutPrefix(path, r); ok {
				target = filepath.Join(into, filepath.Base(r)+rest)
			}
		}
		if strings.HasSuffix(path, "-shm") {
			continue // shared memory, made anew
		}
		var err error
		if n.dir {
			err = os.Mkdir(target, 0o700)
		} else {
			left := slices.Clone(n.left)
			for _, p := range n.pending {
				if keep() {
					left = p.apply(left)
				}
			}
			err = os.WriteFile(target, left, 0o600)
		}
		if err != nil && !os.IsNotExist(err) { // a folder that was lost has lost what is in it
			t.Fatal(err)
		}
	}
}

// wantAsOnDisk checks the replay: without a power cut it is what the disk has.
func (d *disk) wantAsOnDisk(t *testing.T) {
	t.Helper()
	for path, n := range d.files {
		if n.dir || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, ".lock") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != string(n.bytes) {
			t.Fatalf("the replay of %s is wrong: %d bytes, on disk %d, %v", path, len(n.bytes), len(b), err)
		}
	}
	for _, root := range d.roots {
		err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && d.files[path] == nil {
				err = fmt.Errorf("the replay has lost %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
