package saves

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// stores runs f for everything that bytes can be kept in where bridges share a
// database: change makes a journal of that kind.
func stores(t *testing.T, f func(t *testing.T, g *rig, change func(*Saves))) {
	for _, store := range []string{"database", "volume"} {
		t.Run(store, func(t *testing.T) {
			g := newRigOn(t, mustOpen(t, sqldbtest.Postgres(t)), upstream.Strict(t), davbackend.Unknown)
			volume := t.TempDir()
			change := func(s *Saves) {
				s.WhenDown, s.Replicas = Queue, true
				s.disk.room = func(string) (room, error) { return room{free: 1 << 40, total: 1 << 41}, nil }
				if s.InDatabase = store == "database"; !s.InDatabase {
					s.Volume = volume
				}
			}
			g.saves = g.journal(g.saves.Dir, change)
			f(t, g, change)
		})
	}
}

// TestBytesInPieces: bodies of every size around that of a piece come back as they
// were, from every offset, and are hashed.
func TestBytesInPieces(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		s := g.journal(g.saves.Dir, func(s *Saves) { s.InDatabase = true })
		ctx := t.Context()
		random := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 2*pieceSize + 12345} {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(random.Uint32())
			}
			for _, length := range []int64{int64(size), -1} {
				r, err := s.receive(ctx, sender{kind: kindCreate, max: 10 << 20}, bytes.NewReader(body), length)
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(body)
				if sp, err := s.hashBytes(ctx, r); err != nil || sp.size != int64(size) || !bytes.Equal(sp.sha256, sum[:]) || !bytes.Equal(r.sha256, sum[:]) {
					t.Errorf("%d bytes: hashed again: %v %v", size, sp, err)
				}
				for _, from := range []int{0, size / 3, size - 1, size} {
					f, err := s.reader(ctx, r, int64(max(from, 0)))
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, body[max(from, 0):]) {
						t.Errorf("%d bytes from %d: %d bytes, %v", size, from, len(got), err)
					}
				}
				s.live.leave(r.id)
				if err := s.forget(ctx, r); err != nil {
					t.Fatal(err)
				}
				if _, err := s.reader(ctx, r, 0); size > 0 && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("forgotten bytes: %v", err)
				}
			}
		}
		if n := g.countPieces(); n != 0 {
			t.Errorf("%d pieces are left", n)
		}
	})
}

func (g *rig) countPieces() (n int) {
	g.t.Helper()
	if err := g.db.Read().QueryRow(g.t.Context(), `SELECT COUNT(*) FROM saves_piece`).Scan(&n); err != nil {
		g.t.Fatal(err)
	}
	return n
}

// TestHalfBodiesInTheDatabase: what is too large or too short leaves nothing; what a
// dead bridge has left half goes after an hour, and not while it may still come.
func TestHalfBodiesInTheDatabase(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		g.saves = g.journal(g.saves.Dir, func(s *Saves) { s.InDatabase = true })
		ctx := t.Context()
		take := func(size, length, most int64) error {
			r, err := g.saves.receive(ctx, sender{kind: kindCreate, max: most}, strings.NewReader(letters(int(size))), length)
			if err == nil {
				g.saves.live.leave(r.id)
			}
			return err
		}
		if err := take(2*pieceSize, -1, pieceSize+1); !errors.Is(err, dav.ErrTooLarge) || g.countPieces() != 0 {
			t.Errorf("too large: %v, %d pieces are left", err, g.countPieces())
		}
		if err := take(2*pieceSize, 2*pieceSize+1, 10*pieceSize); !errors.Is(err, dav.ErrIncomplete) || g.countPieces() != 0 {
			t.Errorf("too short: %v, %d pieces are left", err, g.countPieces())
		}
		g.die("piece")
		dead := &row{id: "dead", place: inDatabase}
		if _, err := g.saves.pour(ctx, dead.id, strings.NewReader(letters(2*pieceSize)), -1, 10*pieceSize); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		g.saves.crash = nil
		g.saves.sweep(ctx)
		if g.countPieces() != 1 {
			t.Errorf("%d pieces of a body that may still come", g.countPieces())
		}
		g.later(orphanedAfter + time.Minute)
		g.saves.sweep(ctx)
		if g.countPieces() != 0 {
			t.Errorf("%d pieces of a dead bridge are left", g.countPieces())
		}
		// Who was asleep meanwhile does not write a row for bytes that are gone.
		dead.size, dead.kind, dead.state = 2*pieceSize, kindCreate, stateSpooled
		if err := g.saves.insert(ctx, dead); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a row without its bytes: %v", err)
		}
	})
}

