package files_test

import (
	"fmt"
	"testing"

	"davwopi/idmap"
	"davwopi/test/rooms"
)

// Folders of every size are few queries to the database: it keeps a bounded number of
// statements, and those that come when it is full are parsed each time.
func TestFoldersOfEverySizeAreFewQueries(t *testing.T) {
	h := rooms.New(t, nil, nil)
	var all []idmap.FileID
	var editings []int64
	var members []string
	for i := range 200 {
		all, editings = append(all, idmap.FileID(fmt.Sprint("f", i))), append(editings, int64(i))
		members = append(members, fmt.Sprintf("%032d", i))
		_, err := h.Activities.Commented(t.Context(), all)
		h.Must(err)
		_, err = h.Locks.States(t.Context(), all)
		h.Must(err)
		_, err = h.Locks.AfterMoves(t.Context(), all)
		h.Must(err)
		_, err = h.Locks.MembersOf(t.Context(), editings)
		h.Must(err)
		_, err = h.Saves.Standings(t.Context(), all)
		h.Must(err)
		_, err = h.Tokens.People(t.Context(), members)
		h.Must(err)
	}
	if n := len(h.DB.Statements()); n > 100 {
		t.Errorf("%d statements were prepared", n)
	}
}
