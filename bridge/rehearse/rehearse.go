package rehearse

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/words"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/davbackend/profile"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

// A Rehearsal plays with the rooms of the daemon. All fields are set before [New].
type Rehearsal struct {
	DB        *sqldb.DB
	IDs       *idmap.Map
	Locks     *locks.Locks
	Saves     *saves.Saves
	Upstreams *access.Upstreams
	Profiles  *profile.Store
}

// An Outcome is what became of a scene.
type Outcome string

// Outcomes, best first.
const (
	Works    Outcome = "works"    // it did what was asked
	Refused  Outcome = "refused"  // the stranger was not let do it
	Followed Outcome = "followed" // it was noticed, and the work went on at the right place
	Kept     Outcome = "kept"     // it was noticed, and both versions are there
	Unsafe   Outcome = "unsafe"   // it was not noticed, and nothing was lost for another reason
	Lost     Outcome = "lost"     // bytes that somebody has saved are nowhere
	Failed   Outcome = "failed"   // it could not be played to the end
)

// Good reports whether the outcome is one that nobody has to fear.
func (o Outcome) Good() bool { return o != Lost && o != Failed && o != Unsafe }

// A Result is one scene. Its texts are English until [Report.In] has said them in another
// language, which it can only before the report was kept.
type Result struct {
	Scene   string  `json:"scene"` // what happened, in words
	Outcome Outcome `json:"outcome"`
	Words   string  `json:"words"` // what became of it

	scene, ended words.Text // what Scene and Words say; ended is nil where Words is an error's
}

// in is the result in a language.
func (r Result) in(l *words.Language) Result {
	if r.scene != nil {
		r.Scene = l.Text(r.scene)
	}
	if r.ended != nil {
		r.Words = l.Text(r.ended)
	}
	return r
}

// In is the report in a language.
func (r Report) In(l *words.Language) Report {
	r.Results = slices.Clone(r.Results)
	for i, result := range r.Results {
		r.Results[i] = result.in(l)
	}
	return r
}

// A Report is a whole rehearsal.
type Report struct {
	Upstream string    `json:"upstream"`
	Server   string    `json:"server"` // as it calls itself
	At       time.Time `json:"at"`
	Results  []Result  `json:"results"`
}

var migrations = []string{`
CREATE TABLE rehearse_report (
	upstream TEXT {{bytes}} NOT NULL PRIMARY KEY,
	report   TEXT NOT NULL -- JSON
)`}

// New brings the table of this room up to date and returns a rehearsal that can be
// played.
func New(ctx context.Context, r Rehearsal) (*Rehearsal, error) {
	if err := r.DB.Migrate(ctx, "rehearse", migrations); err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	return &r, nil
}

// Last is the latest report of an upstream; known is false if there is none.
func (r *Rehearsal) Last(ctx context.Context, upstream string) (report Report, known bool, err error) {
	var text string
	err = r.DB.Read().QueryRow(ctx, `SELECT report FROM rehearse_report WHERE upstream = ?`, upstream).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return Report{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &report)
	}
	if err != nil {
		return Report{}, false, fmt.Errorf("rehearse: reading a report: %w", err)
	}
	return report, true, nil
}

// Play plays all scenes on an upstream with the account that p has there, and keeps
// the report. Errors are those of [access.Upstreams.View], and of the upstream if no
// folder can be made, and [profile.ErrBusy]: nothing was played. It takes some
// seconds, at most four minutes.
func (r *Rehearsal) Play(ctx context.Context, upstream string, p oauth.Principal) (report Report, err error) {
	ctx, release, err := r.Profiles.Claim(ctx, upstream)
	if err != nil {
		return Report{}, err
	}
	defer release()
	s, err := r.stage(ctx, upstream, p)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.clear(context.WithoutCancel(ctx))) }()
	report = Report{Upstream: upstream, Server: s.server, At: time.Now().UTC().Truncate(time.Second)}
	for _, scene := range scenes {
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		result := Result{scene: scene.name}
		result.Outcome, result.ended, err = scene.play(ctx, s)
		if err != nil {
			result.Outcome, result.Words, result.ended = Failed, err.Error(), nil
		}
		report.Results = append(report.Results, result.in(words.All()[0]))
	}
	return report, r.keep(ctx, report)
}

func (r *Rehearsal) keep(ctx context.Context, report Report) error {
	text, err := json.Marshal(report)
	if err == nil {
		err = r.DB.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `INSERT INTO rehearse_report (upstream, report) VALUES (?, ?)
				ON CONFLICT (upstream) DO UPDATE SET report = excluded.report`, report.Upstream, string(text))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("rehearse: keeping the report: %w", err)
	}
	return nil
}

// A stage is the folder in which it is played.
type stage struct {
	*Rehearsal
	upstream string
	server   string
	view     *davbackend.View
	space    idmap.SpaceID
	pin      func(context.Context) ([]byte, error)
	actor    locks.Actor
	dir      dav.Path
	scratch  profile.Scratch
	n        int // documents made
	opened   []idmap.FileID
}

func (r *Rehearsal) stage(ctx context.Context, upstream string, p oauth.Principal) (*stage, error) {
	view, err := r.Upstreams.View(ctx, upstream, p)
	if err != nil {
		return nil, err
	}
	s := &stage{
		Rehearsal: r, upstream: upstream, view: view,
		pin:   func(ctx context.Context) ([]byte, error) { return r.Upstreams.Pin(ctx, upstream, p) },
		actor: locks.Actor{Member: "rehearsal", Editor: "davwopi:rehearsal", Office: office, UserID: p.UserID(), Name: "davwopi rehearses"},
	}
	if s.space, err = r.Upstreams.Space(ctx, upstream, p); err != nil {
		return nil, err
	}
	pinned, err := s.pin(ctx)
	if err != nil {
		return nil, err
	}
	hello, err := view.Raw(ctx, davbackend.Raw{Method: "OPTIONS", Path: dav.Root})
	if err != nil {
		return nil, err
	}
	s.server = hello.Header.Get("Server")
	s.scratch = r.Profiles.Scratch(upstream, pinned)
	s.dir, err = profile.MakeFolder(ctx, view, s.scratch)
	return s, err
}

// clear removes the folder and ends the IDs of what was in it.
func (s *stage) clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all := s.opened
	err := s.view.List(ctx, s.dir, func(res dav.Resource) error {
		e, err := s.IDs.KnownAt(ctx, s.space, res.Path)
		if errors.Is(err, idmap.ErrNotFound) {
			return nil
		}
		all = append(all, e.ID) // a conflict copy
		return err
	})
	var faults []error
	for _, id := range all {
		faults = append(faults, s.Locks.Release(ctx, id))
		if err := s.IDs.Deleted(ctx, s.space, id); !errors.Is(err, idmap.ErrNotFound) {
			faults = append(faults, err)
		}
	}
	faults = append(faults, s.forget(ctx))
	if err == nil {
		err = s.view.Delete(ctx, s.dir, davbackend.Condition{})
	}
	if err == nil {
		err = s.scratch.Gone(ctx)
	}
	if err = errors.Join(append(faults, err)...); err != nil {
		return fmt.Errorf("rehearse: clearing the stage: %w", err)
	}
	return nil
}

// forget drops what the journal keeps of the documents: nobody wants their old
// versions back.
func (s *stage) forget(ctx context.Context) error {
	entries, err := s.Saves.List(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range entries {
		if !slices.Contains(s.opened, e.File) {
			continue
		}
		if err := s.Saves.Drop(ctx, e.ID); !errors.Is(err, saves.ErrNoEntry) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
