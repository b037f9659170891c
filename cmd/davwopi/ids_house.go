package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"davwopi/bridge"
	"davwopi/bridge/metrics"
	"davwopi/bridge/saves"
	"davwopi/config"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/localdav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// The side of `davwopi ids` that has the IDs: in the daemon, or in the command where
// no daemon runs.

type findArguments struct {
	Text  string
	Limit int
}

type findResult struct {
	Found []idmap.Description `json:"found"`
	More  bool                `json:"more"`
}

// A whose says which space is meant, and with whose account the upstream is looked at.
type whose struct{ Upstream, User string }

type movedArguments struct {
	Whose    whose
	Old, New string
}

type verifyArguments struct {
	Whose  whose
	Path   string
	Repair bool
	Rate   float64 // requests in a second
}

// A dossier is everything that is known of a file or folder at one place.
type dossier struct {
	idmap.Description
	History []pastRevision `json:"history,omitempty"`
}

// A pastRevision is one of the revisions that are remembered, the present one
// included.
type pastRevision struct {
	Number       int64     `json:"revision"`
	Version      string    `json:"version"`
	LastModified string    `json:"last_modified"`
	ETag         dav.ETag  `json:"etag,omitempty"`
	Size         int64     `json:"size"`
	Modified     time.Time `json:"modified,omitzero"`
	SHA256       string    `json:"sha256,omitempty"`
}

const (
	historyShown = 50
	mostFound    = 1000
)

func (h *house) showIDs(ctx context.Context, in idsArguments) ([]dossier, error) {
	what := in.What
	if _, err := idmap.ParseFileID(what); err != nil {
		what = "/" + strings.TrimPrefix(what, "/") // a path, as it is written after davwopi open
	}
	all, err := h.ids.Describe(ctx, what)
	if errors.Is(err, idmap.ErrNotFound) {
		return nil, fmt.Errorf("%s: not found: nothing is known of it; a file has an ID from the first time that somebody sees it in a list", in.What)
	} else if err != nil {
		return nil, err
	}
	out := make([]dossier, 0, len(all))
	for _, d := range all {
		history, err := h.ids.History(ctx, d.ID, historyShown)
		if err != nil {
			return nil, err
		}
		shown := dossier{Description: d}
		for _, r := range history {
			shown.History = append(shown.History, pastRevision{
				Number: r.Number, Version: r.Version, LastModified: r.LastModified, ETag: r.ETag, Size: r.Size,
				Modified: r.Modified, SHA256: fmt.Sprintf("%x", r.SHA256),
			})
		}
		out = append(out, shown)
	}
	return out, nil
}

func (h *house) findIDs(ctx context.Context, in findArguments) (findResult, error) {
	if in.Limit < 1 || in.Limit > mostFound {
		return findResult{}, fmt.Errorf("-limit is between 1 and %d", mostFound)
	}
	found, more, err := h.ids.Seek(ctx, in.Text, in.Limit)
	if found == nil {
		found = []idmap.Description{}
	}
	return findResult{found, more}, err
}

// seenBy is the space that is meant, and the upstream as that person sees it.
func (h *house) seenBy(ctx context.Context, w whose) (idmap.SpaceID, idmap.Finder, error) {
	if w.Upstream == "" {
		w.Upstream = h.upstreams.List[0].Name
	}
	up, err := h.upstreams.Get(w.Upstream)
	if err != nil {
		return 0, nil, err
	}
	if (up.Service == nil || up.PerUser) && w.User == "" {
		return 0, nil, errors.New("people have accounts or trees of their own here; say whose: -user NAME (who must have signed in)")
	}
	var p oauth.Principal
	if w.User != "" {
		p = h.person(w.User)
	}
	view, err := h.upstreams.View(ctx, up.Name, p)
	if err != nil {
		return 0, nil, err
	}
	s, err := h.upstreams.Space(ctx, up.Name, p)
	return s, view, err
}

