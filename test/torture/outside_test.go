package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

var documentName = regexp.MustCompile(`^d(\d{4})(-r\d+)?\.[a-z]+$`)

// editOutside writes documents in the folders, as somebody on a file share does.
func (s *saboteur) editOutside(ctx context.Context, dice *rand.Rand) {
	var names []string
	for name := range s.folders {
		names = append(names, name)
	}
	for n := 0; ctx.Err() == nil; n++ {
		pause(ctx, within(dice, 300*time.Millisecond))
		name := names[dice.IntN(len(names))]
		number := dice.IntN(s.Files)
		if err := s.editOne(ctx, name, number, n); err != nil && ctx.Err() == nil {
			s.t.Errorf("editing outside: %v", err)
		}
	}
}

// editOne writes one document, if it is in that folder and nobody saves it now.
func (s *saboteur) editOne(ctx context.Context, name string, number int, n int) error {
	release, err := hold(filepath.Join(s.Dir, "locks"), number, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		s.busy.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	path := documentIn(s.folders[name], number)
	if path == "" {
		return nil
	}
	id := fmt.Sprintf("outside/%d/%d", number, n)
	switch name {
	case "main":
		return s.editInPlace(ctx, path, id)
	case "apache":
		if time.Since(time.Unix(0, s.disturbed.Load())) < 300*time.Millisecond {
			s.busy.Add(1)
			return nil
		}
		return s.exchange(ctx, path, id, n)
	}
	return s.editByDAV(ctx, name, filepath.Base(path), id, n)
}

// wroteOver notes an edit, and what it was made from. False: what was there was not whole.
func (s *saboteur) wroteOver(ctx context.Context, old []byte, path, id, what string) (bool, error) {
	ctx = context.WithoutCancel(ctx) // what was done is noted, also when the rage ends
	was, whole := versionOf(old)
	if !whole {
		return false, s.book.write(ctx, note{What: noteTorn, Version: was, Who: "somebody at " + path})
	}
	if what == noteOutside {
		s.wrote.Add(1)
	}
	return true, s.book.write(ctx, note{What: what, Version: id, From: []string{was}})
}

// editInPlace writes over a file what is as long as what was there, at once: the file
// stays the same to whoever knows it by its number.
func (s *saboteur) editInPlace(ctx context.Context, path, id string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil // renamed just now
	}
	defer f.Close()
	old, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if whole, err := s.wroteOver(ctx, old, path, id, noteSent); err != nil || !whole {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		return nil // replaced since it was opened: what is written now goes nowhere
	}
	if _, err := f.WriteAt(contents(id, len(old)), 0); err != nil {
		return err
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		return nil
	}
	_, err = s.wroteOver(ctx, old, path, id, noteOutside)
	return err
}

// exchange makes a file beside the folder and lets both change places, so that it is
// known what was replaced.
func (s *saboteur) exchange(ctx context.Context, path, id string, n int) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // renamed just now
	}
	fresh := filepath.Join(s.Dir, "outside")
	if err := os.WriteFile(fresh, contents(id, 4000+n), 0o666); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(fresh, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); err != nil {
		return nil // renamed just now
	}
	old, err := os.ReadFile(fresh)
	if err == nil {
		err = os.Remove(fresh)
	}
	if err == nil {
		_, err = s.wroteOver(ctx, old, path, id, noteOutside)
	}
	return err
}

// editByDAV is another program that works through the server, with a lock of its own:
// where a server knows no conditions, that is all that anybody can rely on. These servers
// write into the file itself (TestPutOfAKilledServer), so that a program whose PUT has got
// no answer saves again until the document is whole, as its person would.
func (s *saboteur) editByDAV(ctx context.Context, name, file, id string, n int) error {
	view, p := s.views[name], dav.Path("/"+file)
	lock, _, err := view.Lock(ctx, p, davbackend.LockRequest{Owner: "somebody else", Timeout: 20 * time.Second})
	if err != nil {
		s.busy.Add(1)
		return nil // locked, or the server is away
	}
	defer func() {
		_ = view.Unlock(context.WithoutCancel(ctx), p, lock.Token) // else it ends by itself
	}()
	old, err := whole(ctx, view, p)
	if err != nil {
		return nil
	}
	if whole, err := s.wroteOver(ctx, old, file, id, noteSent); err != nil || !whole {
		return err
	}
	text := contents(id, 4000+n)
	body := davbackend.Body{Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
	ctx = context.WithoutCancel(ctx) // the rage ends with whole documents, too
	err = view.Put(ctx, p, body, davbackend.Condition{Token: lock.Token})
	for end := time.Now().Add(2 * time.Minute); err != nil && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		there, rerr := whole(ctx, view, p)
		switch {
		case errors.Is(rerr, dav.ErrNotFound):
			return nil // renamed meanwhile
		case rerr != nil:
			continue // the server is away
		case !bytes.HasPrefix(text, there):
			return nil // it has not begun, or somebody has saved since
		case len(there) == len(text):
			err = nil
			continue
		}
		if again, _, lerr := view.Lock(ctx, p, davbackend.LockRequest{Owner: "somebody else", Timeout: 20 * time.Second}); lerr == nil {
			lock = again // the server has forgotten the first one
		}
		err = view.Put(ctx, p, body, davbackend.Condition{Token: lock.Token})
	}
	if err != nil {
		return nil // written or not
	}
	_, err = s.wroteOver(ctx, old, file, id, noteOutside)
	return err
}

// whole is what lies at p.
func whole(ctx context.Context, view *davbackend.View, p dav.Path) ([]byte, error) {
	c, err := view.Get(ctx, p, 0, -1)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return io.ReadAll(c)
}

// TestPutOfAKilledServer: what is left of a document is the server's affair. The daemon
// therefore writes beside and moves on all of these, and whatever it must write into place
// stays in the journal until it was seen whole (bridge/saves, TestPieceOfAFailedSave).
func TestPutOfAKilledServer(t *testing.T) {
	server := upstream.Rclone(t)
	server.Write(t, "a.txt", "all of the old contents")
	sent, stop := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		body := davbackend.Body{Size: 1 << 20, Open: func() (io.ReadCloser, error) { return io.NopCloser(&slow{begun: sent, stop: stop}), nil }}
		done <- server.View(t).Put(t.Context(), "/a.txt", body, davbackend.Condition{})
	}()
	<-sent
	file := filepath.Join(server.Dir, "a.txt")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(file); err != nil || info.Size() != int64(len("all of the old contents")) {
			break
		}
	}
	server.Program.Kill()
	close(stop)
	if err := <-done; err == nil {
		t.Error("the PUT was answered")
	}
	text, err := os.ReadFile(file)
	t.Logf("%d bytes, %v", len(text), err)
	if string(text) == "all of the old contents" {
		t.Error("this rclone replaces files as a whole: others could edit without saving again")
	}
}

// slow is a body that stops half way.
type slow struct {
	begun, stop chan struct{}
	n           int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.n >= 1<<19 {
		close(s.begun)
		<-s.stop
		return 0, io.ErrUnexpectedEOF
	}
	s.n += len(p)
	clear(p)
	return len(p), nil
}

// documentIn finds a document in a folder, whatever it is called now; "" if it is not
// there.
func documentIn(folder string, number int) string {
	all, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	for _, e := range all {
		m := documentName.FindStringSubmatch(e.Name())
		if m != nil && m[1] == fmt.Sprintf("%04d", number) {
			return filepath.Join(folder, e.Name())
		}
	}
	return ""
}
