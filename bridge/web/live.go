package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/idmap"
	"davwopi/oauth"
)

// The page of what is open now is live: a stream of server-sent events brings its list
// anew whenever it would be another one for this person. Nobody learns from it what they
// would not see by loading the page.

// Bounds of the streams.
const (
	maxStreams    = 200              // at the same time; whoever gets none asks every opensTurn seconds
	maxOwnStreams = 4                // of one person
	streamFor     = 10 * time.Minute // then the browser comes again, and the session is looked at anew
	streamBeat    = 20 * time.Second // between two signs of life
	streamLook    = 2 * time.Second  // between two looks at the database
)

// errStreams refuses a further stream.
var errStreams = errors.New("web: too many open pages of what is open")

// streams counts who listens.
type streams struct {
	mu     sync.Mutex
	all    int
	by     map[string]int // by person's key
	closed chan struct{}
	once   sync.Once
}

func newStreams() *streams {
	return &streams{by: make(map[string]int), closed: make(chan struct{})}
}

// join makes room for a stream, and leave gives it back.
func (s *streams) join(key string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.by[key] >= maxOwnStreams {
		return nil, errStreams
	}
	s.all++
	s.by[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.by[key]--; s.by[key] == 0 {
			delete(s.by, key)
		}
	}, nil
}

// Close ends the streams of open pages, which would keep a server from stopping. The
// browsers come again. It may be called more than once.
func (p *Pages) Close() {
	live := p.site().live
	live.once.Do(func() { close(live.closed) })
}

// serveEvents is GET /open/events.
func (s *site) serveEvents(w http.ResponseWriter, r *http.Request, session oauth.Session) {
	leave, err := s.live.join(session.Principal.Key())
	if err != nil {
		s.note(r, http.StatusServiceUnavailable, err)
		w.Header().Set("Retry-After", "60")
		answerJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "busy"})
		return
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would keep what is sent
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithTimeout(r.Context(), streamFor)
	defer cancel()
	t := &stream{site: s, w: w, r: r, control: http.NewResponseController(w), language: words.For(r), who: session.Principal}
	if err := t.run(ctx); err != nil && r.Context().Err() == nil {
		s.Log(r, fmt.Errorf("web: what is open now: %w", err))
	}
}

// A stream is one page that listens.
type stream struct {
	site     *site
	w        http.ResponseWriter
	r        *http.Request
	control  *http.ResponseController
	language *words.Language
	who      oauth.Principal
	state    [sha256.Size]byte // of the database when the list was last made
	shown    []byte            // the list that was last sent
	made     time.Time         // when
}

// run sends the list at once, and whenever it is another one, until ctx ends.
func (t *stream) run(ctx context.Context) error {
	look := time.NewTicker(streamLook)
	defer look.Stop()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	if err := t.send("retry: 3000\n\n"); err != nil {
		return nil // the page has gone
	}
	for {
		if err := t.tell(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.site.live.closed:
			return nil
		case <-look.C:
		case <-beat.C:
			session, err := t.site.session(t.r)
			if err != nil || session.Principal.Key() != t.who.Key() || t.send(": here\n\n") != nil {
				return nil // signed out meanwhile, or the page has gone
			}
		}
	}
}

// tell makes the list again if the database has changed, or what this person may see can
// have, and sends it if it is another one.
func (t *stream) tell(ctx context.Context) error {
	state, err := t.site.openState(ctx)
	if err != nil || state == t.state && time.Since(t.made) < seenLately {
		return ignoreEnd(ctx, err)
	}
	body, err := t.site.opens(ctx, t.who)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	var list bytes.Buffer
	if err := t.site.views[t.language]()["opens"].ExecuteTemplate(&list, "live", body); err != nil {
		return err
	}
	t.state, t.made = state, time.Now()
	if bytes.Equal(list.Bytes(), t.shown) {
		return nil
	}
	t.shown = list.Bytes()
	_ = t.send("event: list\ndata: " + string(bytes.ReplaceAll(t.shown, []byte("\n"), []byte("\ndata: "))) + "\n\n") // a page that has gone ends ctx
	return nil
}

func (t *stream) send(text string) error {
	if _, err := t.w.Write([]byte(text)); err != nil {
		return err
	}
	return t.control.Flush()
}

// ignoreEnd is err, unless it came because ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// openState changes with what the list is made of, whoever looks.
func (s *site) openState(ctx context.Context) (sum [sha256.Size]byte, err error) {
	rows, err := s.Locks.List(ctx)
	if err != nil {
		return sum, err
	}
	files := make([]idmap.FileID, len(rows))
	for i, r := range rows {
		files[i] = r.File
	}
	standings := map[idmap.FileID]saves.Standing{}
	if s.Saves != nil {
		if standings, err = s.Saves.Standings(ctx, files); err != nil {
			return sum, err
		}
	}
	h := sha256.New()
	for _, r := range rows {
		editing := ""
		if e := r.Editing; e != nil {
			editing = fmt.Sprint(e.ID, e.Diverted, e.Reported)
		}
		fmt.Fprintf(h, "%s %q %v %d %d %q %v %s %+v\n", r.File, r.Lock.ID, r.Phase, r.Lock.Expires.UnixMilli(), r.Since.UnixMilli(), r.Holder.UserID, r.Shadow.Lost, editing, standings[r.File])
	}
	h.Sum(sum[:0])
	return sum, nil
}
