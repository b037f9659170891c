package rehearse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// scenes are played in this order.
var scenes = []struct {
	name string
	play func(context.Context, *stage) (Outcome, string, error)
}{
	{"open, save and close a document", editing},
	{"a second person opens it meanwhile", secondEditor},
	{"another WebDAV program saves an open document", foreignSave},
	{"somebody changes an open document past its lock", pastTheLock},
	{"the same, by a change of equal length within a second", atOnce},
	{"another WebDAV program renames an open document", foreignRename},
	{"another WebDAV program deletes an open document", foreignDelete},
	{"the editor renames the open document", ownRename},
	{"the answer to a save gets lost", lostAnswer},
	{"the connection breaks in the middle of a save", brokenUpload},
}

const first = "the first version, which everybody has seen"

func editing(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
		return "", "", err
	}
	got, err := s.read(ctx, d.path)
	if err != nil || got != d.ours {
		return Lost, "the save was answered with success, and the server has something else", err
	}
	return Works, "the bytes are on the server", nil
}

func secondEditor(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	t, err := d.target(ctx)
	if err != nil {
		return "", "", err
	}
	var taken *locks.MismatchError
	if err := s.Locks.Lock(ctx, t, s.actor, "somebody else's"); !errors.As(err, &taken) {
		return Unsafe, "the second one was given the lock as well", err
	}
	return Refused, "the second one may only read, and is told who has it", d.close(ctx)
}

// after says how a save ended: whether the editor was told of a conflict, and where
// its bytes lie. Every other error is one of the scene.
func (d *document) after(ctx context.Context, saved error) (told bool, mine []dav.Path, err error) {
	var conflict *saves.ConflictError
	if told = errors.As(saved, &conflict); saved != nil && !told {
		return false, nil, saved
	}
	mine, err = d.s.where(ctx, d.ours)
	return told, mine, err
}

// bothThere says how the editor's save ended after somebody else had written: both
// texts must be somewhere.
func (d *document) bothThere(ctx context.Context, saved error) (Outcome, string, error) {
	told, mine, err := d.after(ctx, saved)
	if err != nil {
		return "", "", err
	}
	other, err := d.s.where(ctx, d.theirs)
	switch {
	case err != nil:
		return "", "", err
	case len(other) == 0:
		return Lost, "the save was written over the other change, which nobody had seen", nil
	case len(mine) == 0:
		return Lost, "the save is nowhere", nil
	case !told:
		return Unsafe, "both are there, and nobody was told", nil
	}
	return Kept, "the other change stays, the save lies beside it as a conflict copy, and the editor is told", nil
}

func foreignSave(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	err = s.write(ctx, d.path, d.theirs)
	if isRefused(err) {
		if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
			return "", "", err
		}
		return Refused, "the server's lock keeps it out, and the editor saves on", nil
	}
	if err != nil {
		return "", "", err
	}
	return d.bothThere(ctx, d.save(ctx, d.ours))
}

// pastTheLock is a change that the lock did not prevent.
func pastTheLock(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	return d.changedPastTheLock(ctx)
}

// atOnce is one that follows at once, and is as long as what it replaces.
func atOnce(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	d.theirs = strings.Map(func(r rune) rune {
		if r == 'e' {
			return 'E'
		}
		return r
	}, first)
	return d.changedPastTheLock(ctx)
}

func (d *document) changedPastTheLock(ctx context.Context) (Outcome, string, error) {
	if err := d.dropLock(ctx); err != nil {
		return "", "", fmt.Errorf("releasing the lock: %w", err)
	}
	err := d.s.write(ctx, d.path, d.theirs)
	if isRefused(err) {
		return Refused, "even without the lock the server does not let it happen", d.close(ctx)
	}
	if err != nil {
		return "", "", err
	}
	return d.bothThere(ctx, d.save(ctx, d.ours))
}

