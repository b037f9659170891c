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

	"davwopi/bridge/words"
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
		return []Finding{finding(Hint, "state", dir, words.Say("found.state.not_yet"))}
	case err != nil:
		return []Finding{finding(Error, "state", dir, words.Say("found.state.unreadable", "why", cause(err))).with(ownership(dir))}
	case !info.IsDir():
		return []Finding{finding(Error, "state", dir, words.Say("found.state.no_folder")).with(yaml("state: /var/lib/davwopi"))}
	}
	var out []Finding
	if info.Mode().Perm()&0o077 != 0 {
		out = append(out, finding(Warning, "state", dir, words.Say("found.state.open")).
			with(terminal("chmod 700 "+quote(dir))))
	}
	out = append(out, written(dir, tryWriting))
	if below, err := diskOf(dir); err == nil {
		out = append(out, lies(dir, below.kind)...)
		out = append(out, room("state_space", dir, words.Say("found.room.state"), below.free))
	}
	return out
}

// written judges a trial of writing.
func written(dir string, try func(string) (time.Duration, error)) Finding {
	took, err := try(dir)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return finding(Error, "state", dir, words.Say("found.state.full"))
	case err != nil:
		return finding(Error, "state", dir, words.Say("found.state.unwritable", "why", cause(err))).with(ownership(dir))
	case took > slowDisk:
		return finding(Warning, "state", dir, words.Say("found.state.slow", "seconds", seconds(took))).
			with(yaml("state: /path/on/a/faster/disk/davwopi"))
	}
	return finding(OK, "state", dir, words.Say("found.state.writable"))
}

// seconds is a duration as an argument: whole seconds, or with a tenth.
func seconds(d time.Duration) any {
	d = d.Round(100 * time.Millisecond)
	if d%time.Second == 0 {
		return int(d.Seconds())
	}
	return d.Seconds()
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
		return []Finding{finding(Warning, "state", dir, words.Say("found.state.memory", "kind", kind)).
			with(yaml("state: /var/lib/davwopi"))}
	case "overlay":
		return []Finding{finding(Warning, "state", dir, words.Say("found.state.container")).
			with(Paste{Said: words.Say("paste.container_start"), Text: "docker run -v davwopi-data:/data ..."}, Paste{Said: words.Say("paste.compose"), Text: "volumes:\n  - davwopi-data:/data"})}
	case "nfs", "smb", "9p", "ceph":
		return []Finding{finding(Error, "state", dir, words.Say("found.state.network", "kind", kind)).
			with(yaml("state: /var/lib/davwopi"))}
	case "fuse":
		return []Finding{finding(Hint, "state", dir, words.Say("found.state.fuse"))}
	}
	return []Finding{finding(OK, "state", dir, words.Say("found.state.local", "kind", kind))}
}

func ownership(dir string) Paste {
	return terminal(fmt.Sprintf("sudo chown -R %d:%d %s", os.Getuid(), os.Getgid(), quote(dir)))
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
func cause(err error) words.English {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return words.English(err.Error())
		}
		err = inner
	}
}
