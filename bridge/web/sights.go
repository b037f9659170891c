package web

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"davwopi/bridge/access"
	"davwopi/idmap"
	"davwopi/oauth"
)

// Names of open documents are shown only to people who can see the file (DESIGN 8): by
// their own look, of just now or of the last minute; or, while the upstream is away, of
// the last hour.

const (
	seenLately  = time.Minute
	seenBefore  = time.Hour
	looksAtOnce = 6
	looksLimit  = 15 * time.Second // for all looks of one page
	candidates  = 4                // times as many files are thought of as are shown
)

// sightings are the files that a person can see, of those that were asked about.
type sightings struct {
	places map[idmap.FileID]place
	unseen []string // upstreams, by their names for people, that did not answer
	failed error    // why the last one could not be seen, if an upstream did not answer
	more   bool     // not all were looked at
}

// sightsOf looks at files, in their order, until most are found that this person can see.
func (s *site) sightsOf(ctx context.Context, who oauth.Principal, files []idmap.FileID, most int) (sightings, error) {
	out := sightings{places: make(map[idmap.FileID]place)}
	var asked []place // known by the database; to be looked at
	for _, file := range files {
		at, err := s.recall(ctx, who, file)
		if errors.Is(err, idmap.ErrNotFound) || errors.Is(err, access.ErrNeedsSignIn) {
			continue
		}
		if err != nil {
			return out, err
		}
		if len(asked) == candidates*most {
			out.more = true
			break
		}
		asked = append(asked, at)
	}
	ctx, cancel := context.WithTimeout(ctx, looksLimit)
	defer cancel()
	for len(asked) > 0 && len(out.places) < most {
		n := min(len(asked), most-len(out.places))
		s.lookAtAll(ctx, who, asked[:n], &out)
		asked = asked[n:]
	}
	out.more = out.more || len(asked) > 0
	return out, nil
}

// lookAtAll adds to out what this person can see of asked.
func (s *site) lookAtAll(ctx context.Context, who oauth.Principal, asked []place, out *sightings) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan place)
	for range min(looksAtOnce, len(asked)) {
		wg.Go(func() {
			for at := range work {
				found, err := s.sight(ctx, who, at)
				mu.Lock()
				switch {
				case err == nil:
					out.places[at.Entry.ID] = found
				case away(err) || ctx.Err() != nil:
					out.failed = &placeError{at.Upstream, "", err}
					if name := s.upstreamName(at.Upstream.Name); !slices.Contains(out.unseen, name) {
						out.unseen = append(out.unseen, name)
					}
				}
				mu.Unlock()
			}
		})
	}
	for _, at := range asked {
		work <- at
	}
	close(work)
	wg.Wait()
}

// sight is one file as this person sees it. What they have just seen is not asked about
// again: a page that is open asks every few seconds.
func (s *site) sight(ctx context.Context, who oauth.Principal, at place) (place, error) {
	id, user := at.Entry.ID, who.UserID()
	if s.Saves != nil && s.Saves.HasSeen(id, user, seenLately) {
		return at, nil
	}
	if ctx.Err() != nil {
		return place{}, ctx.Err()
	}
	found, err := s.look(ctx, who, at.Upstream, at.Entry.Space, id)
	switch {
	case s.Saves == nil:
	case err == nil:
		s.Saves.Saw(id, user)
	case away(err) && s.Saves.HasSeen(id, user, seenBefore):
		return at, nil
	}
	return found, err
}
