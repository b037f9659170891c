package sqldb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"davwopi/idmap/sqldb"
)

// A room keeps a counter.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sqldb.Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	err = db.Migrate(ctx, "counter", []string{
		`CREATE TABLE counter (name TEXT {{bytes}} PRIMARY KEY, n BIGINT NOT NULL)`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		err = db.Write(ctx, func(tx sqldb.Queryer) error {
			_, err := tx.Exec(ctx, `INSERT INTO counter (name, n) VALUES (?, 1)
				ON CONFLICT (name) DO UPDATE SET n = counter.n + 1`, "visits")
			return err
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	var n int
	fmt.Println(db.Read().QueryRow(ctx, `SELECT n FROM counter WHERE name = ?`, "visits").Scan(&n), n)
	// Output: <nil> 3
}
