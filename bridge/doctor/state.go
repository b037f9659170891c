package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// slowDisk is how long a small synced write may take before it is worth a word.
const slowDisk = time.Second

// A disk is what lies below a folder.
type disk struct {
	kind string // name of the file system, "" not known
	free int64  // bytes for us
}

// state looks at the state directory and writes to it as the journal does.
func (d *Doctor) state(context.Context) []Finding {
	dir, err := filepath.Abs(d.State)
	if err != nil {
		dir = d.State
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{finding(Hint, "state", dir, "The state directory is not there yet; davwopi makes it when it starts.")}
	case err != nil:
		return []Finding{finding(Error, "state", dir, "The state directory cannot be read: %s.", cause(err)).with(ownership(dir)...)}
	case !info.IsDir():
		return []Finding{finding(Error, "state", dir, "The state directory is no folder.").with("davwopi.yaml", "state: /var/lib/davwopi")}
	}
	var out []Finding
	if info.Mode().Perm()&0o077 != 0 {
		out = append(out, finding(Warning, "state", dir, "Others on this machine can look into the state directory, where the keys are.").
			with("a terminal", "chmod 700 "+quote(dir)))
	}
	out = append(out, written(dir, tryWriting))
	if below, err := diskOf(dir); err == nil {
		out = append(out, lies(dir, below.kind)...)
		out = append(out, room("state_space", dir, "the disk of the state directory", below.free))
	}
	return out
}

// written judges a trial of writing.
func written(dir string, try func(string) (time.Duration, error)) Finding {
	took, err := try(dir)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return finding(Error, "state", dir, "The disk of the state directory is full: nothing can be saved.")
	case err != nil:
		return finding(Error, "state", dir, "The state directory cannot be written to: %s.", cause(err)).with(ownership(dir)...)
	case took > slowDisk:
		return finding(Warning, "state", dir, "A small write to the state directory took %s until it was safe: every save waits as long. Move it to a faster disk.", took.Round(100*time.Millisecond)).
			with("davwopi.yaml", "state: /path/on/a/faster/disk/davwopi")
	}
	return finding(OK, "state", dir, "The state directory can be written to, safe from a power cut.")
}

// tryWriting does what a save does: a new file, written, synced, renamed, its folder
// synced. It leaves nothing behind.
func tryWriting(dir string) (took time.Duration, err error) {
	begin := time.Now()
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	name := f.Name()
	defer func() {
		for _, n := range []string{name, name + "-moved"} {
			if gone := os.Remove(n); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	_, err = f.Write(make([]byte, 4096))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(name, name+"-moved"); err != nil {
		return 0, err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	err = errors.Join(folder.Sync(), folder.Close())
	return time.Since(begin), err
}

// lies judges what the state directory lies on.
func lies(dir, kind string) []Finding {
	switch kind {
	case "":
		return nil
	case "tmpfs", "ramfs":
		return []Finding{finding(Warning, "state", dir, "The state directory is in memory only (%s): links, open documents and saves that wait are lost when this machine restarts.", kind).
			with("davwopi.yaml", "state: /var/lib/davwopi")}
	case "overlay":
		return []Finding{finding(Warning, "state", dir, "The state directory is inside a container: links, open documents and saves that wait are lost when it is made anew.").
			with("a terminal, when the container is started", "docker run -v davwopi-data:/data ...", "docker-compose.yml, in davwopi's service", "volumes:\n  - davwopi-data:/data")}
	case "nfs", "smb", "9p", "ceph":
		return []Finding{finding(Error, "state", dir, "The state directory is on a network drive (%s): locks are not safe there, and davwopi does not start.", kind).
			with("davwopi.yaml", "state: /var/lib/davwopi")}
	case "fuse":
		return []Finding{finding(Hint, "state", dir, "The state directory lies on a file system of a program (FUSE). On a network drive of that kind locks are not safe.")}
	}
	return []Finding{finding(OK, "state", dir, "The state directory is on a local disk (%s).", kind)}
}

func ownership(dir string) []string {
	return []string{"a terminal", fmt.Sprintf("sudo chown -R %d:%d %s", os.Getuid(), os.Getgid(), quote(dir))}
}

// quote is a word of a shell's.
func quote(s string) string {
	out := "'"
	for _, r := range s {
		if r == '\'' {
			out += `'\''`
			continue
		}
		out += string(r)
	}
	return out + "'"
}

// cause is the innermost error, a system's own words, without paths.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
