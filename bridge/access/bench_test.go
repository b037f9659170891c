package access

import (
	"testing"

	"davwopi/idmap/sqldb/sqldbtest"
)

// BenchmarkOpen is what the check of an access token costs: one that is stored, one that is
// derived from it, and one that nobody has made.
func BenchmarkOpen(b *testing.B) {
	tokens := newTokens(b, sqldbtest.New(b))
	stored, grant, err := tokens.Mint(b.Context(), annasGrant())
	if err != nil {
		b.Fatal(err)
	}
	derived := tokens.Derive(grant, file2)
	b.Run("stored", func(b *testing.B) {
		for b.Loop() {
			if _, err := tokens.Open(b.Context(), stored, file1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("derived", func(b *testing.B) {
		for b.Loop() {
			if _, err := tokens.Open(b.Context(), derived, file2); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unknown", func(b *testing.B) {
		wrong := stored[:len(stored)-2] + "xx"
		for b.Loop() {
			if _, err := tokens.Open(b.Context(), wrong, file1); err == nil {
				b.Fatal("it was opened")
			}
		}
	})
}