func (h *house) movedIDs(ctx context.Context, in movedArguments) (idmap.Told, error) {
	s, view, err := h.seenBy(ctx, in.Whose)
	if err != nil {
		return idmap.Told{}, err
	}
	to, err := dav.ParsePath(in.New)
	if err != nil {
		return idmap.Told{}, err
	}
	var id idmap.FileID
	if strings.HasPrefix(in.Old, "/") {
		from, err := dav.ParsePath(in.Old)
		if err != nil {
			return idmap.Told{}, err
		}
		if id, err = h.ids.WasAt(ctx, s, from, view); err != nil {
			return idmap.Told{}, inWordsOf(err)
		}
	} else if id, err = idmap.ParseFileID(in.Old); err != nil {
		return idmap.Told{}, fmt.Errorf("%s is neither a path, which begins with /, nor an ID", in.Old)
	}
	if err := h.notOpen(ctx, s, id, to); err != nil {
		return idmap.Told{}, err
	}
	told, err := h.ids.Told(ctx, s, id, to, view)
	return told, inWordsOf(err)
}

// notOpen refuses to end an ID under which somebody works at this moment.
func (h *house) notOpen(ctx context.Context, s idmap.SpaceID, id idmap.FileID, to dav.Path) error {
	if h.locks == nil {
		return nil // no daemon: nothing is open
	}
	rows, err := h.locks.List(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.File == id || r.Space != s {
			continue
		}
		at, err := h.ids.Known(ctx, s, r.File)
		if err == nil && to.Contains(at.Path) {
			return fmt.Errorf("%s is open under the ID it has now (%s, by %s); try again when it is closed", at.Path, r.File, r.Holder.Name)
		}
	}
	return nil
}

// inWordsOf is an error of the map as an operator understands it.
func inWordsOf(err error) error {
	for is, words := range map[error]string{
		idmap.ErrThere:        "it is still where it was, or what is there now may be it",
		idmap.ErrMissing:      "nothing is at the new place",
		idmap.ErrNotFound:     "no ID is known there, or it died",
		idmap.ErrKind:         "one is a file and the other a folder",
		idmap.ErrRoot:         "the root has one place only",
		idmap.ErrBelow:        "one place lies below the other",
		idmap.ErrContradicted: "the evidence contradicts",
		idmap.ErrSeveral:      "several files were there; say which by its ID (davwopi ids show ID)",
	} {
		if errors.Is(err, is) {
			return fmt.Errorf("refused: %s; nothing was changed: %w", words, err)
		}
	}
	return err
}

