package davbackend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/text/unicode/norm"

	"davwopi/davbackend/dav"
)

// ErrOtherFolder: the local path does not hold what the upstream serves.
var ErrOtherFolder = errors.New("davbackend: the local path is another folder than the upstream's")

// A Local is the folder of an upstream as it is mounted on this host. It gives files
// their inodes, which say what the server does not: that a file of another name is the
// same one. That is all. What is there, and what it holds, the server alone says; a
// folder that is not mounted only means that nothing is known.
//
// An inode is given for a file whose size and time are what the server says, while the
// listings of late agreed with the folder. It is never given for what lies behind a
// symbolic link or on another mount below the folder (a bind mount, a snapshot): there
// one file has two names. The birth time goes with it, because an inode number is used
// again as soon as its file is gone. Reading a folder that hangs, as a network mount
// may, is given up after two seconds, and not tried again before it has ended.
//
// Only [OpenLocal] makes one. Safe for concurrent use.
type Local struct {
	path   string
	proven atomic.Pointer[localRoot] // with which the listings agreed; nil: none
	stuck  atomic.Int32              // calls of the file system that do not come back
}

// A localRoot tells what is mounted at the path from what was or will be.
type localRoot struct{ device, inode, mount uint64 }

// A localFile is what the disk says of a name.
type localFile struct {
	there    bool
	folder   bool
	inode    string
	size     int64
	modified int64 // seconds
}

const (
	localPatience   = 2 * time.Second  // for one look
	localSearch     = 10 * time.Second // for one search by inode
	maxLocalEntries = 2_000_000        // of one search
	maxLocalNames   = 20_000           // of a folder, that are compared with a name in another spelling
)

// OpenLocal opens the folder at path. It returns errors.ErrUnsupported, with the reason,
// where inodes are worth nothing: on FAT, FUSE and SMB, without birth times, and on
// other systems than Linux.
func OpenLocal(path string) (*Local, error) {
	l := &Local{path: path}
	_, err := patiently(l, func() (struct{}, error) { return struct{}{}, checkLocal(path) }, func(struct{}) {})
	if err != nil {
		return nil, fmt.Errorf("davbackend: local path %s: %w", path, err)
	}
	return l, nil
}

// Path is where the folder is mounted.
func (l *Local) Path() string { return l.path }

// Proven reports whether listings agree with the folder.
func (l *Local) Proven() bool { return l.proven.Load() != nil }

// errStuck says that the file system has not answered in time.
var errStuck = errors.New("davbackend: the file system does not answer")

