package rehearse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// scenes are played in this order.
var scenes = []struct {
	name words.Text
	play func(context.Context, *stage) (Outcome, words.Text, error)
}{
	{words.Say("play.editing"), editing},
	{words.Say("play.second"), secondEditor},
	{words.Say("play.foreign_save"), foreignSave},
	{words.Say("play.past_lock"), pastTheLock},
	{words.Say("play.at_once"), atOnce},
	{words.Say("play.foreign_rename"), foreignRename},
	{words.Say("play.foreign_delete"), foreignDelete},
	{words.Say("play.own_rename"), ownRename},
	{words.Say("play.lost_answer"), lostAnswer},
	{words.Say("play.broken_upload"), brokenUpload},
}

const first = "the first version, which everybody has seen"

func editing(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
		return "", nil, err
	}
	got, err := s.read(ctx, d.path)
	if err != nil || got != d.ours {
		return Lost, words.Say("ended.other_bytes"), err
	}
	return Works, words.Say("ended.bytes_there"), nil
}

func secondEditor(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	t, err := d.target(ctx)
	if err != nil {
		return "", nil, err
	}
	var taken *locks.MismatchError
	if err := s.Locks.Lock(ctx, t, s.actor, "somebody else's"); !errors.As(err, &taken) {
		return Unsafe, words.Say("ended.two_locks"), err
	}
	return Refused, words.Say("ended.reads"), d.close(ctx)
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
func (d *document) bothThere(ctx context.Context, saved error) (Outcome, words.Text, error) {
	told, mine, err := d.after(ctx, saved)
	if err != nil {
		return "", nil, err
	}
	other, err := d.s.where(ctx, d.theirs)
	switch {
	case err != nil:
		return "", nil, err
	case len(other) == 0:
		return Lost, words.Say("ended.overwritten"), nil
	case len(mine) == 0:
		return Lost, words.Say("ended.nowhere"), nil
	case !told:
		return Unsafe, words.Say("ended.untold"), nil
	}
	return Kept, words.Say("ended.copy"), nil
}

func foreignSave(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	err = s.write(ctx, d.path, d.theirs)
	if isRefused(err) {
		if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
			return "", nil, err
		}
		return Refused, words.Say("ended.lock_saves_on"), nil
	}
	if err != nil {
		return "", nil, err
	}
	return d.bothThere(ctx, d.save(ctx, d.ours))
}

// pastTheLock is a change that the lock did not prevent.
func pastTheLock(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	return d.changedPastTheLock(ctx)
}

// atOnce is one that follows at once, and is as long as what it replaces.
func atOnce(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	d.theirs = strings.Map(func(r rune) rune {
		if r == 'e' {
			return 'E'
		}
		return r
	}, first)
	return d.changedPastTheLock(ctx)
}

func (d *document) changedPastTheLock(ctx context.Context) (Outcome, words.Text, error) {
	if err := d.dropLock(ctx); err != nil {
		return "", nil, fmt.Errorf("releasing the lock: %w", err)
	}
	err := d.s.write(ctx, d.path, d.theirs)
	if isRefused(err) {
		return Refused, words.Say("ended.no_lock_needed"), d.close(ctx)
	}
	if err != nil {
		return "", nil, err
	}
	return d.bothThere(ctx, d.save(ctx, d.ours))
}

func foreignRename(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	to, err := s.dir.Join("renamed by another " + d.path.Base())
	if err != nil {
		return "", nil, err
	}
	err = s.view.Move(ctx, d.path, to, false, davbackend.Condition{}, davbackend.Condition{})
	if isRefused(err) {
		return Refused, words.Say("ended.lock"), d.close(ctx)
	}
	if err != nil {
		return "", nil, err
	}
	saved := d.save(ctx, d.ours)
	there, err := s.read(ctx, to)
	if err != nil {
		return "", nil, err
	}
	if there == d.ours && saved == nil {
		return Followed, words.Say("ended.followed"), d.close(ctx)
	}
	return d.somewhere(ctx, saved)
}

// somewhere says how a save ended that could not go to the file: its bytes must be
// beside it.
func (d *document) somewhere(ctx context.Context, saved error) (Outcome, words.Text, error) {
	told, mine, err := d.after(ctx, saved)
	switch {
	case err != nil:
		return "", nil, err
	case len(mine) == 0:
		return Lost, words.Say("ended.nowhere"), nil
	case !told:
		return Unsafe, words.Say("ended.old_name"), nil
	}
	return Kept, words.Say("ended.own_file"), nil
}

func foreignDelete(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	err = s.view.Delete(ctx, d.path, davbackend.Condition{})
	if isRefused(err) {
		return Refused, words.Say("ended.lock"), d.close(ctx)
	}
	if err != nil {
		return "", nil, err
	}
	return d.somewhere(ctx, d.save(ctx, d.ours))
}

func ownRename(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	t, err := d.target(ctx)
	if err != nil {
		return "", nil, err
	}
	to, err := s.dir.Join("renamed " + d.path.Base())
	if err != nil {
		return "", nil, err
	}
	moved, err := s.Locks.Move(ctx, t, s.actor, &d.lock, to)
	if err != nil {
		return "", nil, err
	}
	if moved.ID != d.id {
		return Unsafe, words.Say("ended.other_id"), nil
	}
	stranger := s.write(ctx, to, d.theirs)
	if stranger != nil && !isRefused(stranger) {
		return "", nil, stranger
	}
	if stranger == nil {
		return d.bothThere(ctx, d.save(ctx, d.ours))
	}
	if err := errors.Join(d.save(ctx, d.ours), d.close(ctx)); err != nil {
		return "", nil, err
	}
	return Works, words.Say("ended.id_stays"), nil
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

func lostAnswer(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	return s.broken(ctx, &breaking{afterwards: true}, words.Say("ended.found"))
}

func brokenUpload(ctx context.Context, s *stage) (Outcome, words.Text, error) {
	return s.broken(ctx, &breaking{}, words.Say("ended.sent_again"))
}

func (s *stage) broken(ctx context.Context, b *breaking, good words.Text) (Outcome, words.Text, error) {
	d, err := s.open(ctx, first)
	if err != nil {
		return "", nil, err
	}
	saved := d.through(ctx, b)
	if !b.happened() {
		return "", nil, errors.New("nothing broke: the save took another way than was expected")
	}
	got, err := s.read(ctx, d.path)
	switch {
	case err != nil:
		return "", nil, err
	case saved == nil && got == d.ours:
		return Works, good, d.close(ctx)
	case saved == nil:
		return Lost, words.Say("ended.other_bytes"), nil
	case got == d.ours || got == first:
		return Kept, words.Say("ended.journal"), d.close(ctx)
	}
	return Lost, words.Say("ended.neither"), nil
}
