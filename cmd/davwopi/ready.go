package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/saves"
)

// healthy asks the state database.
func (h *house) healthy() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := h.db.Now(ctx)
	return err
}

// ready looks at the parts without asking anybody outside: of servers it tells what the
// last requests have shown, since anybody may ask.
func (h *house) ready(context.Context) []bridge.Part {
	state := bridge.Part{Name: "state", Vital: true}
	if err := h.healthy(); err != nil {
		state.Wrong = "the database does not answer"
		h.log.Error().Str("cause", bridge.Cause(err)).Msg("state database")
	}
	journal := bridge.Part{Name: "saves"}
	if err := h.saves.Ready(); errors.Is(err, saves.ErrNearlyFull) {
		journal.Wrong = "the disk is nearly full; nothing waits here while the upstream is down"
	} else if err != nil {
		journal.Wrong, journal.Vital = "the disk of the journal cannot be read", true
	}
	silent := 0
	for _, up := range h.upstreams.List {
		if !up.Client.Silent().IsZero() {
			silent++
		}
	}
	down, editors := 0, h.editors.Status()
	for _, st := range editors {
		if st.Err != nil {
			down++
		}
	}
	return []bridge.Part{state, journal, {Name: "upstreams", Wrong: some(silent, len(h.upstreams.List))},
		{Name: "editors", Wrong: some(down, len(editors))}}
}

// some says how many of several do not answer; "" none.
func some(n, of int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d did not answer the last time", n, of)
}
