package wire

import (
	"testing"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
)

// TestTrips: how many requests to the upstream each operation costs at most (DESIGN
// 13, first line). With latency these numbers are the speed.
func TestTrips(t *testing.T) {
	all := newOffices(t)
	for _, row := range []struct {
		name    string
		profile davbackend.Profile
		plain   bool // no lock files are looked for or written
		most    map[wopi.Operation]int
	}{
		{"in place", davbackend.Embedded, true, map[wopi.Operation]int{
			wopi.OpCheckFileInfo: 1, wopi.OpGetFile: 1, wopi.OpLock: 3, wopi.OpRefreshLock: 0, wopi.OpGetLock: 0,
			wopi.OpPutFile: 3, wopi.OpUnlockAndRelock: 0, wopi.OpUnlock: 1,
		}},
		{"in place, with lock files", davbackend.Embedded, false, map[wopi.Operation]int{
			wopi.OpCheckFileInfo: 1, wopi.OpGetFile: 1, wopi.OpLock: 3 + 2 + 1, wopi.OpRefreshLock: 0, wopi.OpGetLock: 0,
			wopi.OpPutFile: 3, wopi.OpUnlockAndRelock: 0, wopi.OpUnlock: 1 + 2,
		}},
		{"temp and MOVE", davbackend.Unknown, true, map[wopi.Operation]int{
			wopi.OpCheckFileInfo: 1, wopi.OpGetFile: 1, wopi.OpLock: 3, wopi.OpRefreshLock: 0, wopi.OpGetLock: 0,
			wopi.OpPutFile: 5, wopi.OpUnlockAndRelock: 0, wopi.OpUnlock: 1,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t, all, row.profile, func(h *house) { h.quiet, h.blind = row.plain, row.plain })
			defer h.complain(t)
			h.server.Write(t, "a.txt", before)
			c := h.open(h.at("/a.txt"), wopi.Microsoft, anna)
			s, err := c.Open(t.Context())
			h.must(err)
			// The first save of an editing may read what it replaces; that is extra.
			for i, body := range []string{"one", "two", "three"} {
				if i == 1 {
					h.forgetLines(4) // three of the opening, and the save
				}
				a, err := s.Save(t.Context(), []byte(body), false)
				if err != nil || a.Status != 200 {
					t.Fatalf("PutFile: %v %v", a, err)
				}
			}
			_, err = c.CheckFileInfo(t.Context())
			h.must(err)
			for _, do := range []func() error{
				func() error { _, err := c.GetFile(t.Context(), -1); return err },
				func() error { _, err := c.GetLock(t.Context()); return err },
				func() error { _, err := c.RefreshLock(t.Context(), s.LockID); return err },
				func() error { _, err := c.UnlockAndRelock(t.Context(), s.LockID, "another"); return err },
				func() error { _, err := c.Unlock(t.Context(), "another"); return err },
				func() error { _, err := c.Lock(t.Context(), "a third"); return err },
			} {
				h.must(do())
			}
			counted := map[wopi.Operation]int{}
			for _, l := range h.forgetLines(9) {
				if l.Status != 200 {
					t.Errorf("%s: answered %d: %v", l.Operation, l.Status, l.Err)
				}
				counted[l.Operation] = max(counted[l.Operation], l.Trips)
			}
			for op, most := range row.most {
				n, asked := counted[op]
				if !asked {
					t.Errorf("%s was not asked", op)
				}
				if n > most {
					t.Errorf("%s costs %d requests to the upstream, at most %d are allowed", op, n, most)
				}
				t.Logf("%s: %d", op, n)
			}
		})
	}
}
