package locks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// The states of the table, set up through the lock book itself. The lock ID that
// was there is "cur" where it must not be the request's "A".
var states = []struct {
	name string
	make func(h *house, f idmap.FileID, name string)
	col  byte
}{
	{"never locked", func(*house, idmap.FileID, string) {}, 'U'},
	{"unlocked", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), ben, "cur"))
		ok(h.t, h.Unlock(context.Background(), h.target(f), ben, "cur"))
	}, 'U'},
	{"expired", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), ben, "cur"))
		h.clock.forward(Life)
	}, 'U'},
	{"expired and released", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), ben, "cur"))
		h.clock.forward(Life)
		h.tend()
	}, 'U'},
	{"same ID", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), ben, "A"))
	}, 'S'},
	{"other ID", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), ben, "cur"))
	}, 'D'},
	{"DAV lock of a stranger", func(h *house, f idmap.FileID, name string) {
		h.foreign(dav.Path("/"+name), "Zoe on the NAS")
	}, 'X'},
	{"lock file of LibreOffice", func(h *house, f idmap.FileID, name string) {
		h.server.Write(h.t, ".~lock."+name+"#", ",Zoe,zoe,host,20.11.2026 10:00,file:///x;")
	}, 'X'},
	{"lock file of Microsoft Office", func(h *house, f idmap.FileID, name string) {
		h.server.Write(h.t, officeLockName(name), "\x03Zoe")
	}, 'X'},
	{"another editor, same ID", func(h *house, f idmap.FileID, _ string) {
		ok(h.t, h.Lock(context.Background(), h.target(f), elsewhere(ben), "A"))
	}, 'O'},
}

// put asks PutFile's rule the way a save does.
func (h *house) put(f idmap.FileID, a Actor, id *wopi.LockID) error {
	ctx := context.Background()
	t := h.target(f)
	if err := h.MayWrite(ctx, t, a, id); err != nil {
		return err
	}
	x, err := h.Lease(ctx, f, "put", time.Second)
	if err != nil {
		return err
	}
	defer x.Release()
	p, err := h.Permit(ctx, x, t, a, id)
	if err == nil && p.View == nil {
		return errors.New("a permit without a view")
	}
	return err
}

