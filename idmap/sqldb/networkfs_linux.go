package sqldb

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// networkMagics are the file systems of statfs(2) whose files live on another
// machine.
var networkMagics = map[int64]string{
	unix.NFS_SUPER_MAGIC:   "nfs",
	unix.SMB_SUPER_MAGIC:   "smb",
	unix.CIFS_SUPER_MAGIC:  "cifs",
	unix.SMB2_SUPER_MAGIC:  "smb2",
	unix.AFS_SUPER_MAGIC:   "afs",
	unix.AFS_FS_MAGIC:      "afs",
	unix.CODA_SUPER_MAGIC:  "coda",
	unix.NCP_SUPER_MAGIC:   "ncp",
	unix.V9FS_MAGIC:        "9p",
	unix.CEPH_SUPER_MAGIC:  "ceph",
	unix.OCFS2_SUPER_MAGIC: "ocfs2",
	0x0BD00BD0:             "lustre",
	0x01161970:             "gfs2",
	0x19830326:             "beegfs",
	0x47504653:             "gpfs",
}

// networkFuse are the FUSE file systems of that kind; FUSE also carries local
// ones (ntfs-3g, mergerfs), which statfs cannot tell apart.
var networkFuse = []string{"sshfs", "rclone", "s3fs", "davfs", "glusterfs", "ceph", "smbnetfs", "curlftpfs", "gcsfuse", "goofys", "juicefs", "seaweedfs", "moosefs", "lizardfs"}

// refuseNetworkFS returns an error wrapping [ErrNetworkFS] if dir is on a network
// file system.
func refuseNetworkFS(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("sqldb: %s: %w", dir, err)
	}
	magic := int64(uint32(st.Type))
	name := networkMagics[magic]
	if magic == unix.FUSE_SUPER_MAGIC {
		var dev unix.Stat_t
		if err := unix.Stat(dir, &dev); err != nil {
			return fmt.Errorf("sqldb: %s: %w", dir, err)
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return fmt.Errorf("sqldb: %w", err)
		}
		name = networkFuseOf(string(mounts), fmt.Sprintf("%d:%d", unix.Major(dev.Dev), unix.Minor(dev.Dev)))
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("%w: %s is on %s; choose a local disk, or PostgreSQL", ErrNetworkFS, dir, name)
}

// networkFuseOf returns the type of the mount of device in /proc/self/mountinfo
// if it is one of networkFuse, else "". See proc(5).
func networkFuseOf(mountinfo, device string) string {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, types := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 3 || fields[2] != device || len(types) == 0 {
			continue
		}
		for _, n := range networkFuse {
			if strings.HasPrefix(types[0], "fuse."+n) {
				return types[0]
			}
		}
	}
	return ""
}
