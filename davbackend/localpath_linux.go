package davbackend

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"davwopi/davbackend/dav"
)

// Magic numbers of file systems whose inode numbers are made up while they are mounted.
var restless = map[int64]string{
	unix.MSDOS_SUPER_MAGIC: "FAT", 0x2011bab0: "exFAT", unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.SMB_SUPER_MAGIC: "SMB", 0xff534d42: "SMB", 0xfe534d42: "SMB",
}

// localMask is what is asked of a file.
const localMask = unix.STATX_TYPE | unix.STATX_INO | unix.STATX_SIZE | unix.STATX_MTIME | unix.STATX_BTIME | unix.STATX_MNT_ID

func checkLocal(path string) error {
	root, st, err := openLocalRoot(path)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(root, &fs); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	if name := restless[int64(fs.Type)&0xffffffff]; name != "" {
		return fmt.Errorf("%w: inodes on %s do not last", errors.ErrUnsupported, name)
	}
	if st.Mask&unix.STATX_BTIME == 0 {
		return fmt.Errorf("%w: the file system has no birth times", errors.ErrUnsupported)
	}
	d, err := openLocalFolder(path, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	d.close()
	return nil
}

// openLocalRoot opens the folder, following links to it. It is closed after each look:
// a disk that is in use cannot be unmounted.
func openLocalRoot(path string) (fd int, st unix.Statx_t, err error) {
	fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, st, os.NewSyscallError("open", err)
	}
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, localMask, &st); err != nil {
		return -1, st, errors.Join(os.NewSyscallError("statx", err), unix.Close(fd))
	}
	return fd, st, nil
}

func deviceOf(st *unix.Statx_t) uint64 { return unix.Mkdev(st.Dev_major, st.Dev_minor) }

func rootOf(st *unix.Statx_t) localRoot { return localRoot{deviceOf(st), st.Ino, st.Mnt_id} }

// A localFolder is an open folder at or below the root.
type localFolder struct {
	fd   int
	root localRoot
}

func (d *localFolder) close() {
	if d != nil {
		_ = unix.Close(d.fd) // it was only read
	}
}

// openLocalFolder opens what names lead to, each in the spelling that the disk has:
// nothing behind a link or on another mount.
func openLocalFolder(path string, names []string) (*localFolder, error) {
	fd, st, err := openLocalRoot(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	root := rootOf(&st)
	d, err := openBelow(fd, root, strings.Join(append([]string{"."}, names...), "/"))
	if errors.Is(err, unix.ENOENT) && len(names) > 0 {
		d, err = openSpelled(fd, root, names)
	}
	return d, err
}

// openSpelled goes down name by name, for names that the disk spells otherwise.
func openSpelled(fd int, root localRoot, names []string) (*localFolder, error) {
	d, err := openBelow(fd, root, ".")
	for _, name := range names {
		if err != nil {
			return nil, err
		}
		var w localView
		var next *localFolder
		if next, err = openBelow(d.fd, root, name); errors.Is(err, unix.ENOENT) {
			var spelled string
			if spelled, err = w.spelled(d, name); err == nil {
				next, err = openBelow(d.fd, root, spelled)
			}
		}
		d.close()
		d = next
	}
	return d, err
}

func openBelow(fd int, root localRoot, path string) (*localFolder, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	below, err := unix.Openat2(fd, path, &how)
	if err != nil {
		return nil, os.NewSyscallError("openat2", err)
	}
	var st unix.Statx_t
	err = unix.Statx(below, "", unix.AT_EMPTY_PATH, localMask, &st)
	if err == nil && deviceOf(&st) != root.device {
		err = unix.EXDEV // a snapshot, on btrfs
	}
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("statx", err), unix.Close(below))
	}
	return &localFolder{below, root}, nil
}

// look looks at one name in the folder.
func (d *localFolder) look(name string) (localFile, error) {
	var st unix.Statx_t
	err := unix.Statx(d.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, localMask, &st)
	if errors.Is(err, unix.ENOENT) {
		return localFile{}, nil
	}
	if err != nil {
		return localFile{}, os.NewSyscallError("statx", err)
	}
	f := localFile{there: true, size: int64(st.Size), modified: st.Mtime.Sec}
	kind := st.Mode & unix.S_IFMT
	f.folder = kind == unix.S_IFDIR
	if deviceOf(&st) == d.root.device && st.Mnt_id == d.root.mount && (f.folder || kind == unix.S_IFREG) && st.Mask&unix.STATX_BTIME != 0 {
		f.inode = inodeOf(&st)
	}
	return f, nil
}

func inodeOf(st *unix.Statx_t) string {
	return fmt.Sprintf("%x.%x", st.Ino, st.Btime.Sec*1e9+int64(st.Btime.Nsec))
}

// entries calls each for the names in the folder, with the inode numbers and types that
// the folder itself has for them.
func (d *localFolder) entries(each func(name string, inode uint64, kind byte) error) error {
	if _, err := unix.Seek(d.fd, 0, 0); err != nil {
		return os.NewSyscallError("lseek", err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Getdents(d.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("getdents", err)
		}
		if n <= 0 {
			return nil
		}
		// struct linux_dirent64: inode 8 bytes, offset 8, length 2, type 1, name.
		for rest := buf[:n]; len(rest) > 19; {
			length := int(binary.NativeEndian.Uint16(rest[16:]))
			if length < 20 || length > len(rest) {
				return errors.New("davbackend: a folder of the local path cannot be read")
			}
			name, _, _ := strings.Cut(string(rest[19:length]), "\x00")
			if name != "." && name != ".." {
				if err := each(name, binary.NativeEndian.Uint64(rest), rest[18]); err != nil {
					return err
				}
			}
			rest = rest[length:]
		}
	}
}

// names are those in the folder, none if there are more than most.
func (d *localFolder) names(most int) ([]string, error) {
	var all []string
	err := d.entries(func(name string, _ uint64, _ byte) error {
		if len(all) == most {
			return errTooMany
		}
		all = append(all, name)
		return nil
	})
	if errors.Is(err, errTooMany) {
		return nil, nil
	}
	return all, err
}

var errTooMany = errors.New("davbackend: too much to look at")

// searchLocal looks for an inode in the whole folder, what is nearest to the root first.
func searchLocal(ctx context.Context, path string, proven localRoot, inode string) (found []dav.Path, err error) {
	var number uint64
	if _, err := fmt.Sscanf(inode, "%x.", &number); err != nil {
		return nil, err
	}
	fd, st, err := openLocalRoot(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if rootOf(&st) != proven {
		return nil, ErrOtherFolder
	}
	seen := 0
	for queue := []dav.Path{dav.Root}; len(queue) > 0; queue = queue[1:] {
		d, err := openBelow(fd, proven, "."+strings.TrimSuffix(string(queue[0]), "/"))
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			continue // just gone, another mount, or nobody's business
		}
		if err != nil {
			return nil, err
		}
		err = d.entries(func(name string, n uint64, kind byte) error {
			if seen++; seen > maxLocalEntries {
				return errTooMany
			}
			p, err := queue[0].Join(name)
			if err != nil {
				return ctx.Err() // a name that no upstream can show
			}
			if n == number {
				if f, err := d.look(name); err == nil && f.inode == inode {
					found = append(found, p)
				}
			}
			if kind == unix.DT_DIR || kind == unix.DT_UNKNOWN {
				queue = append(queue, p)
			}
			return ctx.Err()
		})
		d.close()
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
