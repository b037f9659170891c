package saves

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

func TestSpoolRefuses(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Embedded)
	g.server.Write(t, "a.txt", "old")
	o := g.open("a.txt", wopi.Microsoft)
	for _, c := range []struct {
		what   string
		body   io.Reader
		length int64
		max    int64
		want   error
	}{
		{"a body shorter than its Content-Length is never written", strings.NewReader("half"), 8, 100, dav.ErrIncomplete},
		{"nor one that is longer", strings.NewReader("twice as long"), 5, 100, dav.ErrIncomplete},
		{"an editor that hangs up", io.MultiReader(strings.NewReader("ha"), iotest.ErrReader(io.ErrUnexpectedEOF)), 8, 100, dav.ErrIncomplete},
		{"a Content-Length over the limit is not even read", iotest.ErrReader(errors.New("read")), 101, 100, dav.ErrTooLarge},
		{"a body over the limit without a length", strings.NewReader(strings.Repeat("x", 101)), -1, 100, dav.ErrTooLarge},
	} {
		t.Run(c.what, func(t *testing.T) {
			g.saves.MaxBytes = c.max
			_, err := g.saves.Put(t.Context(), o.target, o.actor, Put{Lock: &o.id, Body: c.body, Length: c.length})
			if !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			g.wantOn("a.txt", "old")
			if left, _ := os.ReadDir(g.saves.Dir); len(left) != 1 { // "store"
				t.Errorf("files are left: %v", left)
			}
		})
	}
	g.saves.MaxBytes = 100
	if _, err := g.saves.Put(t.Context(), o.target, o.actor, Put{Lock: &o.id, Body: strings.NewReader("no length"), Length: -1}); err != nil {
		t.Errorf("a body of unknown length: %v", err)
	}
	g.wantOn("a.txt", "no length")
}

func TestNoRoomInTheStateDirectory(t *testing.T) {
	for _, at := range []string{"create", "write", "sync", "rename", "syncDir"} {
		t.Run(at, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Microsoft)
			full := fmt.Errorf("disk: %w", syscall.ENOSPC)
			real := osDisk()
			g.saves.disk.create = func(path string) (spoolFile, error) {
				if at == "create" {
					return spoolFile{}, full
				}
				f, err := real.create(path)
				switch at {
				case "write":
					f.Writer = writerFunc(func([]byte) (int, error) { return 0, full })
				case "sync":
					f.sync = func() error { return full }
				}
				return f, err
			}
			if at == "rename" {
				g.saves.disk.rename = func(string, string) error { return full }
			}
			if at == "syncDir" {
				g.saves.disk.syncDir = func(string) error { return full }
			}
			if _, err := o.put("new"); !errors.Is(err, ErrNoRoom) {
				t.Errorf("error is %v, want ErrNoRoom", err)
			}
			g.wantOn("a.txt", "old")
			if left, _ := os.ReadDir(g.saves.Dir); len(left) != 1 {
				t.Errorf("files are left: %v", left)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A powerDisk remembers what would be left if the power failed now: of a file the
// bytes that were fsynced, of a directory the names that were.
type powerDisk struct {
	mu      sync.Mutex
	names   map[string]*inode // guarded by mu
	durable map[string]*inode // guarded by mu
}

type inode struct{ synced []byte }

func (p *powerDisk) disk() disk {
	real := osDisk()
	return disk{
		create: func(path string) (spoolFile, error) {
			f, err := real.create(path)
			if err != nil {
				return f, err
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			n := new(inode)
			p.names[path] = n
			var all bytes.Buffer
			return spoolFile{
				Writer: io.MultiWriter(f, &all),
				sync: func() error {
					p.mu.Lock()
					defer p.mu.Unlock()
					n.synced = bytes.Clone(all.Bytes())
					return f.sync()
				},
				close: f.close,
			}, nil
		},
		rename: func(from, to string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.names[to] = p.names[from]
			delete(p.names, from)
			return real.rename(from, to)
		},
		remove: func(path string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.names, path)
			return real.remove(path)
		},
		syncDir: func(dir string) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.durable = maps.Clone(p.names)
			return real.syncDir(dir)
		},
	}
}

// cut fails the power: dir holds what is left.
func (p *powerDisk) cut(t *testing.T, store, dir string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, n := range p.durable {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), n.synced, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "store"), []byte(store+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPowerCut: after the row of a save is written, its bytes survive the power.
// With either fsync switched off they do not, so the test would notice.
func TestPowerCut(t *testing.T) {
	for _, c := range []struct {
		what                string
		noFileSync, noDirty bool
		survives            bool
	}{
		{"both fsyncs", false, false, true},
		{"without the file's fsync the bytes are lost", true, false, false},
		{"without the directory's fsync the name is lost", false, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := newRig(t, upstream.Strict(t), davbackend.Embedded)
			power := &powerDisk{names: map[string]*inode{}}
			g.saves = g.journal(t.TempDir(), func(s *Saves) {
				s.disk = power.disk()
				s.disk.noFileSync, s.disk.noDirSync = c.noFileSync, c.noDirty
			})
			g.server.Write(t, "a.txt", "old")
			o := g.open("a.txt", wopi.Microsoft)
			g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Status: 503})
			_, err := o.put("the only copy")
			id := keptEntry(t, err).Entry

			dir := t.TempDir()
			power.cut(t, g.saves.store, dir)
			g.saves = g.journal(dir, nil)
			g.recover()
			body, _, err := g.saves.Open(t.Context(), id)
			if err == nil {
				defer body.Close()
			}
			if survived := err == nil; survived != c.survives {
				t.Errorf("the bytes survived: %v (%v), want %v", survived, err, c.survives)
			}
		})
	}
}

// TestMemoryStaysFlat: a body never is in memory as a whole, neither on its way in
// nor out nor when it is read back.
func TestMemoryStaysFlat(t *testing.T) {
	const size = 64 << 20
	for _, s := range strategies {
		if s.profile.Chunked {
			continue // Apache has none, and the test's own cloud would hold it in memory
		}
		t.Run(s.name, func(t *testing.T) {
			apache := upstream.Apache(t)
			g := newRig(t, apache, s.profile)
			g.server.Write(t, "big.bin", "old")
			o := g.open("big.bin", wopi.Microsoft)
			peak, stop := watchHeap(t)
			_, err := g.saves.Put(t.Context(), o.target, o.actor, Put{Lock: &o.id, Body: io.LimitReader(zeros{}, size), Length: size})
			if err == nil {
				_, err = g.saves.Put(t.Context(), o.target, o.actor, Put{Lock: &o.id, Body: io.LimitReader(zeros{}, size), Length: size})
			}
			stop()
			if err != nil {
				t.Fatal(err)
			}
			if grown := peak(); grown > 16<<20 {
				t.Errorf("the heap grew by %d MiB for a body of 64 MiB", grown>>20)
			}
			info, err := os.Stat(filepath.Join(apache.Dir, "big.bin"))
			if err != nil || info.Size() != size {
				t.Errorf("big.bin: %v, %v", info, err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func watchHeap(t *testing.T) (peak func() int64, stop func()) {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	start, most := int64(m.HeapAlloc), int64(m.HeapAlloc)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc))
			_ = sleep(ctx, 5e6)
		}
	}()
	return func() int64 { return most - start }, func() { cancel(); <-done }
}
