package localdav

import (
	"context"
	"time"

	"davwopi/davbackend/dav"
)

// A seen is everything about one resource that a condition or an answer needs.
type seen struct {
	place
	info
	row  binding
	etag string
}

// sight looks at p. Its errors are those of [tree.resolve] and [tree.stat].
func (s *Server) sight(ctx context.Context, p dav.Path) (seen, error) {
	pl, err := s.tree.resolve(p)
	if err != nil {
		return seen{place: pl}, err
	}
	return s.sightAt(ctx, pl)
}

func (s *Server) sightAt(ctx context.Context, pl place) (seen, error) {
	for try := 0; ; try++ {
		i, err := s.tree.stat(pl)
		if err != nil {
			return seen{place: pl}, err
		}
		b, err := s.state.known(ctx, s.state.db.Read(), i.identity)
		if err != nil {
			return seen{place: pl}, err
		}
		// A file that is written all the time, a log, never comes to rest.
		if wait := b.racy(i); wait > 0 && try < 3 {
			if err := sleep(ctx, wait); err != nil {
				return seen{place: pl}, err
			}
			continue
		}
		return seen{pl, i, b, s.state.etag(i, b)}, nil
	}
}

// id is the resource id, "" where a file cannot be told from a later one with its inode.
func (o seen) id() string {
	if !o.info.lasting() {
		return ""
	}
	return o.row.at(keyOf(o.real))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
