package saves

import (
	"context"
	"fmt"
	"sync"
)

// trimAtOnce is how many of the oldest pre-images are read at a time.
const trimAtOnce = 32

// An allowance is how many bytes of pre-images may come in before they have to be counted
// again: at least so many are left. What goes away since makes the rest larger, never
// smaller. It begins with a count.
type allowance struct {
	mu   sync.Mutex
	left int64
}

// recount makes the next trim count, for pre-images that came in otherwise than by a save.
func (m *allowance) recount() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = -1
}

// trim keeps the pre-images below their limit, the one replaced first goes first, but for
// the newest, which is in use. Only what may not have room is counted: each save comes here.
func (s *Saves) trim(ctx context.Context, newest *row) error {
	m := s.preRoom
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left -= newest.size; m.left >= 0 {
		return nil
	}
	var total int64
	err := s.DB.Read().QueryRow(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM saves_entry WHERE store = ? AND state = ?`,
		s.store, statePreimage).Scan(&total)
	if err != nil {
		return fmt.Errorf("saves: counting pre-images: %w", err)
	}
	if total > s.preBytes {
		if total, err = s.forgetOldest(ctx, newest, total); err != nil {
			return err
		}
	}
	m.left = s.preBytes - total
	return nil
}

// forgetOldest forgets pre-images, of which there are total bytes, until those that are
// left are few enough, and returns how many bytes these are.
func (s *Saves) forgetOldest(ctx context.Context, newest *row, total int64) (int64, error) {
	for passed := 0; ; { // over those that are in use
		some, err := s.oldest(ctx, passed)
		if err != nil || len(some) == 0 {
			return total, err
		}
		for _, r := range some {
			if r.id == newest.id || !s.live.take(r.id) {
				passed++
				continue
			}
			err := s.forget(ctx, r)
			s.live.leave(r.id)
			if err != nil {
				return total, err
			}
			if total -= r.size; total <= s.preBytes {
				return total, nil
			}
		}
	}
}

// oldest are the pre-images that were replaced first, but for so many.
func (s *Saves) oldest(ctx context.Context, skip int) ([]*row, error) {
	rows, err := s.DB.Read().Query(ctx, `SELECT num, `+columns+` FROM saves_entry WHERE store = ? AND state = ?
		ORDER BY changed, num LIMIT ? OFFSET ?`, s.store, statePreimage, trimAtOnce, skip)
	return rowsIn(rows, err)
}
