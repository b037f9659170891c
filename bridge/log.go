package bridge

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"davwopi/bridge/endpoint"
	"davwopi/davbackend/dav"
)

// A Journalist writes log lines for the rooms. It may be used concurrently.
type Journalist struct {
	Log zerolog.Logger

	mu     sync.Mutex
	failed int // requests since the upstream stopped answering; guarded by mu
}

// WOPI logs one request of an editor. What the editor did wrong is info, what we
// or the upstream did wrong is an error, a success is debug.
func (j *Journalist) WOPI(ctx context.Context, l endpoint.Line) {
	if j.outage(l.Err, l.Trips) {
		return
	}
	e := j.Log.WithLevel(level(l.Status))
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

// Page logs a page that could not be shown as it was asked for.
func (j *Journalist) Page(r *http.Request, err error) {
	if err == nil || j.outage(err, 0) {
		return
	}
	status := endpoint.Refusal(err).Status
	e := j.Log.WithLevel(level(status)).Str("request", requestNumber(r.Context())).Str("method", r.Method)
	j.cause(e, err).Msg("page")
}

// Loop logs a fault of a background loop.
func (j *Journalist) Loop(what string, err error) {
	if j.outage(err, 0) {
		return
	}
	j.cause(j.Log.Error().Str("loop", what), err).Msg("background work failed; it is tried again")
}

func level(status int) zerolog.Level {
	switch {
	case status >= 500 && status != http.StatusNotImplemented:
		return zerolog.ErrorLevel
	case status >= 400:
		return zerolog.InfoLevel
	}
	return zerolog.DebugLevel
}

// outage counts failures of an upstream that does not answer: the first is logged
// as an error, the others are counted until it answers again. It reports whether
// the line is done with.
func (j *Journalist) outage(err error, trips int) bool {
	down := errors.Is(err, dav.ErrUnavailable)
	if !down && (err != nil || trips == 0) {
		return false
	}
	j.mu.Lock()
	failed := j.failed
	if down {
		j.failed++
	} else {
		j.failed = 0
	}
	j.mu.Unlock()
	switch {
	case down && failed == 0:
		j.cause(j.Log.Error(), err).Msg("the upstream does not answer; further failures are counted")
	case !down && failed > 0:
		j.Log.Info().Int("failed", failed).Msg("the upstream answers again")
	}
	return down
}

// cause adds the error: whole at debug, above it only its innermost causes.
func (j *Journalist) cause(e *zerolog.Event, err error) *zerolog.Event {
	if err == nil {
		return e
	}
	if j.Log.GetLevel() <= zerolog.DebugLevel {
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
