package web

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// What readers see of a save that waits for its upstream (DESIGN 7.5): size, time and
// bytes come from the journal, as CheckFileInfo's and GetFile's do.

// A stored document is one that lies here until its upstream is back: a line of the page
// that tells of the outage.
type stored struct {
	Name, Kind, Href string
	KindName         words.Text
	Size             int64
	Saved            time.Time
}

// maxStored bounds the documents on the page of an outage.
const maxStored = 50

// savedAt is the time that names a waiting revision.
func savedAt(w *saves.Waiting) time.Time { return modifiedAt(w.Revision) }

// modifiedAt is when a revision was made, as editors are told.
func modifiedAt(r idmap.Revision) time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.LastModified)
	if err != nil {
		return time.Time{} // a string of ours that nobody has made
	}
	return t
}

// waitings are the saves that wait, as of now.
func (s *site) waitings(ctx context.Context) (saves.Waitings, error) {
	if s.Saves == nil {
		return saves.Waitings{}, nil
	}
	return s.Saves.Waitings(ctx)
}

// foretell gives the members of a listing, while they are sorted, the size and time of
// what waits for them; truth gives them back what the upstream has, by which idmap knows
// them. It goes by their names; where others have renamed one meanwhile,
// [site.fromJournal] puts right what is shown.
func (s *site) foretell(ctx context.Context, at place, l listing, waits saves.Waitings) (truth func(), err error) {
	byName := make(map[string]*saves.Waiting)
	for _, file := range waits.Files() {
		known, err := s.IDs.Known(ctx, at.Entry.Space, file)
		if errors.Is(err, idmap.ErrNotFound) || err == nil && known.Path.Parent() != at.Entry.Path {
			continue
		}
		if err != nil {
			return nil, err
		}
		w, err := waits.Of(ctx, file)
		if err != nil {
			return nil, err
		}
		if w != nil {
			byName[known.Name] = w
		}
	}
	was := make(map[*member]member)
	for i := range l.members {
		m := &l.members[i]
		if len(byName) == 0 {
			break
		}
		if w := byName[m.name()]; w != nil && !m.folder {
			was[m] = *m
			m.size, m.modified = w.Revision.Size, savedAt(w)
		}
	}
	return func() {
		for m, before := range was {
			*m = before
		}
	}, nil
}

// fromJournal gives rows what waits for them. This person's own look has just shown them.
func (s *site) fromJournal(ctx context.Context, who oauth.Principal, at place, body *folderBody, waits saves.Waitings) error {
	if s.Saves == nil {
		return nil
	}
	for i := range body.Rows {
		r := &body.Rows[i]
		if r.Kind == "folder" {
			continue
		}
		s.Saves.Saw(r.ID, who.UserID())
		w, err := waits.Of(ctx, r.ID)
		if err != nil {
			return err
		}
		if w != nil {
			r.Size, r.Modified, r.Waits = w.Revision.Size, savedAt(w), s.upstreamName(at.Upstream.Name)
			body.Held = true
		}
	}
	return nil
}

// recall is locate from the database alone: the place of a file as it was last, and what
// the rules allow there. It returns [idmap.ErrNotFound] also where they hide it.
func (s *site) recall(ctx context.Context, who oauth.Principal, id idmap.FileID) (place, error) {
	for _, up := range s.Upstreams.List {
		space, err := s.Upstreams.Space(ctx, up.Name, who)
		if err != nil {
			return place{}, err
		}
		known, err := s.IDs.Known(ctx, space, id)
		if errors.Is(err, idmap.ErrNotFound) {
			continue
		}
		if err != nil {
			return place{}, err
		}
		rights := s.allows(who, up.Name, string(known.Path))
		if rights < access.View {
			return place{}, idmap.ErrNotFound
		}
		return place{Upstream: up, Entry: known, Rights: rights}, nil
	}
	return place{}, idmap.ErrNotFound
}

// mayShow reports whether a waiting save may be shown to this person although the
// upstream, which said err, does not answer.
func (s *site) mayShow(ctx context.Context, who oauth.Principal, w *saves.Waiting, err error) (bool, error) {
	may, showErr := s.Saves.MayShow(ctx, w, locks.Actor{UserID: who.UserID()}, err)
	if showErr != nil || may || !away(err) || w.Editing() == 0 {
		return may, showErr
	}
	members, memberErr := s.Locks.MembersOf(ctx, []int64{w.Editing()})
	if memberErr != nil {
		return false, memberErr
	}
	people, memberErr := s.Tokens.People(ctx, members[w.Editing()])
	for _, p := range people {
		may = may || p.Key() == who.Key()
	}
	return may, memberErr
}

// away reports whether an upstream said nothing, rather than no.
func away(err error) bool {
	return errors.Is(err, dav.ErrUnavailable) || errors.Is(err, dav.ErrIncomplete)
}

// shownWaiting is the waiting save of a file, and where the file was last, if this person
// may see it although the upstream said err; nil if not.
func (s *site) shownWaiting(ctx context.Context, who oauth.Principal, id idmap.FileID, err error) (*saves.Waiting, place, error) {
	if s.Saves == nil || !away(err) {
		return nil, place{}, nil
	}
	w, err2 := s.Saves.Waiting(ctx, id)
	if err2 != nil || w == nil {
		return nil, place{}, err2
	}
	at, err2 := s.recall(ctx, who, id)
	if errors.Is(err2, idmap.ErrNotFound) {
		return nil, place{}, nil
	}
	if err2 != nil {
		return nil, place{}, err2
	}
	may, err2 := s.mayShow(ctx, who, w, err)
	if err2 != nil || !may {
		return nil, place{}, err2
	}
	return w, at, nil
}

// stored lists what this person may have of what waits, while an upstream says err.
func (s *site) stored(ctx context.Context, who oauth.Principal, err error) ([]stored, error) {
	if !away(err) {
		return nil, nil
	}
	waits, err2 := s.waitings(ctx)
	if err2 != nil {
		return nil, err2
	}
	var out []stored
	for _, file := range waits.Files() {
		w, at, err2 := s.shownWaiting(ctx, who, file, err)
		if err2 != nil {
			return nil, err2
		}
		if w == nil {
			continue
		}
		kind := kindOf(extension(at.Entry.Name))
		out = append(out, stored{
			Name: at.Entry.Name, Kind: kind, KindName: kindName(kind), Href: s.path("download", string(file)),
			Size: w.Revision.Size, Saved: savedAt(w),
		})
		if len(out) == maxStored {
			break
		}
	}
	return out, nil
}
