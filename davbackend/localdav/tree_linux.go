package localdav

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	errNotFolder = unix.ENOTDIR
	openNonblock = unix.O_NONBLOCK

	statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
)

// statAt looks at one name in d and does not follow it, so it cannot lead out.
func statAt(d *os.File, name string) (info, error) {
	return statx(d, name, unix.AT_SYMLINK_NOFOLLOW)
}

func statFile(f *os.File) (info, error) { return statx(f, "", unix.AT_EMPTY_PATH) }

func statx(f *os.File, name string, flags int) (info, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return info{}, err
	}
	var st unix.Statx_t
	var failed error
	if err := conn.Control(func(fd uintptr) {
		for {
			failed = unix.Statx(int(fd), name, flags|unix.AT_STATX_SYNC_AS_STAT, statMask, &st)
			if failed != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return info{}, err
	}
	if failed != nil {
		return info{}, &fs.PathError{Op: "statx", Path: name, Err: failed}
	}
	return fromStatx(&st), nil
}

func fromStatx(st *unix.Statx_t) info {
	birth := int64(unborn)
	if st.Mask&unix.STATX_BTIME != 0 {
		birth = nanos(st.Btime)
	}
	return info{
		identity: identity{
			device: int64(unix.Mkdev(st.Dev_major, st.Dev_minor)),
			inode:  int64(st.Ino),
			birth:  birth,
		},
		mode:  fileMode(st.Mode),
		size:  int64(st.Size),
		mtime: nanos(st.Mtime),
		ctime: nanos(st.Ctime),
		links: st.Nlink,
		uid:   st.Uid,
		gid:   st.Gid,
	}
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

func fileMode(mode uint16) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	default:
		m |= fs.ModeIrregular
	}
	return m
}

func renameNoReplace(a *os.File, an string, b *os.File, bn string) error {
	return renameat2(a, an, b, bn, unix.RENAME_NOREPLACE)
}

func renameExchange(a *os.File, an string, b *os.File, bn string) error {
	return renameat2(a, an, b, bn, unix.RENAME_EXCHANGE)
}

func renameat2(a *os.File, an string, b *os.File, bn string, flags uint) error {
	ca, err := a.SyscallConn()
	if err != nil {
		return err
	}
	cb, err := b.SyscallConn()
	if err != nil {
		return err
	}
	var failed, inner error
	if err := ca.Control(func(fa uintptr) {
		inner = cb.Control(func(fb uintptr) {
			failed = unix.Renameat2(int(fa), an, int(fb), bn, flags)
		})
	}); err != nil {
		return err
	}
	if inner != nil {
		return inner
	}
	if failed != nil {
		return &os.LinkError{Op: "renameat2", Old: an, New: bn, Err: failed}
	}
	return nil
}

// unsupported reports whether a file system or kernel lacks what was asked for.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// space returns the bytes that an ordinary user can still write, and those in use.
func (t *tree) space(rel string) (available, used int64, err error) {
	d, err := t.root.Open(rel)
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	conn, err := d.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var st unix.Statfs_t
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = unix.Fstatfs(int(fd), &st) }); err != nil {
		return 0, 0, err
	}
	if failed != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: rel, Err: failed}
	}
	block := int64(st.Frsize) // another type on 32 bits
	return int64(st.Bavail) * block, int64(st.Blocks-st.Bfree) * block, nil
}

// fsync passes over file systems that cannot sync a folder.
func fsync(f *os.File) error {
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// inherit gives a new file what the old one had beside its bytes: owner, mode, ACL
// and user attributes (where Samba keeps DOS attributes). What the system refuses
// stays out: the bytes are worth more than any of these.
func inherit(to, from *os.File, old info) {
	_ = to.Chown(int(old.uid), int(old.gid))
	_ = to.Chmod(old.mode.Perm())
	cf, err := from.SyscallConn()
	if err != nil {
		return
	}
	ct, err := to.SyscallConn()
	if err != nil {
		return
	}
	_ = cf.Control(func(f uintptr) {
		_ = ct.Control(func(t uintptr) { copyAttributes(int(t), int(f)) })
	})
}

func copyAttributes(to, from int) {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(from, names)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name != "system.posix_acl_access" && !strings.HasPrefix(name, "user.") {
			continue
		}
		if n, err := unix.Fgetxattr(from, name, value); err == nil {
			_ = unix.Fsetxattr(to, name, value[:n], 0)
		}
	}
}
