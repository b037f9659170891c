package bridge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge/endpoint"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// A Journalist writes log lines for the rooms. It may be used concurrently.
type Journalist struct {
	Log zerolog.Logger
	// Threshold is what Log drops, where that can change; nil: it cannot.
	Threshold *Threshold
	// Requests writes what went well at info, too.
	Requests bool

	mu     sync.Mutex
	failed map[string]int // requests since an upstream stopped answering, by origin; guarded by mu
}

// WOPI logs one request of an editor. What the editor did wrong is info, what we
// or the upstream did wrong is an error, a success is debug.
func (j *Journalist) WOPI(ctx context.Context, l endpoint.Line) {
	if j.outage(l.Err, l.Upstream, l.Trips) {
		return
	}
	severity := level(l.Status, l.Err)
	if j.Requests {
		severity = max(severity, zerolog.InfoLevel)
	}
	e := j.Log.WithLevel(severity)
	e.Str("request", requestNumber(ctx)).Str("operation", string(l.Operation)).Str("file", string(l.File)).
		Str("user", l.UserID).Int("status", l.Status).Dur("ms", l.Duration).Int("trips", l.Trips)
	if l.Editor != "" {
		e.Str("editor", l.Editor)
	}
	if l.Correlation != "" {
		e.Str("correlation", l.Correlation)
	}
	if l.Session != "" {
		e.Str("session", l.Session)
	}
	j.cause(e, l.Err).Msg("wopi")
}

// Request logs a request that is not an editor's, if every one is to be logged. It says
// which part was asked for, not which address: that names documents.
func (j *Journalist) Request(ctx context.Context, method, part string, status int, took time.Duration) {
	if !j.Requests || part == "wopi" || part == "bootstrapper" {
		return
	}
	j.Log.Info().Str("request", requestNumber(ctx)).Str("part", part).Str("method", method).Int("status", status).Dur("ms", took).Msg("request")
}

// Page logs a page that could not be shown as it was asked for.
func (j *Journalist) Page(r *http.Request, err error) {
	if err == nil || j.outage(err, "", 0) {
		return
	}
	status := endpoint.Refusal(err).Status
	e := j.Log.WithLevel(level(status, err)).Str("request", requestNumber(r.Context())).Str("method", r.Method)
	j.cause(e, err).Msg("page")
}

// Loop logs a fault of a background loop.
func (j *Journalist) Loop(what string, err error) {
	if j.outage(err, "", 0) {
		return
	}
	j.cause(j.Log.Error().Str("loop", what), err).Msg("background work failed; it is tried again")
}

// Harmless logs what a background loop could do without.
func (j *Journalist) Harmless(what string, err error) {
	j.cause(j.Log.Debug().Str("loop", what), err).Msg("background work was left out")
}

func level(status int, err error) zerolog.Level {
	switch {
	case errors.Is(err, dav.ErrUnauthorized):
		return zerolog.WarnLevel // a wrong password, which the operator may have to mend
	case errors.Is(err, endpoint.ErrCrowd):
		return zerolog.InfoLevel // whoever has the token could fill the log
	case status >= 500 && status != http.StatusNotImplemented:
		return zerolog.ErrorLevel
	case status >= 400:
		return zerolog.InfoLevel
	}
	return zerolog.DebugLevel
}

// outage counts failures of an upstream that does not answer: the first is logged
// as an error, the others are counted until it answers again. It reports whether
// the line is done with. origin is the upstream that was asked, where err does not
// say.
func (j *Journalist) outage(err error, origin string, trips int) bool {
	down := errors.Is(err, dav.ErrUnavailable)
	if !down && (err != nil || trips == 0) {
		return false
	}
	reason := ""
	var unavailable *davbackend.UnavailableError
	if errors.As(err, &unavailable) {
		origin, reason = unavailable.Origin, unavailable.Reason
	}
	failed := j.count(origin, down)
	switch {
	case down && failed == 0:
		e := j.Log.Error().Str("upstream", origin).Str("reason", reason)
		j.cause(e, err).Msg("the upstream does not answer; further failures are counted")
	case !down && failed > 0:
		j.Log.Info().Str("upstream", origin).Int("failed", failed).Msg("the upstream answers again")
	}
	return down
}

// count adds a failure of origin, or forgets them, and returns how many there were.
func (j *Journalist) count(origin string, down bool) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	failed := j.failed[origin]
	switch {
	case !down:
		delete(j.failed, origin)
	case j.failed == nil:
		j.failed = map[string]int{origin: 1}
	default:
		j.failed[origin]++
	}
	return failed
}

// cause adds the error: whole at debug, above it only its innermost causes.
func (j *Journalist) cause(e *zerolog.Event, err error) *zerolog.Event {
	if err == nil {
		return e
	}
	if j.Log.GetLevel() <= zerolog.DebugLevel && (j.Threshold == nil || j.Threshold.Level() <= zerolog.DebugLevel) {
		return e.Err(err)
	}
	return e.Str("cause", Cause(err))
}

// Cause is what may be logged of an error at any level: the texts of the errors at
// the ends of its chain, which are sentinels and system errors. Wrappings, which
// may name documents, are left out.
func Cause(err error) string {
	var ends []string
	var walk func(error)
	walk = func(err error) {
		switch x := err.(type) {
		case nil:
		case interface{ Unwrap() []error }:
			for _, inner := range x.Unwrap() {
				walk(inner)
			}
		case interface{ Unwrap() error }:
			if inner := x.Unwrap(); inner != nil {
				walk(inner)
				return
			}
			ends = append(ends, err.Error())
		default:
			ends = append(ends, err.Error())
		}
	}
	walk(err)
	return strings.Join(ends, "; ")
}
