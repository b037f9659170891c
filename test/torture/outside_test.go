package torture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
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
// where a server knows no conditions, that is all that anybody can rely on.
func (s *saboteur) editByDAV(ctx context.Context, name, file, id string, n int) error {
	view, p := s.views[name], dav.Path("/"+file)
	lock, _, err := view.Lock(ctx, p, davbackend.LockRequest{Owner: "somebody else", Timeout: 20 * time.Second})
	if err != nil {
		s.busy.Add(1)
		return nil // locked, or the server is away
	}
	defer func() {
		_ = view.Unlock(ctx, p, lock.Token) // else it ends by itself
	}()
	c, err := view.Get(ctx, p, 0, -1)
	if err != nil {
		return nil
	}
	old, err := io.ReadAll(c)
	c.Close()
	if err != nil {
		return nil
	}
	if whole, err := s.wroteOver(ctx, old, file, id, noteSent); err != nil || !whole {
		return err
	}
	text := contents(id, 4000+n)
	body := davbackend.Body{Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
	if view.Put(ctx, p, body, davbackend.Condition{Token: lock.Token}) != nil {
		return nil // written or not
	}
	_, err = s.wroteOver(ctx, old, file, id, noteOutside)
	return err
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
