package saves

import "syscall"

// File systems whose contents end with the machine or the container (statfs(2)).
const (
	tmpfsMagic   = 0x01021994
	ramfsMagic   = 0x858458f6
	overlayMagic = 0x794c7630
)

// roomOf looks at the file system of dir.
func roomOf(dir string) (room, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return room{}, err
	}
	block := uint64(st.Bsize)
	kind := uint32(st.Type)
	return room{
		fleeting: kind == tmpfsMagic || kind == ramfsMagic || kind == overlayMagic,
		free:     st.Bavail * block, total: st.Blocks * block,
	}, nil
}
