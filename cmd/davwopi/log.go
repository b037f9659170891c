package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"davwopi/bridge"
	"davwopi/bridge/endpoint"
	"davwopi/config"
)

// newLog writes to w as configured. The threshold changes what is written.
func newLog(c *config.Config, w io.Writer) (zerolog.Logger, *bridge.Threshold) {
	level, err := zerolog.ParseLevel(c.Log.Level)
	if err != nil {
		level = zerolog.InfoLevel // config has checked it
	}
	loud := &bridge.Threshold{}
	loud.Set(level)
	if c.Log.Format != "json" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.RFC3339, NoColor: true}
	}
	return zerolog.New(w).Level(zerolog.DebugLevel).Hook(loud).With().Timestamp().Logger(), loud
}

// heard logs and counts requests of editors.
func (h *house) heard(j *bridge.Journalist) func(context.Context, endpoint.Line) {
	return func(ctx context.Context, l endpoint.Line) {
		h.counters.WOPI(l)
		h.editorDeed(ctx, l)
		h.remember(ctx, l)
		j.WOPI(ctx, l)
	}
}

// observed logs and counts all requests.
func (h *house) observed(j *bridge.Journalist) func(*http.Request, string, int, time.Duration) {
	return func(r *http.Request, part string, status int, took time.Duration) {
		h.counters.Request(part, status, took)
		j.Request(r.Context(), r.Method, part, status, took)
	}
}

type logLevelArguments struct{ Level string } // "": only tell

type logLevelResult struct{ Level, Configured string }

// logLevel tells or changes what is logged until the next start.
func (h *house) logLevel(_ context.Context, in logLevelArguments) (logLevelResult, error) {
	switch in.Level {
	case "":
	case "error", "warn", "info", "debug":
		level, err := zerolog.ParseLevel(in.Level)
		if err != nil {
			return logLevelResult{}, err
		}
		h.loud.Set(level)
		h.log.WithLevel(zerolog.NoLevel).Str("level", in.Level).Msg("the operator changed what is logged")
	default:
		return logLevelResult{}, fmt.Errorf("%q is no level; error, warn, info and debug are", in.Level)
	}
	return logLevelResult{h.loud.Level().String(), h.config.Log.Level}, nil
}

// logLevelCommand is davwopi log-level.
func logLevelCommand(ctx context.Context, k *call) error {
	rest, err := k.parse(0, 1)
	if err != nil {
		return err
	}
	var in logLevelArguments
	if len(rest) == 1 {
		in.Level = rest[0]
	}
	var out logLevelResult
	if err := k.ask(ctx, "log-level", in, &out); err != nil {
		return err
	}
	fmt.Fprintf(k.stdout, "the daemon logs from %s on", out.Level)
	if out.Level != out.Configured {
		fmt.Fprintf(k.stdout, ", until its next start (log.level is %s)", out.Configured)
	}
	fmt.Fprintln(k.stdout)
	return nil
}