// TestAnotherBridgeDelivers: a bridge acknowledges saves while the upstream is away, and
// dies. The other one shows them at once, and delivers them when the first has been
// silent for long enough; the strings that were given out stay.
func TestAnotherBridgeDelivers(t *testing.T) {
	stores(t, func(t *testing.T, g *rig, change func(*Saves)) {
		ctx := t.Context()
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.down()
		o.mustPut("the first")
		told := o.mustPut("the last")
		first := g.saves
		other := g.journal(t.TempDir(), change)
		if other.store == first.store {
			t.Fatal("both bridges have one name")
		}
		w, err := other.Waiting(ctx, o.target.File.ID)
		if err != nil || w == nil || w.Revision.Version != told.Version {
			t.Fatalf("the other bridge sees %+v, %v", w, err)
		}
		f, err := other.OpenWaiting(ctx, w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != "the last" {
			t.Errorf("the other bridge reads %q, %v", got, err)
		}
		f.Close()
		g.up()
		g.later(deadAfter / 2)
		other.sweep(ctx)
		g.wantOn("a.txt", "old") // its owner may be at work on it
		if err := other.takeFrom(ctx, w.r); err != nil {
			t.Errorf("on a person's word: %v", err)
		}
		if err := first.advance(ctx, &row{id: w.r.id, store: first.store, state: w.r.state, serial: w.r.serial}, func(*row) {}, nil); err == nil {
			t.Error("the bridge that was taken over still writes")
		}
		w.r.store = other.store
		if err := first.takeFrom(ctx, w.r); err != nil {
			t.Fatal(err)
		}
		g.later(deadAfter)
		if err := other.announce(ctx, false); err != nil {
			t.Fatal(err)
		}
		other.sweep(ctx)
		g.wantOn("a.txt", "the last")
		g.wantStrings(o, told)
		g.saves = other
		g.later(lateAfter + time.Second)
		other.sweep(ctx)
		for _, e := range mustList(t, other) {
			if e.State != statePreimage {
				t.Errorf("entry %+v is left", e)
			}
		}
	})
}

// TestUnansweredSavesOfADeadBridge: a bridge dies between the steps of a save; the other
// one finishes it, where nobody else has saved since.
func TestUnansweredSavesOfADeadBridge(t *testing.T) {
	for _, step := range []string{"journaled", "temp journaled", "temp sent", "move journaled", "move sent", "landed", "recorded"} {
		t.Run(step, func(t *testing.T) {
			stores(t, func(t *testing.T, g *rig, change func(*Saves)) {
				g.server.Write(t, "a.txt", "old")
				o := g.open("a.txt", wopi.OnlyOffice)
				o.mustPut("before")
				g.die(step)
				if _, err := o.put("the save"); !errors.Is(err, errCrash) {
					t.Fatalf("it did not die: %v", err)
				}
				g.later(2 * time.Minute)
				g.saves = g.journal(t.TempDir(), change)
				g.saves.sweep(t.Context())
				g.wantOn("a.txt", "the save")
				g.wantNoTemps()
				o.mustPut("after")
				g.wantOn("a.txt", "after")
			})
		})
	}
}

// TestNeverLostFromTheDatabase is TestNeverLost with the bytes in the database.
func TestNeverLostFromTheDatabase(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		g.inDatabase = true
		g.saves = g.journal(g.saves.Dir, nil)
		g.pieces()
		for seed := range uint64(4) {
			s := &storm{g: g, rand: rand.New(rand.NewPCG(seed, 7)), name: fmt.Sprintf("f%d.odt", seed)}
			s.run(t, wopi.Collabora)
			if t.Failed() {
				t.Fatalf("seed %d: %s", seed, strings.Join(s.story, "; "))
			}
		}
		if left := g.spoolFiles(); left != nil {
			t.Errorf("files were made: %v", left)
		}
	})
}

