package saves

import (
	"testing"

	"davwopi/davbackend"
	"davwopi/test/upstream"
)

// strategies are the ways to write; a test of a failure runs with each.
var strategies = []struct {
	name    string
	profile davbackend.Profile
}{
	{"in place", davbackend.Embedded},
	{"temp and MOVE", davbackend.Unknown},
	{"chunked", inChunks},
}

// inChunks is what measuring shows of a Nextcloud with files_lock.
var inChunks = davbackend.Profile{Name: "nextcloud", Conditions: true, Form: davbackend.FormUntagged, MoveCarriesLock: true, Chunked: true}

// blindChunks is the same without conditions.
var blindChunks = davbackend.Profile{Name: "nextcloud, blind", Form: davbackend.FormUntagged, Chunked: true}

func eachStrategy(t *testing.T, f func(t *testing.T, g *rig)) {
	for _, s := range strategies {
		t.Run(s.name, func(t *testing.T) { f(t, newRigFor(t, s.profile)) })
	}
}

// eachStrategyOf is eachStrategy for the n-th of many cases: with -short every second of
// the strategies, and the others for the next case.
func eachStrategyOf(t *testing.T, n int, f func(t *testing.T, g *rig)) {
	for i, s := range strategies {
		if testing.Short() && (i+n)%2 != 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) { f(t, newRigFor(t, s.profile)) })
	}
}

// newRigFor is a rig over the server that has the profile.
func newRigFor(t *testing.T, profile davbackend.Profile) *rig {
	t.Helper()
	if !profile.Chunked {
		return newRig(t, upstream.Strict(t), profile)
	}
	cloud := upstream.Nextcloud(t, "/cloud")
	g := newRig(t, cloud.Server, profile)
	g.cloud = cloud
	return g
}

// pieces makes chunks so small that every save has several.
func (g *rig) pieces() {
	g.chunk = 3
	g.saves.chunk = 3
}