func foreignRename(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	to, err := s.dir.Join("renamed by another " + d.path.Base())
	if err != nil {
		return "", "", err
	}
	err = s.view.Move(ctx, d.path, to, false, davbackend.Condition{}, davbackend.Condition{})
	if isRefused(err) {
		return Refused, "the server's lock keeps it out", d.close(ctx)
	}
	if err != nil {
		return "", "", err
	}
	saved := d.save(ctx, d.ours)
	there, err := s.read(ctx, to)
	if err != nil {
		return "", "", err
	}
	if there == d.ours && saved == nil {
		return Followed, "the next save goes to the new name", d.close(ctx)
	}
	return d.somewhere(ctx, saved)
}

// somewhere says how a save ended that could not go to the file: its bytes must be
// beside it.
func (d *document) somewhere(ctx context.Context, saved error) (Outcome, string, error) {
	told, mine, err := d.after(ctx, saved)
	switch {
	case err != nil:
		return "", "", err
	case len(mine) == 0:
		return Lost, "the save is nowhere", nil
	case !told:
		return Unsafe, "the save made the old name anew, and nobody was told", nil
	}
	return Kept, "the save lies in the folder as a file of its own, and the editor is told", nil
}

func foreignDelete(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	err = s.view.Delete(ctx, d.path, davbackend.Condition{})
	if isRefused(err) {
		return Refused, "the server's lock keeps it out", d.close(ctx)
	}
	if err != nil {
		return "", "", err
	}
	return d.somewhere(ctx, d.save(ctx, d.ours))
}

func ownRename(ctx context.Context, s *stage) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	t, err := d.target(ctx)
	if err != nil {
		return "", "", err
	}
	to, err := s.dir.Join("renamed " + d.path.Base())
	if err != nil {
		return "", "", err
	}
	moved, err := s.Locks.Move(ctx, t, s.actor, &d.lock, to)
	if err != nil {
		return "", "", err
	}
	if moved.ID != d.id {
		return Unsafe, "the file has got another ID", nil
	}
	stranger := s.write(ctx, to, d.theirs)
	if stranger != nil && !isRefused(stranger) {
		return "", "", stranger
	}
	if stranger == nil {
		return d.bothThere(ctx, d.save(ctx, d.ours))
	}
	if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
		return "", "", err
	}
	return Works, "the ID stays, and the lock is on the new name", nil
}

// through saves over connections on which one thing goes wrong, once.
func (d *document) through(ctx context.Context, b *breaking) error {
	known, err := d.s.IDs.Known(ctx, d.s.space, d.id)
	if err != nil {
		return err
	}
	t := d.s.target(known, dav.Resource{})
	t.View = d.s.view.Through(b.over)
	defer t.View.Client().CloseIdle()
	return d.saveAs(ctx, t, d.ours)
}

func lostAnswer(ctx context.Context, s *stage) (Outcome, string, error) {
	return s.broken(ctx, &breaking{afterwards: true}, "it is looked for, found, and not written twice")
}

func brokenUpload(ctx context.Context, s *stage) (Outcome, string, error) {
	return s.broken(ctx, &breaking{}, "it is sent again until it is whole; nobody loses the old version meanwhile")
}

func (s *stage) broken(ctx context.Context, b *breaking, good string) (Outcome, string, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", "", err
	}
	saved := d.through(ctx, b)
	if !b.happened() {
		return "", "", errors.New("nothing broke: the save took another way than was expected")
	}
	got, err := s.read(ctx, d.path)
	switch {
	case err != nil:
		return "", "", err
	case saved == nil && got == d.ours:
		return Works, good, d.close(ctx)
	case saved == nil:
		return Lost, "the save was answered with success, and the server has something else", nil
	case got == d.ours || got == first:
		return Kept, "the editor is told that it was not saved; the bytes are in the save journal", d.close(ctx)
	}
	return Lost, "the file is neither the old nor the new version", nil
}
