package saves

import (
	"errors"
	"fmt"
)

// ErrNearlyFull is returned by [Saves.Ready] while the disk of the journal has so little
// room that no save waits on it any more. Saves themselves are still tried.
var ErrNearlyFull = errors.New("saves: the disk of the journal is nearly full")

// Ready reports whether the journal has a disk with room; nil as well where its bytes
// are in the database. It asks the file system and writes nothing.
func (s *Saves) Ready() error {
	if s.DB.Shared() && s.InDatabase {
		return nil
	}
	room, err := s.disk.room(s.spools())
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return fmt.Errorf("saves: looking at the disk of the journal: %w", err)
	case room.nearlyFull():
		return ErrNearlyFull
	}
	return nil
}
