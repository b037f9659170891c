package main

import (
	"context"
	"errors"
	"time"

	"davwopi/bridge"
	"davwopi/idmap/sqldb"
)

// What one bridge does for all that share a database.

// keepGrants lets the grants of open documents outlive sign-out and expiry (DESIGN
// 8), by telling authority every minute who is in an editing. One bridge does it for all
// that share the database.
func (h *house) keepGrants(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		err := h.db.Turn(ctx, "grants", 45*time.Second, func(ctx context.Context) error {
			members, err := h.locks.Members(ctx)
			if err == nil {
				err = h.tokens.Keep(ctx, members)
			}
			return err
		})
		if err != nil && !errors.Is(err, sqldb.ErrNotNow) && ctx.Err() == nil {
			h.log.Error().Str("cause", bridge.Cause(err)).Msg("grants of open documents could not be kept; it is tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// cleanEvery is how often rows are removed whose time is over; cleanTick how often a bridge
// looks whether another one that should have done it has died.
const (
	cleanEvery = time.Hour
	cleanTick  = time.Minute
)

// clean removes rows whose time is over, now and every hour: one bridge for all that share
// the database.
func (h *house) clean(ctx context.Context) error {
	tick := time.NewTicker(cleanEvery)
	if h.db.Shared() {
		tick.Reset(cleanTick)
	}
	defer tick.Stop()
	for {
		err := h.db.Turn(ctx, "clean", cleanEvery, h.cleanRooms)
		if err != nil && !errors.Is(err, sqldb.ErrNotNow) && ctx.Err() == nil {
			h.log.Error().Str("cause", bridge.Cause(err)).Msg("cleaning failed; it is tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *house) cleanRooms(ctx context.Context) error {
	var faults []error
	for _, room := range []func(context.Context) error{h.sessions.Clean, h.cleanProvider, h.cleanPhones, h.links.Clean, h.tokens.Clean, h.tickets.Clean, h.shares.Clean, h.history.Clean, h.expireIDs} {
		faults = append(faults, room(ctx))
	}
	return errors.Join(faults...)
}
