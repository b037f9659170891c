package idmap_test

import (
	"errors"
	"testing"

	"davwopi/idmap"
)

// TestGarbledStringsNameNoRevision: what an editor sends as a timestamp may be any bytes;
// PostgreSQL compares only text.
func TestGarbledStringsNameNoRevision(t *testing.T) {
	each(t, func(w *world) {
		x := w.add("/a.odt")
		for _, text := range []string{"", "\x00", "1.\x00x", "\xff\xfe", "2026-01-01T00:00:00.0000000Z", string(make([]byte, 5000))} {
			if _, err := w.m.RevisionBy(w.ctx(), x.ID, text); !errors.Is(err, idmap.ErrNotFound) {
				t.Errorf("%q: %v", text, err)
			}
		}
		if r, err := w.m.RevisionBy(w.ctx(), x.ID, x.Revision.Version); err != nil || r.Number != x.Revision.Number {
			t.Errorf("its own: %+v %v", r, err)
		}
	})
}
