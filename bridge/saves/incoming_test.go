package saves

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb/sqldbtest"
	"davwopi/test/upstream"
)

// eachStore runs test with the bytes in files and in the database.
func eachStore(t *testing.T, test func(t *testing.T, g *rig)) {
	for _, store := range []string{"files", "database"} {
		t.Run(store, func(t *testing.T) {
			g := newRigOn(t, sqldbtest.New(t), upstream.Strict(t), davbackend.Unknown)
			if store == "database" {
				g.inDatabase = true
				g.saves = g.journal(g.saves.Dir, nil)
			}
			test(t, g)
		})
	}
}

func (g *rig) begin(size int64) Incoming {
	g.t.Helper()
	in, err := g.saves.Begin(g.t.Context(), Incoming{User: "ann", Name: "big.bin", In: "folder", Size: size})
	if err != nil {
		g.t.Fatal(err)
	}
	return in
}

func (g *rig) add(in Incoming, at int64, piece string) int64 {
	g.t.Helper()
	have, err := g.saves.Append(g.t.Context(), in.ID, "ann", at, strings.NewReader(piece), int64(len(piece)))
	if err != nil {
		g.t.Fatal(err)
	}
	return have
}

// create makes a file of a body in pieces.
func (g *rig) create(in Incoming, name string) error {
	g.t.Helper()
	body, size, err := g.saves.Whole(g.t.Context(), in.ID, "ann")
	if err != nil {
		return err
	}
	defer body.Close()
	names := func(n int) (string, bool) { return name, n == 0 }
	_, err = g.saves.Create(g.t.Context(), Place{Space: g.space, Upstream: "main", View: g.view, Folder: dav.Root, User: "ann"}, names, body, size)
	return err
}

// leftovers are the files of the state directory that belong to no entry.
func (g *rig) leftovers() []string {
	g.t.Helper()
	found, err := filepath.Glob(filepath.Join(g.saves.Dir, "*"+incomingSuffix))
	if err != nil {
		g.t.Fatal(err)
	}
	return found
}