// patiently runs f, but does not wait for it for longer than a look may take. It returns
// errStuck then, and as long as an earlier call hangs; late is called when f has ended
// after all.
func patiently[T any](l *Local, f func() (T, error), late func(T)) (T, error) {
	var none T
	if l.stuck.Load() > 0 {
		return none, errStuck
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	t := time.NewTimer(localPatience)
	defer t.Stop()
	select {
	case r := <-done:
		return r.v, r.err
	case <-t.C:
	}
	l.stuck.Add(1)
	go func() {
		r := <-done
		late(r.v)
		l.stuck.Add(-1)
	}()
	return none, errStuck
}

// A localView compares what the server says of one folder with the disk.
type localView struct {
	l                     *Local
	d                     *localFolder      // nil: it hangs
	names                 map[string]string // by spelling, nil until it is needed
	agree, differ, absent int
}

// view opens the folder at p; nil if that cannot be seen.
func (l *Local) view(p dav.Path) *localView {
	if l == nil {
		return nil
	}
	d, err := patiently(l, func() (*localFolder, error) { return openLocalFolder(l.path, p.Segments()) }, (*localFolder).close)
	if err != nil {
		return nil
	}
	return &localView{l: l, d: d}
}

// fill puts the inode into res, which is directly in the folder, if all speaks for it.
func (w *localView) fill(res *dav.Resource) {
	if w == nil || w.d == nil {
		return
	}
	d, name := w.d, res.Path.Base()
	f, err := patiently(w.l, func() (localFile, error) { return w.find(d, name) }, func(localFile) { d.close() })
	if errors.Is(err, errStuck) {
		w.d = nil // which closes it when it can
	}
	if err != nil {
		return
	}
	switch {
	case !f.there:
		w.absent++
		return
	case f.folder != res.Collection, !f.folder && (f.size != res.Size || f.modified != res.Modified.Unix()):
		w.differ++
		return
	case !f.folder:
		w.agree++
	}
	if proven := w.l.proven.Load(); proven != nil && *proven == d.root {
		res.Inode = f.inode
	}
}

// find looks at a name, in whatever spelling the disk has it: servers show NFC for NFD,
// and some do not tell upper from lower case.
func (w *localView) find(d *localFolder, name string) (localFile, error) {
	f, err := d.look(name)
	if err != nil || f.there {
		return f, err
	}
	other, err := w.spelled(d, name)
	if err != nil {
		return f, nil
	}
	return d.look(other)
}

var errNoName = errors.New("davbackend: no such name on the disk, in any spelling")

// spelled is how the disk spells a name.
func (w *localView) spelled(d *localFolder, name string) (string, error) {
	if w.names == nil {
		all, err := d.names(maxLocalNames)
		if err != nil {
			return "", err
		}
		w.names = make(map[string]string, len(all))
		for _, n := range all {
			for _, key := range spellings(n) {
				if _, twice := w.names[key]; twice {
					w.names[key] = "" // which one, nobody knows
				} else {
					w.names[key] = n
				}
			}
		}
	}
	for _, key := range spellings(name) {
		if n := w.names[key]; n != "" {
			return n, nil
		}
	}
	return "", errNoName
}

// spellings are the keys under which a name is found: first with its case, then without.
func spellings(name string) [2]string {
	composed := norm.NFC.String(name)
	return [2]string{"=" + composed, "~" + norm.NFC.String(strings.ToLower(composed))}
}

// judge draws the conclusion from a whole listing: whether the folder is the upstream's.
func (w *localView) judge() {
	if w == nil || w.d == nil {
		return
	}
	all := w.agree + w.differ + w.absent
	switch {
	case w.agree > 0 && 2*w.agree >= all:
		w.l.proven.Store(&w.d.root)
	case w.agree == 0 && all > 2: // one file may just be written
		w.l.proven.Store(nil)
	}
}

func (w *localView) close() {
	if w != nil && w.d != nil {
		w.d.close()
	}
}

// fill puts the inode into res.
func (l *Local) fill(res *dav.Resource) {
	if l == nil || res.Path.IsRoot() || !l.Proven() {
		return
	}
	w := l.view(res.Path.Parent())
	w.fill(res)
	w.close()
}

// checkFolders bounds the folders that [View.CheckLocal] looks into.
const checkFolders = 6

// CheckLocal compares what the upstream lists at its root, and in a few folders there,
// with the local path, by names, sizes and times. It returns [ErrOtherFolder] if that is
// another folder, and what [View.List] returns. Nil also means that there was nothing to
// compare; listings do it from then on.
func (v *View) CheckLocal(ctx context.Context) error {
	l := v.client.Local
	if l == nil {
		return nil
	}
	agree, others := 0, 0
	folders := []dav.Path{dav.Root}
	for i := 0; i < len(folders) && agree == 0; i++ {
		w := l.view(folders[i])
		err := v.List(ctx, folders[i], func(res dav.Resource) error {
			w.fill(&res)
			if res.Collection && len(folders) < checkFolders {
				folders = append(folders, res.Path)
			}
			return nil
		})
		if err != nil && (i == 0 || !errors.Is(err, dav.ErrNotFound) && !errors.Is(err, dav.ErrDenied)) {
			w.close()
			return err
		}
		if w != nil {
			agree, others = agree+w.agree, others+w.differ+w.absent
			w.close()
		}
	}
	if agree == 0 && others > 0 {
		return fmt.Errorf("%w: of %d names that %s shows none is in %s with the same size and time", ErrOtherFolder, others, v.client.Origin(), l.path)
	}
	return nil
}

// ByInode returns where the local path has what [dav.Resource] calls that Inode, as the
// upstream's paths: a hint. None: it is not in the folder. It returns dav.ErrUnsupported
// where that cannot be said: there is no local path, it does not agree with the upstream,
// or it is too large.
func (v *View) ByInode(ctx context.Context, inode string) ([]dav.Path, error) {
	l := v.client.Local
	if l == nil || !l.Proven() || l.stuck.Load() > 0 {
		return nil, fmt.Errorf("davbackend: %w: look-up by inode", dav.ErrUnsupported)
	}
	ctx, cancel := context.WithTimeout(ctx, localSearch)
	defer cancel()
	type result struct {
		paths []dav.Path
		err   error
	}
	done := make(chan result, 1)
	go func() {
		paths, err := searchLocal(ctx, l.path, *l.proven.Load(), inode)
		done <- result{paths, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("davbackend: %w: look-up by inode: %w", dav.ErrUnsupported, r.err)
		}
		return spelled(r.paths), nil
	case <-ctx.Done():
	}
	l.stuck.Add(1)
	go func() {
		<-done
		l.stuck.Add(-1)
	}()
	return nil, fmt.Errorf("davbackend: %w: look-up by inode: %w", dav.ErrUnsupported, ctx.Err())
}

// spelled adds to each path the spelling in which servers show it that compose names.
func spelled(paths []dav.Path) []dav.Path {
	var all []dav.Path
	for _, p := range paths {
		all = append(all, p)
		if composed, err := dav.ParsePath(norm.NFC.String(string(p))); err == nil && composed != p {
			all = append(all, composed)
		}
	}
	return all
}
