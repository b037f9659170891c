//go:build linux

package localdav_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"davwopi/davbackend/localdav"
	"davwopi/idmap/sqldb"
)

// A folder is served in process: no socket, and every host name is its own.
func Example() {
	dir, err := os.MkdirTemp("", "localdav")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqldb.Open(context.Background(), filepath.Join(dir, "state.db"))
	if err != nil {
		panic(err)
	}
	defer db.Close()
	if err := os.Mkdir(filepath.Join(dir, "documents"), 0o755); err != nil {
		panic(err)
	}
	server, err := localdav.Open(filepath.Join(dir, "documents"), db)
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client := http.Client{Transport: server.RoundTripper()}
	do := func(method, body string, header http.Header) *http.Response {
		r, err := http.NewRequest(method, "http://embedded.invalid/letter.txt", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header = header
		res, err := client.Do(r)
		if err != nil {
			panic(err)
		}
		return res
	}
	first := do("PUT", "Dear", nil)
	first.Body.Close()
	fmt.Println(first.Status)
	// Somebody else saves: the ETag is another's now.
	do("PUT", "Dear Ann", nil).Body.Close()
	late := do("PUT", "Dear Bob", http.Header{"If-Match": first.Header["Etag"]})
	late.Body.Close()
	fmt.Println(late.Status)
	got := do("GET", "", nil)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	fmt.Println(string(text), err)
	// Output:
	// 201 Created
	// 412 Precondition Failed
	// Dear Ann <nil>
}
