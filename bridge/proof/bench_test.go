package proof_test

import (
	"testing"

	"davwopi/bridge/proof"
)

// BenchmarkCheck is what each signed request costs: by the current key, and by the old one
// while an editor changes its keys.
func BenchmarkCheck(b *testing.B) {
	keys := vectorKeys(b)
	for _, c := range []struct {
		name string
		keys proof.Keys
	}{{"current", keys}, {"rotated", proof.Keys{Current: keys.Old, Old: keys.Current}}} {
		b.Run(c.name, func(b *testing.B) {
			r := vectorRequest()
			for b.Loop() {
				if rotated, err := c.keys.Check(r, vectorTime); err != nil || rotated != (c.name == "rotated") {
					b.Fatal(err)
				}
			}
		})
	}
}
