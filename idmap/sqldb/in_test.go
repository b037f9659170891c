package sqldb_test

import (
	"slices"
	"testing"

	"davwopi/idmap/sqldb"
	"davwopi/idmap/sqldb/sqldbtest"
)

// Lists of every length find what is in them and nothing else, and make few statements.
func TestIn(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		migrate(t, db, "things", things)
		err := db.Write(t.Context(), func(tx sqldb.Queryer) error {
			for i := range 300 {
				if _, err := tx.Exec(t.Context(), `INSERT INTO thing (name, n) VALUES (?, ?)`, string(rune('a'+i)), i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		before := len(db.Statements())
		var all []int
		for i := range 200 {
			all = append(all, i)
			marks, args := sqldb.In(all)
			rows, err := db.Read().Query(t.Context(), `SELECT n FROM thing WHERE n IN `+marks+` ORDER BY n`, args...)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					t.Fatal(err)
				}
				got = append(got, n)
			}
			if err := rows.Err(); err != nil || !slices.Equal(got, all) {
				t.Fatalf("of %d: %v, %v", len(all), got, err)
			}
			rows.Close()
		}
		if n := len(db.Statements()) - before; n > 9 {
			t.Errorf("%d statements were prepared", n)
		}
	})
}
