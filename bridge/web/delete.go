package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

const (
	trashKnown   = 10 * time.Minute // for how long it is remembered whether there is a trash
	maxTrashes   = 1000             // people of whom that is remembered
	countFolders = 30               // that are listed to tell how much is in a folder
	countFiles   = 5000
)

// trashes remember who has a trash on which upstream.
type trashes struct {
	mu  sync.Mutex
	has map[string]trashSeen // by upstream and person; guarded by mu
}

type trashSeen struct {
	has bool
	at  time.Time
}

// hasTrash reports whether what this person deletes there can be had back. An upstream
// that does not say has none.
func (s *site) hasTrash(ctx context.Context, who oauth.Principal, at place) bool {
	key := at.Upstream.Name + " " + who.UserID()
	s.trash.mu.Lock()
	seen, ok := s.trash.has[key]
	s.trash.mu.Unlock()
	if ok && time.Since(seen.at) < trashKnown {
		return seen.has
	}
	has, err := at.View.HasTrash(ctx)
	if err != nil {
		return false
	}
	s.trash.mu.Lock()
	defer s.trash.mu.Unlock()
	if s.trash.has == nil || len(s.trash.has) >= maxTrashes {
		s.trash.has = make(map[string]trashSeen)
	}
	s.trash.has[key] = trashSeen{has, time.Now()}
	return has
}

// serveDelete is GET /delete/{id}, which asks whether it is meant, and POST, which does it.
func (s *site) serveDelete(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	at, err := s.changeable(r, who)
	if err != nil {
		s.fail(w, r, who, err)
		return
	}
	trash := s.hasTrash(ctx, who, at)
	if r.Method != http.MethodPost {
		s.confirm(w, r, who, s.askDelete(ctx, at, trash))
		return
	}
	folder := s.folderOf(ctx, at)
	if at.Entry.Kind == idmap.Container {
		err = s.Locks.DeleteAll(ctx, s.target(who, at), actor(who))
	} else {
		err = s.Locks.Delete(ctx, s.target(who, at), actor(who))
	}
	if err != nil {
		s.failChange(w, r, who, at, "delete", err)
		return
	}
	s.deed(r, Deed{What: "delete", Who: who, File: at.Entry.ID, Name: at.Entry.Name})
	done := change{user: who.UserID(), kind: didDelete, upstream: at.Upstream.Name, space: at.Entry.Space, file: at.Entry.ID, name: at.Entry.Name, from: at.Entry.Path}
	if trash {
		done.native = at.Seen.NativeID
	}
	s.did(w, r, folder, done)
}

// askDelete asks whether a deletion is meant.
func (s *site) askDelete(ctx context.Context, at place, trash bool) confirmBody {
	b := confirmBody{
		Title: words.Say("delete.title", "name", at.Entry.Name), Danger: !trash,
		Action: s.path("delete", string(at.Entry.ID)), Button: words.Say("delete.do"),
		Back: step{words.Say("step.keep_it"), s.path("folder", string(s.folderOf(ctx, at)))},
	}
	if at.Entry.Kind == idmap.Container {
		switch files, folders, whole := s.count(ctx, at); {
		case !whole:
			b.Words = append(b.Words, words.Say("delete.many", "n", files))
		case files+folders == 0:
			b.Words = append(b.Words, words.Say("delete.empty"))
		default:
			b.Words = append(b.Words, words.Say("delete.holds", "files", words.Say("count.files", "n", files), "folders", words.Say("count.folders", "n", folders)))
		}
	}
	if trash {
		b.Words = append(b.Words, words.Say("delete.trash", "name", s.upstreamName(at.Upstream.Name)))
	} else {
		b.Words = append(b.Words, words.Say("delete.gone", "name", s.upstreamName(at.Upstream.Name)))
	}
	return b
}

// count tells how much is in a folder; not whole: there may be more.
func (s *site) count(ctx context.Context, at place) (files, folders int, whole bool) {
	queue := []dav.Path{at.Entry.Path}
	for n := 0; n < len(queue); n++ {
		if n == countFolders || files > countFiles {
			return files, folders, false
		}
		err := at.View.List(ctx, queue[n], func(res dav.Resource) error {
			switch {
			case res.Collection:
				folders++
				queue = append(queue, res.Path)
			case !lockFile(res.Path.Base()):
				files++
			}
			return nil
		})
		if err != nil {
			return files, folders, false
		}
	}
	return files, folders, true
}

// serveTakeBack is POST /undo/{change}: a rename, a move or a deletion is taken back.
func (s *site) serveTakeBack(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	who, ctx := session.Principal, r.Context()
	var done change
	err := errNoChange
	if s.Changes != nil {
		done, err = s.Changes.get(ctx, mux.Vars(r)["change"], who.UserID())
	}
	if err == nil && !done.undoable() {
		err = errNoChange
	}
	if err != nil {
		s.failUndo(w, r, who, err)
		return
	}
	back := s.moveBack
	if done.kind == didDelete {
		back = s.untrash
	}
	at, err := back(ctx, who, done)
	if err != nil {
		if at.Upstream != nil {
			s.failChange(w, r, who, at, "move", err)
			return
		}
		s.failUndo(w, r, who, err)
		return
	}
	if err := s.Changes.undo(context.WithoutCancel(ctx), done.id); err != nil {
		s.Log(r, err)
	}
	s.did(w, r, s.folderOf(ctx, at), change{user: who.UserID(), kind: didUndo, upstream: done.upstream, space: at.Entry.Space, file: at.Entry.ID, name: at.Entry.Name})
}

// moveBack takes a rename or a move back, if the thing is still where it was moved to. A
// place without an upstream comes with an error that is about none.
func (s *site) moveBack(ctx context.Context, who oauth.Principal, done change) (place, error) {
	at, err := s.locate(ctx, who, done.file)
	if err != nil {
		return place{}, err
	}
	if at.Entry.Path != done.to || !s.mayChange(who, at.Upstream.Name, at.Entry) {
		return place{}, errNoChange
	}
	moved, err := s.move(ctx, who, at, done.from.Parent(), done.from.Base())
	if err == nil {
		at.Entry = moved
	}
	return at, err
}

// untrash gets something back out of the trash of its upstream.
func (s *site) untrash(ctx context.Context, who oauth.Principal, done change) (place, error) {
	up, err := s.Upstreams.Get(done.upstream)
	if err != nil {
		return place{}, err
	}
	view, err := s.Upstreams.View(ctx, up.Name, who)
	if err != nil {
		return place{}, &placeError{up, done.name, err}
	}
	path, err := view.Untrash(ctx, done.native)
	if errors.Is(err, dav.ErrNotFound) || errors.Is(err, dav.ErrUnsupported) {
		return place{}, errNoChange
	}
	if err != nil {
		return place{}, &placeError{up, done.name, err}
	}
	return s.at(ctx, who, up, path)
}

// failUndo is fail for what cannot be taken back.
func (s *site) failUndo(w http.ResponseWriter, r *http.Request, who oauth.Principal, err error) {
	if !errors.Is(err, errNoChange) {
		s.fail(w, r, who, err)
		return
	}
	s.answer(w, r, who, trouble{Status: http.StatusGone, Title: words.Say("no_undo.title"), Words: []words.Text{words.Say("no_undo.words")},
		Actions: []step{{words.Say("step.files"), s.path()}}}, err)
}