func TestTableOnTheWire(t *testing.T) {
	const yes = "-"
	ctx := context.Background()
	rename := func(h *house, f idmap.FileID, name string, id *wopi.LockID) error {
		e, err := h.Move(ctx, h.target(f), anna, id, dav.Path("/renamed "+name))
		if err == nil && (e.ID != f || e.Path != dav.Path("/renamed "+name)) {
			return fmt.Errorf("renamed to %+v", e)
		}
		return err
	}
	ops := []struct {
		name       string
		content    string
		do         func(h *house, f idmap.FileID, name string) error
		u, s, d, x string
	}{
		{"Lock", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Lock(ctx, h.target(f), anna, "A") }, yes, yes, "cur", ""},
		{"UnlockAndRelock", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Relock(ctx, h.target(f), anna, "A", "B") }, "", yes, "cur", ""},
		{"UnlockAndRelock where B == A", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Relock(ctx, h.target(f), anna, "A", "A") }, "", yes, "cur", ""},
		{"RefreshLock", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Refresh(ctx, h.target(f), anna, "A") }, "", yes, "cur", ""},
		{"Unlock", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Unlock(ctx, h.target(f), anna, "A") }, "", yes, "cur", ""},
		{"PutFile, size > 0", "hello", func(h *house, f idmap.FileID, _ string) error { return h.put(f, anna, id("A")) }, "", yes, "cur", ""},
		{"PutFile, size 0", "", func(h *house, f idmap.FileID, _ string) error { return h.put(f, anna, id("A")) }, yes, yes, "cur", ""},
		{"PutFile without X-WOPI-Lock, size 0", "", func(h *house, f idmap.FileID, _ string) error { return h.put(f, anna, nil) }, yes, "A", "cur", ""},
		{"PutFile without X-WOPI-Lock, size > 0", "hello", func(h *house, f idmap.FileID, _ string) error { return h.put(f, anna, nil) }, "", "A", "cur", ""},
		{"RenameFile", "hello", func(h *house, f idmap.FileID, name string) error { return rename(h, f, name, id("A")) }, yes, yes, "cur", ""},
		{"RenameFile without X-WOPI-Lock", "hello", func(h *house, f idmap.FileID, name string) error { return rename(h, f, name, nil) }, yes, "A", "cur", ""},
		{"DeleteFile", "hello", func(h *house, f idmap.FileID, _ string) error { return h.Delete(ctx, h.target(f), anna) }, yes, "A", "cur", ""},
	}
	h := newHouse(t)
	h.Respect = true
	n := 0
	for _, op := range ops {
		for _, state := range states {
			t.Run(op.name+"/"+state.name, func(t *testing.T) {
				n++
				name := fmt.Sprintf("document %d.docx", n)
				f := h.file(name, op.content)
				state.make(h, f, name)
				// O, two editors by URL: what the lock forbids is 409 with an empty header.
				want := map[byte]string{'U': op.u, 'S': op.s, 'D': op.d, 'X': op.x, 'O': ""}[state.col]
				err := op.do(h, f, name)
				if want != yes {
					m := is409(t, err, wopi.LockID(want))
					if state.col == 'O' && !m.Foreign {
						t.Error("another editor is not called foreign")
					}
					if got, ok := h.server.Read(t, name); !ok || got != op.content {
						t.Errorf("a refusal changed the file: %q, %v", got, ok)
					}
					return
				}
				ok(t, err)
			})
		}
	}
	if problems := h.told.all(); len(problems) > 0 {
		t.Errorf("OnError heard %q", problems)
	}
}

func TestGetLockColumn(t *testing.T) {
	h := newHouse(t)
	h.Respect = true
	ctx := context.Background()
	for i, state := range states {
		t.Run(state.name, func(t *testing.T) {
			name := fmt.Sprintf("document %d.docx", i)
			f := h.file(name, "hello")
			state.make(h, f, name)
			got, err := h.Get(ctx, h.target(f), anna)
			switch state.col {
			case 'X':
				if m := is409(t, err, ""); !m.Foreign {
					t.Error("not foreign")
				}
			case 'U':
				if ok(t, err); got != "" {
					t.Errorf("X-WOPI-Lock %q of an unlocked file", got)
				}
			default:
				want := wopi.LockID("A")
				if state.col == 'D' {
					want = "cur"
				}
				if ok(t, err); got != want {
					t.Errorf("X-WOPI-Lock %q, want %q", got, want)
				}
			}
		})
	}
}

func TestAfterUnlockAndRelockTheOldIDIsAStrangers(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ctx := context.Background()
	ok(t, h.Lock(ctx, h.target(f), anna, "A"))
	token := h.row(f).token
	ok(t, h.Relock(ctx, h.target(f), anna, "A", "B"))
	if h.row(f).token != token {
		t.Error("UnlockAndRelock changed the DAV lock")
	}
	is409(t, h.Unlock(ctx, h.target(f), anna, "A"), "B")
	is409(t, h.Refresh(ctx, h.target(f), anna, "A"), "B")
	is409(t, h.Lock(ctx, h.target(f), anna, "A"), "B")
	ok(t, h.Unlock(ctx, h.target(f), anna, "B"))
}

func TestPutFileDoesNotExtendTheLock(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.docx", "hello")
	ok(t, h.Lock(context.Background(), h.target(f), anna, "A"))
	expires := h.row(f).lock.Expires
	h.clock.forward(time.Minute)
	ok(t, h.put(f, anna, id("A")))
	if got := h.row(f).lock.Expires; got != expires {
		t.Errorf("expires %v, was %v", got, expires)
	}
}
