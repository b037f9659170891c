package main

import (
	"context"
	"io"
	"testing"

	"github.com/rs/zerolog"

	"davwopi/bridge/files"
	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// TestSmallStores are those rooms' that have no suite of their own for both databases.
func TestSmallStores(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		if err := makeTables(ctx, db); err != nil {
			t.Fatal(err)
		}
		info, err := files.NewUserInfo(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"one", "two"} {
			if err := info.Put(ctx, "jo", text); err != nil {
				t.Fatal(err)
			}
			if got, err := info.Get(ctx, "jo"); err != nil || got != text {
				t.Errorf("user info: %q %v", got, err)
			}
		}
		if got, err := info.Get(ctx, "nobody"); err != nil || got != "" {
			t.Errorf("nobody's user info: %q %v", got, err)
		}
		s, err := newSigners(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s.remember("http://office", zerolog.New(io.Discard))
		}
		if seen, err := s.seen(ctx); err != nil || !seen["http://office"] || len(seen) != 1 {
			t.Errorf("editors that sign: %v %v", seen, err)
		}
	})
}