// A body comes in pieces, over a broken connection and a killed process, and becomes a
// file with all its bytes.
func TestBodyInPieces(t *testing.T) {
	eachStore(t, func(t *testing.T, g *rig) {
		in := g.begin(12)
		if have := g.add(in, 0, "hello"); have != 5 {
			t.Fatalf("%d bytes", have)
		}
		broken := io.MultiReader(strings.NewReader(", w"), iotest.ErrReader(errors.New("connection reset")))
		have, err := g.saves.Append(t.Context(), in.ID, "ann", 5, broken, 7)
		if !errors.Is(err, dav.ErrIncomplete) || have != 8 {
			t.Fatalf("broken off: %d bytes, %v", have, err)
		}
		g.restart()
		g.recover()
		again, err := g.saves.Incoming(t.Context(), in.ID, "ann")
		if err != nil || again.Have != 8 || again.Size != 12 || again.Name != "big.bin" || again.In != "folder" {
			t.Fatalf("after a restart: %+v, %v", again, err)
		}
		if err := g.create(in, "early.bin"); !errors.Is(err, dav.ErrIncomplete) {
			t.Errorf("not whole: %v", err)
		}
		if have := g.add(in, 8, "orld"); have != 12 {
			t.Fatalf("%d bytes", have)
		}
		if err := g.create(in, "big.bin"); err != nil {
			t.Fatal(err)
		}
		g.wantOn("big.bin", "hello, world")
		g.wantNoTemps()
		if _, err := g.saves.Incoming(t.Context(), in.ID, "ann"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("after it is made: %v", err)
		}
		if left := g.leftovers(); len(left) != 0 {
			t.Errorf("left: %q", left)
		}
		g.later(time.Hour)
		g.saves.sweep(t.Context())
		var n int64
		if err := g.db.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM saves_entry`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}

// What a piece has left that was never noted is not taken for bytes of the body.
func TestPieceThatWasNotNoted(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	in := g.begin(6)
	g.add(in, 0, "abc")
	path := g.saves.incomingPath(Incoming{ID: in.ID, place: g.saves.place()})
	if err := os.WriteFile(path, []byte("abcXY"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.add(in, 3, "def")
	if err := g.create(in, "a.txt"); err != nil {
		t.Fatal(err)
	}
	g.wantOn("a.txt", "abcdef")
}

func TestPiecesThatAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		in := g.begin(4)
		g.add(in, 0, "ab")
		for name, c := range map[string]struct {
			user string
			at   int64
			body string
			size int64
			want error
		}{
			"not where the last ended": {"ann", 0, "ab", 2, dav.ErrChanged},
			"a gap":                    {"ann", 3, "d", 1, dav.ErrChanged},
			"announced too long":       {"ann", 2, "cde", 3, dav.ErrTooLarge},
			"somebody else's":          {"ben", 2, "cd", 2, ErrNoEntry},
			"nobody's":                 {"", 2, "cd", 2, ErrNoEntry},
		} {
			if _, err := g.saves.Append(ctx, in.ID, c.user, c.at, strings.NewReader(c.body), c.size); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if have, err := g.saves.Append(ctx, in.ID, "ann", 2, strings.NewReader("cdef"), -1); !errors.Is(err, dav.ErrTooLarge) || have != 4 {
			t.Errorf("more than was said: %d, %v", have, err)
		}
		if err := g.create(in, "a.txt"); err != nil {
			t.Fatal(err)
		}
		g.wantOn("a.txt", "abcd")
		if _, err := g.saves.Begin(ctx, Incoming{User: "ann", Size: g.saves.MaxBytes + 1}); !errors.Is(err, dav.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if _, err := g.saves.Begin(ctx, Incoming{User: "ann", Size: -1}); !errors.Is(err, dav.ErrTooLarge) {
			t.Errorf("less than nothing: %v", err)
		}
	})
}

// Two requests never write one body at once; an empty body is one too.
func TestOneWriterAtATime(t *testing.T) {
	eachStore(t, func(t *testing.T, g *rig) {
		in := g.begin(2)
		r, w := io.Pipe()
		done := make(chan error)
		go func() {
			_, err := g.saves.Append(context.Background(), in.ID, "ann", 0, r, 2)
			done <- err
		}()
		if _, err := w.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := g.saves.Append(t.Context(), in.ID, "ann", 0, strings.NewReader("xy"), 2); !errors.Is(err, ErrInUse) {
			t.Errorf("beside another: %v", err)
		}
		if err := g.saves.Abandon(t.Context(), in.ID, "ann"); !errors.Is(err, ErrInUse) {
			t.Errorf("abandoned meanwhile: %v", err)
		}
		if _, _, err := g.saves.Whole(t.Context(), in.ID, "ann"); !errors.Is(err, ErrInUse) {
			t.Errorf("whole meanwhile: %v", err)
		}
		if _, err := w.Write([]byte("b")); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := g.create(in, "ab.txt"); err != nil {
			t.Fatal(err)
		}
		g.wantOn("ab.txt", "ab")
		if err := g.create(g.begin(0), "empty.txt"); err != nil {
			t.Fatal(err)
		}
		g.wantOn("empty.txt", "")
	})
}

// What nobody goes on with ends after a day, what is cancelled at once; a person has no
// more than so many at a time.
func TestUploadsEnd(t *testing.T) {
	eachStore(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		in := g.begin(3)
		g.add(in, 0, "ab")
		if err := g.saves.Abandon(ctx, in.ID, "ben"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("by somebody else: %v", err)
		}
		if err := g.saves.Abandon(ctx, in.ID, "ann"); err != nil {
			t.Error(err)
		}
		first := g.begin(3)
		g.add(first, 0, "ab")
		g.later(2 * time.Hour)
		g.saves.sweep(ctx)
		if _, err := g.saves.Incoming(ctx, first.ID, "ann"); err != nil {
			t.Errorf("after two hours: %v", err)
		}
		if have := g.add(first, 2, ""); have != 2 {
			t.Errorf("%d bytes", have)
		}
		for range MaxIncoming {
			g.begin(1)
		}
		if _, err := g.saves.Incoming(ctx, first.ID, "ann"); !errors.Is(err, ErrNoEntry) {
			t.Errorf("one more than anybody may have: %v", err)
		}
		g.later(incomingFor + time.Minute)
		g.saves.sweep(ctx)
		var rows, pieces int64
		for query, n := range map[string]*int64{`SELECT COUNT(*) FROM saves_incoming`: &rows, `SELECT COUNT(*) FROM saves_piece`: &pieces} {
			if err := g.db.Read().QueryRow(ctx, query).Scan(n); err != nil {
				t.Fatal(err)
			}
		}
		if left := g.leftovers(); rows != 0 || pieces != 0 || len(left) != 0 {
			t.Errorf("after a day: %d rows, %d pieces, files %q", rows, pieces, left)
		}
	})
}

// A file without a row, and a row without its file, are cleared away at the start.
func TestUploadsAfterACrash(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	in := g.begin(3)
	stray := filepath.Join(g.saves.Dir, newID()+incomingSuffix)
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	lost := g.begin(3)
	if err := os.Remove(g.saves.incomingPath(Incoming{ID: lost.ID, place: g.saves.place()})); err != nil {
		t.Fatal(err)
	}
	g.restart()
	g.recover()
	if _, err := g.saves.Incoming(t.Context(), lost.ID, "ann"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("a row without a file: %v", err)
	}
	if left := g.leftovers(); len(left) != 1 || !strings.Contains(left[0], in.ID) {
		t.Errorf("left: %q", left)
	}
}

// A disk without room says so before anything is sent.
func TestUploadWithoutRoom(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	free := uint64(leastFree + 10)
	g.saves = g.journal(g.saves.Dir, func(s *Saves) {
		s.disk.room = func(string) (room, error) { return room{free: free, total: 1 << 40}, nil }
	})
	in := g.begin(10)
	free = leastFree - 1
	if _, err := g.saves.Append(t.Context(), in.ID, "ann", 0, strings.NewReader("x"), 1); !errors.Is(err, ErrNoRoom) {
		t.Errorf("no room any more: %v", err)
	}
	free = leastFree + 10
	g.add(in, 0, "x")
	if _, err := g.saves.Begin(t.Context(), Incoming{User: "ann", Size: 11}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("no room: %v", err)
	}
}

// Memory does not grow with the body.
func TestPiecesAreStreamed(t *testing.T) {
	g := newRig(t, upstream.Strict(t), davbackend.Unknown)
	const size = 32 << 20
	in := g.begin(size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if have, err := g.saves.Append(t.Context(), in.ID, "ann", 0, io.LimitReader(zeros{}, size), size); err != nil || have != size {
		t.Fatal(have, err)
	}
	if sp, err := g.saves.sumOf(g.saves.incomingPath(Incoming{ID: in.ID, place: g.saves.place()})); err != nil || sp.size != size {
		t.Fatal(sp, err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes of memory for a body of %d", grown, size)
	}
}
