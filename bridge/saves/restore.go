package saves

import (
	"context"
	"errors"
	"fmt"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// Restore makes a new file of the bytes of an entry, in p and by its person: "NAME
// (recovered WHO DATE).EXT". What was kept for recovery leaves the journal with it;
// pre-images stay, and what waits is still delivered.
//
// Errors: [ErrNoEntry]; [ErrInUse] if a request works on it; those of [Saves.Create].
func (s *Saves) Restore(ctx context.Context, id string, p Place) (idmap.Entry, error) {
	if !s.live.take(id) {
		return idmap.Entry{}, ErrInUse
	}
	defer s.live.leave(id)
	r, err := s.entry(ctx, id)
	if err != nil {
		return idmap.Entry{}, err
	}
	if r.state == stateSpooled || r.state == stateDelivering {
		return idmap.Entry{}, ErrInUse
	}
	body, _, err := s.Open(ctx, id)
	if err != nil {
		return idmap.Entry{}, err
	}
	defer body.Close()
	if p.Writer == "" {
		p.Writer, p.User = r.writer, r.user
	}
	made, err := s.Create(ctx, p, copyNames(nameOf(r), "recovered", r.writer, r.made), body, r.size)
	if err != nil || r.acknowledged() || r.state == statePreimage || r.state == stateVerified {
		return made, err
	}
	s.letGo(context.WithoutCancel(ctx), r)
	return made, nil
}

// letGo removes an entry whose bytes are in a file of their own now. What an upload of
// it has left on the upstream is settled first: that may be a file, too.
func (s *Saves) letGo(ctx context.Context, r *row) {
	err := s.takeFrom(ctx, r)
	if err == nil && (r.sent != sentNothing || r.temp != "") {
		if err = s.settle(ctx, r); err == nil {
			r, err = s.entry(ctx, r.id)
		}
	}
	if errors.Is(err, ErrNoEntry) {
		return
	}
	if err == nil && r.sent == sentNothing && r.temp == "" {
		err = s.forget(ctx, r)
	}
	if err != nil {
		s.OnError("saves: dropping entry "+r.id+", which was restored", err) // it is offered once more
	}
}

// PlaceOf is where an entry's bytes would be restored without anybody's help: in the
// folder where its file is or was last, with the credential that the entry was left
// with. It returns [ErrNoEntry], or an error if that credential is none any more.
func (s *Saves) PlaceOf(ctx context.Context, id string) (Place, error) {
	r, err := s.entry(ctx, id)
	if err != nil {
		return Place{}, err
	}
	view, err := s.view(ctx, r)
	if err != nil {
		return Place{}, err
	}
	folder, err := s.folderOf(ctx, r, r.space)
	return Place{
		Space: r.space, Upstream: r.upstream, View: view, Folder: folder,
		Pin: func(context.Context) ([]byte, error) { return r.pinned, nil },
	}, err
}

// FolderOf is the folder, in space, where the file of an entry is or was last; the root
// if that is forgotten.
func (s *Saves) FolderOf(ctx context.Context, e Entry, space idmap.SpaceID) (dav.Path, error) {
	r, err := s.entry(ctx, e.ID)
	if err != nil {
		return "", err
	}
	return s.folderOf(ctx, r, space)
}

func (s *Saves) folderOf(ctx context.Context, r *row, space idmap.SpaceID) (dav.Path, error) {
	if r.file == "" && r.target != "" {
		return r.target.Parent(), nil
	}
	known, err := s.IDs.Known(ctx, space, r.file)
	switch {
	case errors.Is(err, idmap.ErrNotFound):
		return dav.Root, nil
	case err != nil && !errors.Is(err, idmap.ErrMissing):
		return "", fmt.Errorf("saves: where entry %s belongs: %w", r.id, err)
	case known.Path == "":
		return dav.Root, nil
	}
	return known.Path.Parent(), nil
}
