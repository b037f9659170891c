package doctor

import (
	"davwopi/bridge/words"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhereTheStateLies(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		want  Severity
		text  string
		paste string
	}{
		{"ext4", OK, "on a local disk (ext4)", ""},
		{"tmpfs", Warning, "lost when this machine restarts", "state: /var/lib/davwopi"},
		{"ramfs", Warning, "in memory only", "state: /var/lib/davwopi"},
		{"overlay", Warning, "inside a container", "docker run -v davwopi-data:/data ..."},
		{"nfs", Error, "on a network drive (nfs)", "state: /var/lib/davwopi"},
		{"smb", Error, "on a network drive (smb)", "state: /var/lib/davwopi"},
		{"fuse", Hint, "FUSE", ""},
	} {
		got := lies("/state", tt.kind)
		if len(got) != 1 || got[0].Severity != tt.want || !strings.Contains(got[0].Text, tt.text) {
			t.Errorf("%s: %+v", tt.kind, got)
			continue
		}
		if tt.paste != "" && (len(got[0].Paste) == 0 || got[0].Paste[0].Text != tt.paste) {
			t.Errorf("%s: %+v", tt.kind, got[0].Paste)
		}
	}
	if got := lies("/state", ""); got != nil {
		t.Errorf("an unknown file system: %+v", got)
	}
}

func TestRoom(t *testing.T) {
	for free, want := range map[int64]Severity{0: Error, noSpace - 1: Error, noSpace: Warning, littleSpace - 1: Warning, littleSpace: OK, 5 << 40: OK} {
		if got := room("space", "", words.Plain("it"), free); got.Severity != want {
			t.Errorf("%d: %+v", free, got)
		}
	}
}

func TestWritingToTheState(t *testing.T) {
	trial := func(took time.Duration, err error) func(string) (time.Duration, error) {
		return func(string) (time.Duration, error) { return took, err }
	}
	for _, tt := range []struct {
		name string
		try  func(string) (time.Duration, error)
		want Severity
		text string
	}{
		{"the real one", tryWriting, OK, "safe from a power cut"},
		{"full", trial(0, &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}), Error, "is full"},
		{"over quota", trial(0, errors.Join(syscall.EDQUOT)), Error, "is full"},
		{"read-only", trial(0, &os.PathError{Op: "open", Path: "/secret/x", Err: syscall.EROFS}), Error, "cannot be written to: read-only file system."},
		{"slow", trial(2*time.Second, nil), Warning, "took 2s"},
	} {
		dir := t.TempDir()
		got := written(dir, tt.try)
		if got.Severity != tt.want || !strings.Contains(got.Text, tt.text) {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v %v", tt.name, left, err)
		}
	}
}

func TestTheStateDirectory(t *testing.T) {
	missing := &Doctor{State: filepath.Join(t.TempDir(), "none")}
	if got := missing.state(t.Context()); len(got) != 1 || got[0].Severity != Hint {
		t.Errorf("not there: %+v", got)
	}
	if _, err := os.Stat(missing.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking has made it: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "o'state")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	got := (&Doctor{State: dir}).state(t.Context())
	if got[0].Severity != Warning || got[0].Paste[0].Text != `chmod 700 '`+strings.ReplaceAll(dir, "'", `'\''`)+`'` {
		t.Errorf("open to others: %+v", got[0])
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := (&Doctor{State: file}).state(t.Context()); len(got) != 1 || got[0].Severity != Error {
		t.Errorf("a file: %+v", got)
	}
}

func TestOurOwnDiskHasAKind(t *testing.T) {
	d, err := diskOf("/proc/self")
	if err != nil {
		t.Skip("needs statfs")
	}
	if d.free != 0 {
		t.Errorf("/proc: %+v", d)
	}
	if d, err = diskOf("/dev/shm"); err == nil && d.kind != "tmpfs" {
		t.Errorf("/dev/shm: %+v", d)
	}
	if _, err := diskOf("/no/such/folder"); err == nil {
		t.Error("a folder that is not there")
	}
}
