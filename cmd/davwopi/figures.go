package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"

	"davwopi/bridge"
	"davwopi/bridge/metrics"
)

// listenFigures opens the address of /metrics; nil if there is none.
func (h *house) listenFigures() (net.Listener, error) {
	address := h.config.Metrics.Listen
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for metrics: %w", address, err)
	}
	h.log.Info().Str("address", "http://"+l.Addr().String()+"/metrics").Msg("figures for Prometheus")
	return l, nil
}

// figures is what is served there.
func (h *house) figures() http.Handler {
	page := (&metrics.Metrics{
		Saves: h.saves, Locks: h.locks, IDs: h.ids, Editors: h.editors, Upstreams: h.upstreams,
		Counters: h.counters, Version: buildVersion(),
		OnError: func(what string, err error) {
			h.log.Error().Str("cause", bridge.Cause(err)).Msg(what + " for the metrics failed")
		},
	}).Handler()
	if !h.config.Metrics.Profiles {
		return page
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// undoBytes is how much of what saves replace is kept, in the journal's words.
func (h *house) undoBytes() int64 {
	if !h.config.Saves.Undo {
		return -1
	}
	return int64(h.config.Saves.UndoSize)
}

// closeAll closes listeners that are not served.
func closeAll(err error, listeners ...net.Listener) error {
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}
