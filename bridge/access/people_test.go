package access

import (
	"testing"

	"davwopi/idmap/sqldb/sqldbtest"
)

func TestPeople(t *testing.T) {
	db := sqldbtest.New(t)
	setClock(db)
	tokens := newTokens(t, db)
	_, a, err := tokens.Mint(t.Context(), annasGrant())
	if err != nil {
		t.Fatal(err)
	}
	bs := annasGrant()
	bs.Principal = bert
	_, b, err := tokens.Mint(t.Context(), bs)
	if err != nil {
		t.Fatal(err)
	}
	derived := a
	derived.Derived, derived.File = true, file2
	asked := []string{a.Member(), derived.Member(), b.Member(), "nonsense", "nonsense:" + string(file1), ""}
	for range 300 {
		asked = append(asked, string(fileID('z')))
	}
	got, err := tokens.People(t.Context(), asked)
	if err != nil || len(got) != 3 || got[a.Member()].Key() != anna.Key() || got[derived.Member()].Key() != anna.Key() || got[b.Member()].Key() != bert.Key() {
		t.Errorf("%v, %v", got, err)
	}
	if none, err := tokens.People(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}
