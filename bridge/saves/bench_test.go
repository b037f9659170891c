package saves

import (
	"bytes"
	"fmt"
	"testing"

	"davwopi/idmap/sqldb/sqldbtest"
)

// BenchmarkSpool is how long it takes until the bytes of a save are durable: written,
// hashed, synced, renamed, and the folder synced.
func BenchmarkSpool(b *testing.B) {
	db := sqldbtest.New(b)
	for _, size := range []int{10 << 10, 100 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := &Saves{Dir: b.TempDir(), DB: db, disk: osDisk()}
			body := bytes.Repeat([]byte("davwopi "), size/8)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if sp, err := s.spool(spoolName(fmt.Sprint(i%8), ""), bytes.NewReader(body), int64(size), int64(size)); err != nil || sp.size != int64(size) {
					b.Fatal(sp, err)
				}
			}
		})
	}
}