// What verifyIDs streams, one JSON object a line.
type verifyLine struct {
	Difference *idmap.Difference `json:"difference,omitempty"`
	Progress   *idmap.Verified   `json:"progress,omitempty"`
	Done       *idmap.Verified   `json:"done,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// progressEvery is how often a person is shown how far it is.
const progressEvery = 300 * time.Millisecond

func (h *house) verifyIDs(ctx context.Context, in verifyArguments) (io.ReadCloser, error) {
	p, err := dav.ParsePath(in.Path)
	if err != nil {
		return nil, err
	}
	if in.Rate <= 0 || in.Rate > 10_000 {
		return nil, errors.New("-rate is a number of requests in a second, above 0")
	}
	s, view, err := h.seenBy(ctx, in.Whose)
	if err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, w io.Writer) error {
		lines, shown := json.NewEncoder(w), time.Now()
		lines.SetEscapeHTML(false)
		count, err := h.ids.Verify(ctx, s, p, idmap.Verification{
			Upstream: view, Repair: in.Repair, Pace: rate.NewLimiter(rate.Limit(in.Rate), 1).Wait,
			Each: func(d idmap.Difference) error { return lines.Encode(verifyLine{Difference: &d}) },
			Progress: func(v idmap.Verified) {
				if now := time.Now(); now.Sub(shown) > progressEvery {
					shown = now
					_ = lines.Encode(verifyLine{Progress: &v}) // the next difference tells
				}
			},
		})
		last := verifyLine{Done: &count}
		if err != nil {
			last.Error = err.Error()
		}
		return lines.Encode(last)
	}), nil
}

func (h *house) exportIDs(ctx context.Context, _ struct{}) (io.ReadCloser, error) {
	part, err := localdav.OpenIdentities(ctx, h.db)
	if err != nil {
		return nil, err
	}
	return stream(ctx, func(ctx context.Context, w io.Writer) error {
		_, err := h.ids.Export(ctx, w, part)
		return err
	}), nil
}

// stream runs f while what it writes is read. Its error is that of the last read.
func stream(ctx context.Context, f func(context.Context, io.Writer) error) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(f(ctx, w))
	}()
	return &streamed{r, cancel, done}
}

type streamed struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends f and waits until it has ended.
func (s *streamed) Close() error {
	s.cancel()
	err := s.PipeReader.Close()
	<-s.done
	return err
}

// openIDs is the part of the house that `davwopi ids` needs where no daemon runs:
// the state, and with the second argument also the upstreams. It makes no state.
func openIDs(ctx context.Context, k *call, c *config.Config, upstreams bool) (*house, error) {
	h := &house{config: c, counters: metrics.NewCounters()}
	h.log, h.loud = newLog(c, k.stderr)
	if !c.State.Shared() {
		if _, err := os.Stat(filepath.Join(c.State.Dir, "state.db")); err != nil {
			return h, fmt.Errorf("no daemon runs, and there is no state either: %w", err)
		}
	}
	if !upstreams {
		return h, h.openDatabase(ctx)
	}
	if c.Embedded() {
		if _, err := os.Stat(c.Dir); err != nil {
			return h, fmt.Errorf("there is no folder to look at: %w", err)
		}
	}
	if err := h.openState(ctx, k.variable("DAVWOPI_SECRET_KEY")); err != nil {
		return h, err
	}
	return h, h.openUpstreams(ctx)
}

// openDatabase opens the IDs and nothing else: no secret is needed, or made.
func (h *house) openDatabase(ctx context.Context) error {
	if err := h.settleState(); err != nil {
		return err
	}
	where, err := databaseOf(h.config)
	if err != nil {
		return err
	}
	if h.db, err = openDatabase(ctx, where); err != nil {
		return err
	}
	h.closers = append(h.closers, h.db.Close)
	h.ids, err = idmap.New(ctx, h.db)
	return err
}

// importIDs is never the daemon's: what a running one remembers would be wrong.
func importIDs(ctx context.Context, c *config.Config, open func() (io.ReadCloser, error)) (_ idmap.Carried, err error) {
	if err := os.MkdirAll(c.State.Dir, 0o700); err != nil {
		return idmap.Carried{}, err
	}
	const stop = "a davwopi works on this state: stop it first (davwopi serve), it would not see what changes"
	var nothing json.RawMessage
	if err := bridge.Ask(ctx, socketOf(c), "ids", idsArguments{What: "/"}, &nothing); !errors.Is(err, bridge.ErrNoDaemon) {
		return idmap.Carried{}, errors.New(stop)
	}
	h := &house{config: c}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.openDatabase(ctx); err != nil {
		return idmap.Carried{}, err
	}
	if h.db.Shared() { // else its lock keeps daemons away
		if busy, err := saves.Busy(ctx, h.db, filepath.Join(c.State.Dir, "saves")); err != nil || busy {
			if err == nil {
				err = errors.New(stop)
			}
			return idmap.Carried{}, err
		}
	}
	part, err := localdav.OpenIdentities(ctx, h.db)
	if err != nil {
		return idmap.Carried{}, err
	}
	return h.ids.Import(ctx, open, part)
}

// lines calls each for every line of r, of at most a MiB.
func lines(r io.Reader, each func([]byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if err := each(scanner.Bytes()); err != nil {
			return err
		}
	}
	return scanner.Err()
}
