package locks

import (
	"errors"
	"testing"
	"time"

	"davwopi/bridge/wopi"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// The states of reference wopi.md 5.2: unlocked (three ways), the same ID, another
// ID. X, something that is not WOPI, is beyond the pure rules.
var (
	unlocked = []Lock{{}, {ID: "A", Expires: noon}, {ID: "A", Expires: noon.Add(-time.Hour)}}
	same     = Lock{ID: "A", Expires: noon.Add(time.Second)}
	other    = Lock{ID: "cur", Expires: noon.Add(Life)}
	fresh    = Lock{ID: "A", Expires: noon.Add(Life)}
)

// A cell is one cell of the table: what follows, or the header of a 409.
type cell struct {
	follows Lock
	hdr     string // "-" for no 409
}

func TestTable(t *testing.T) {
	a := wopi.LockID("A")
	type call func(Lock) (Lock, error)
	rule := func(f func(Lock) error) call { return func(l Lock) (Lock, error) { return l, f(l) } }
	const yes = "-"
	rows := []struct {
		name    string
		do      call
		u, s, d cell
		keeps   bool
	}{
		{"Lock", func(l Lock) (Lock, error) { return l.Acquire("A", noon) }, cell{fresh, yes}, cell{fresh, yes}, cell{other, "cur"}, false},
		{"UnlockAndRelock", func(l Lock) (Lock, error) { return l.Relock("A", "B", noon) },
			cell{Lock{}, ""}, cell{Lock{"B", noon.Add(Life)}, yes}, cell{other, "cur"}, false},
		{"UnlockAndRelock where B == A", func(l Lock) (Lock, error) { return l.Relock("A", "A", noon) },
			cell{Lock{}, ""}, cell{fresh, yes}, cell{other, "cur"}, false},
		{"UnlockAndRelock with an empty OldLock", func(l Lock) (Lock, error) { return l.Relock("", "B", noon) },
			cell{Lock{}, ""}, cell{same, "A"}, cell{other, "cur"}, false},
		{"RefreshLock", func(l Lock) (Lock, error) { return l.Refresh("A", noon) }, cell{Lock{}, ""}, cell{fresh, yes}, cell{other, "cur"}, false},
		{"Unlock", func(l Lock) (Lock, error) { return l.Release("A", noon) }, cell{Lock{}, ""}, cell{Lock{}, yes}, cell{other, "cur"}, false},
		{"PutFile, size > 0", rule(func(l Lock) error { return l.MayWrite(&a, 1, noon) }), cell{Lock{}, ""}, cell{same, yes}, cell{other, "cur"}, true},
		{"PutFile, size unknown", rule(func(l Lock) error { return l.MayWrite(&a, -1, noon) }), cell{Lock{}, ""}, cell{same, yes}, cell{other, "cur"}, true},
		{"PutFile, size 0", rule(func(l Lock) error { return l.MayWrite(&a, 0, noon) }), cell{Lock{}, yes}, cell{same, yes}, cell{other, "cur"}, true},
		{"PutFile without X-WOPI-Lock, size 0", rule(func(l Lock) error { return l.MayWrite(nil, 0, noon) }), cell{Lock{}, yes}, cell{same, "A"}, cell{other, "cur"}, true},
		{"PutFile without X-WOPI-Lock, size > 0", rule(func(l Lock) error { return l.MayWrite(nil, 1, noon) }), cell{Lock{}, ""}, cell{same, "A"}, cell{other, "cur"}, true},
		{"RenameFile", rule(func(l Lock) error { return l.MayRename(&a, noon) }), cell{Lock{}, yes}, cell{same, yes}, cell{other, "cur"}, true},
		{"RenameFile without X-WOPI-Lock", rule(func(l Lock) error { return l.MayRename(nil, noon) }), cell{Lock{}, yes}, cell{same, "A"}, cell{other, "cur"}, true},
		{"DeleteFile", rule(func(l Lock) error { return l.MayDelete(noon) }), cell{Lock{}, yes}, cell{same, "A"}, cell{other, "cur"}, true},
	}
	for _, r := range rows {
		for _, l := range unlocked {
			checkCell(t, r.name+" on U", l, r.do, r.u, r.keeps)
		}
		checkCell(t, r.name+" on S", same, r.do, r.s, r.keeps)
		checkCell(t, r.name+" on D", other, r.do, r.d, r.keeps)
	}
}

func checkCell(t *testing.T, name string, l Lock, do func(Lock) (Lock, error), want cell, keeps bool) {
	t.Helper()
	got, err := do(l)
	if want.hdr == "-" {
		if err != nil || (!keeps && got != want.follows) {
			t.Errorf("%s (%+v): %+v, %v; want %+v", name, l, got, err, want.follows)
		}
		return
	}
	var m *MismatchError
	if !errors.As(err, &m) || m.Current != wopi.LockID(want.hdr) || m.Reason == "" || m.Foreign {
		t.Errorf("%s (%+v): %v; want 409 with X-WOPI-Lock %q", name, l, err, want.hdr)
	}
	if got != l {
		t.Errorf("%s: a refusal changed %+v into %+v", name, l, got)
	}
}

func TestWithoutLockIDIsMalformed(t *testing.T) {
	for name, l := range map[string]Lock{"U": {}, "S": same, "D": other} {
		for op, do := range map[string]func() (Lock, error){
			"Lock":            func() (Lock, error) { return l.Acquire("", noon) },
			"RefreshLock":     func() (Lock, error) { return l.Refresh("", noon) },
			"Unlock":          func() (Lock, error) { return l.Release("", noon) },
			"UnlockAndRelock": func() (Lock, error) { return l.Relock("A", "", noon) },
		} {
			if got, err := do(); !errors.Is(err, wopi.ErrMalformed) || got != l {
				t.Errorf("%s on %s: %+v, %v; want ErrMalformed and no change", op, name, got, err)
			}
		}
	}
}

func TestExpiresThirtyMinutesAfterLock(t *testing.T) {
	l, err := Lock{}.Acquire("A", noon)
	ok(t, err)
	if !l.Held(noon.Add(Life-time.Millisecond)) || l.Held(noon.Add(Life)) {
		t.Errorf("held until %v, want %v", l.Expires, noon.Add(30*time.Minute))
	}
}

func TestLockIDsAreComparedByteByByte(t *testing.T) {
	for _, id := range []wopi.LockID{"a", "A ", "A\x00", "", "AA"} {
		if same.MayRename(&id, noon) == nil {
			t.Errorf("%q passed for %q", id, same.ID)
		}
	}
}

func TestNoErrorShowsALockID(t *testing.T) {
	l := Lock{ID: "secret-lock-id", Expires: noon.Add(Life)}
	_, err := l.Acquire("x", noon)
	superseded := &SupersededError{Editing: &Editing{}, Mismatch: err.(*MismatchError)}
	for _, err := range []error{err, superseded} {
		if s := err.Error(); len(s) == 0 || contains(s, "secret") {
			t.Errorf("error says %q", s)
		}
	}
}
