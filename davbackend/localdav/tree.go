package localdav

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"davwopi/davbackend/dav"
)

const maxLinks = 40 // symbolic links on one path, as the kernel has it

// A tree is the folder as os.Root guards it. Its methods take places relative to the
// folder and may be called concurrently.
type tree struct {
	root *os.Root
	own  int64 // the kernel's number of the folder's device
	self identity
}

func newTree(root *os.Root) (*tree, error) {
	t := &tree{root: root}
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	i, err := statFile(d)
	if err != nil {
		return nil, err
	}
	t.own, t.self = i.device, i.identity
	return t, nil
}

// number counts devices from the folder's own, whose kernel number may differ after a restart.
func (t *tree) number(i info) info {
	if i.device == t.own {
		i.device = 0
	}
	return i
}

// A place is where a path leads.
type place struct {
	path  dav.Path
	entry string // the directory entry: links in the folders above are followed
	real  string // what it stands for: its own link is followed too
}

func (p place) keys() []string {
	if p.entry == p.real {
		return []string{keyOf(p.real)}
	}
	return []string{keyOf(p.entry), keyOf(p.real)}
}

// resolve follows p's symbolic links. The last name need not exist; a missing folder
// above it is fs.ErrNotExist, one that is a file syscall.ENOTDIR. A link out of the
// folder is errEscape.
func (t *tree) resolve(p dav.Path) (place, error) {
	rel := relative(p)
	if rel == "." {
		return place{p, ".", "."}, nil
	}
	dir, err := t.follow(path.Dir(rel))
	if err != nil {
		return place{}, err
	}
	if dir != "." {
		if _, err := t.folder(dir); err != nil {
			return place{}, err
		}
	}
	entry := path.Join(dir, path.Base(rel))
	real, err := t.follow(entry)
	if err != nil {
		return place{}, err
	}
	return place{p, entry, real}, nil
}

// follow returns rel without symbolic links. os.Root would follow them as well, but
// does not say where to, and a lock must be found under every name of its file.
func (t *tree) follow(rel string) (string, error) {
	pending, done, links := strings.Split(rel, "/"), "", 0
	for len(pending) > 0 {
		name := pending[0]
		pending = pending[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if done == "" {
				return "", errEscape
			}
			if done = path.Dir(done); done == "." {
				done = ""
			}
			continue
		}
		at := path.Join(done, name)
		fi, err := t.root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) && len(pending) == 0 {
			return at, nil
		}
		if err != nil {
			return "", err
		}
		if fi.Mode()&fs.ModeSymlink == 0 {
			done = at
			continue
		}
		if links++; links > maxLinks {
			return "", errLoop
		}
		target, err := t.root.Readlink(at)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			return "", errEscape
		}
		pending = append(strings.Split(target, "/"), pending...)
	}
	if done == "" {
		return ".", nil
	}
	return done, nil
}

// look stats the entry rel without following a link.
func (t *tree) look(rel string) (info, error) {
	d, err := t.root.Open(path.Dir(rel))
	if err != nil {
		return info{}, err
	}
	defer d.Close()
	if rel == "." {
		i, err := statFile(d)
		i.name = ""
		return t.number(i), err
	}
	return t.lookIn(d, path.Base(rel))
}

// lookIn stats the entry called name of the open folder d.
func (t *tree) lookIn(d *os.File, name string) (info, error) {
	i, err := statAt(d, name)
	if err != nil {
		return info{}, err
	}
	i.name = name
	return t.number(i), nil
}

// stat is look at where pl leads. What is neither file nor folder is errSpecial.
func (t *tree) stat(pl place) (info, error) {
	i, err := t.look(pl.real)
	if err != nil {
		return info{}, err
	}
	if !i.regular() && !i.dir() {
		return info{}, fmt.Errorf("%w: %w", errSpecial, fs.ErrPermission)
	}
	i.name = pl.path.Base()
	return i, nil
}

// find is resolve and stat.
func (t *tree) find(p dav.Path) (place, info, error) {
	pl, err := t.resolve(p)
	if err != nil {
		return place{}, info{}, err
	}
	i, err := t.stat(pl)
	return pl, i, err
}

// folder looks at rel and insists on a folder: syscall.ENOTDIR otherwise.
func (t *tree) folder(rel string) (info, error) {
	i, err := t.look(rel)
	if err != nil {
		return info{}, err
	}
	if !i.dir() {
		return info{}, &fs.PathError{Op: "open", Path: rel, Err: errNotFolder}
	}
	return i, nil
}

// open opens a regular file for reading. Opening must not wait for the other end of a
// pipe that took the file's place.
func (t *tree) open(rel string) (*os.File, info, error) {
	f, err := t.root.OpenFile(rel, os.O_RDONLY|openNonblock, 0)
	if err != nil {
		return nil, info{}, err
	}
	i, err := statFile(f)
	if err == nil && !i.regular() && !i.dir() {
		err = fmt.Errorf("%w: %w", errSpecial, fs.ErrPermission)
	}
	if err != nil {
		f.Close()
		return nil, info{}, err
	}
	return f, t.number(i), nil
}

// syncDir makes the names in a folder last.
func (t *tree) syncDir(rel string) error {
	d, err := t.root.Open(rel)
	if err != nil {
		return err
	}
	defer d.Close()
	return fsync(d)
}

// withDirs opens the folders of two entries and calls f with them and the base names.
func (t *tree) withDirs(from, to string, f func(fromDir *os.File, fromName string, toDir *os.File, toName string) error) error {
	a, err := t.root.Open(path.Dir(from))
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := t.root.Open(path.Dir(to))
	if err != nil {
		return err
	}
	defer b.Close()
	return f(a, path.Base(from), b, path.Base(to))
}

// renameNew renames and insists that nothing is at to: fs.ErrExist otherwise, also
// if another program made it this very moment.
func (t *tree) renameNew(from, to string) error {
	err := t.withDirs(from, to, renameNoReplace)
	if !unsupported(err) {
		return err
	}
	if _, err := t.root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
		}
		return err
	}
	return t.root.Rename(from, to)
}

// exchange swaps two entries at once. ok is false if the file system cannot.
func (t *tree) exchange(a, b string) (ok bool, err error) {
	err = t.withDirs(a, b, renameExchange)
	if unsupported(err) {
		return false, nil
	}
	return true, err
}