// TestFilesOfAnotherBridge: a bridge whose bytes lie on its own disk lets nothing wait
// with a 200; and should one wait all the same, no other bridge shows older bytes.
func TestFilesOfAnotherBridge(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
		files := func(own bool) func(*Saves) {
			return func(s *Saves) {
				s.WhenDown, s.Replicas, s.ownSpool = Queue, true, own
				s.disk.room = func(string) (room, error) { return room{free: 1 << 40, total: 1 << 41}, nil }
			}
		}
		g.saves = g.journal(g.saves.Dir, files(false))
		g.server.Write(t, "a.txt", "old")
		o := g.open("a.txt", wopi.Collabora)
		g.down()
		if _, err := o.put("refused"); (err == nil) == db.Shared() {
			t.Fatalf("shared %v, and told %v", db.Shared(), err)
		}
		g.saves = g.journal(g.saves.Dir, files(true))
		o.mustPut("acknowledged")
		other := g.journal(t.TempDir(), files(false))
		if w, err := other.Waiting(t.Context(), o.target.File.ID); !errors.Is(err, ErrElsewhere) {
			t.Errorf("another bridge shows %+v, %v", w, err)
		}
		g.later(deadAfter * 2)
		g.up()
		other.sweep(t.Context())
		g.wantState("acknowledged", stateWaiting) // nobody else can deliver it
		g.saves.sweep(t.Context())
		g.wantOn("a.txt", "acknowledged")
	})
}

// TestNotAlone: a second bridge on a database is refused unless both are replicas; not
// after it has taken leave, or has been silent.
func TestNotAlone(t *testing.T) {
	db := mustOpen(t, sqldbtest.Postgres(t))
	g := newRigOn(t, db, upstream.Strict(t), davbackend.Unknown)
	second := func() error {
		_, err := New(t.Context(), Saves{Dir: t.TempDir(), DB: db, IDs: g.ids, Locks: g.locks})
		return err
	}
	if err := second(); !errors.Is(err, ErrNotAlone) {
		t.Errorf("a second bridge: %v", err)
	}
	g.journal(g.saves.Dir, nil) // the same one, started again
	if err := g.saves.leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second(); err != nil {
		t.Errorf("after the first has left: %v", err)
	}
	g.later(deadAfter + time.Second)
	if err := second(); err != nil {
		t.Errorf("after the others died: %v", err)
	}
}

func mustOpen(t *testing.T, where string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestUnfitVolume: a volume that does not fsync, rename or keep what it is told is
// refused at the start.
func TestUnfitVolume(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	broken := errors.New("not on this volume")
	for name, spoil := range map[string]func(*disk){
		"fsync": func(d *disk) {
			d.create = func(path string) (spoolFile, error) {
				f, err := osDisk().create(path)
				f.sync = func() error { return broken }
				return f, err
			}
		},
		"rename":           func(d *disk) { d.rename = func(string, string) error { return broken } },
		"fsync of folders": func(d *disk) { d.syncDir = func(string) error { return broken } },
		"contents": func(d *disk) {
			d.rename = func(from, to string) error {
				return errors.Join(os.Rename(from, to), os.Truncate(to, 3))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			volume := t.TempDir()
			d := osDisk()
			spoil(&d)
			_, err := New(t.Context(), Saves{Dir: g.saves.Dir, Volume: volume, DB: g.db, IDs: g.ids, Locks: g.locks, disk: d})
			if err == nil {
				t.Fatal("it was taken")
			}
			if left, _ := filepath.Glob(filepath.Join(volume, "*", "*")); len(left) > 0 {
				t.Errorf("left there: %v", left)
			}
		})
	}
}
