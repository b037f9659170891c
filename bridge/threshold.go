package bridge

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// A Threshold is the level from which lines are written. It is a hook of the logger, so
// that it holds for all that was made from it, and may be changed at any time by anybody.
// The zero Threshold lets debug through.
type Threshold struct{ level atomic.Int32 }

// Set changes the level.
func (t *Threshold) Set(l zerolog.Level) { t.level.Store(int32(l)) }

// Level is the level.
func (t *Threshold) Level() zerolog.Level { return zerolog.Level(t.level.Load()) }

// Run drops a line below the level. It is called by the logger.
func (t *Threshold) Run(e *zerolog.Event, l zerolog.Level, _ string) {
	if l != zerolog.NoLevel && l < t.Level() {
		e.Discard()
	}
}
