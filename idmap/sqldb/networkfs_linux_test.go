package sqldb

import (
	"errors"
	"testing"
)

func TestNetworkFuse(t *testing.T) {
	const mounts = `22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:45 / /mnt/nas rw,nosuid - fuse.sshfs user@nas:/ rw,user_id=0
41 22 0:46 / /mnt/usb rw,nosuid shared:7 master:2 - fuse.ntfs-3g /dev/sdb1 rw
a line that is - torn
`
	for device, want := range map[string]string{"0:45": "fuse.sshfs", "0:46": "", "0:20": "", "9:9": ""} {
		if got := networkFuseOf(mounts, device); got != want {
			t.Errorf("%s: %q, want %q", device, got, want)
		}
	}
}

func TestRefuseNetworkFS(t *testing.T) {
	if err := refuseNetworkFS(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := refuseNetworkFS("/nonexistent"); err == nil || errors.Is(err, ErrNetworkFS) {
		t.Error(err)
	}
}
