package davbackend_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// A save that must not overwrite what somebody else wrote meanwhile.
func ExampleView_Put() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.EscapedPath(), r.ContentLength)
		if r.Header.Get("If") != "" {
			w.WriteHeader(http.StatusPreconditionFailed)
		}
	}))
	defer server.Close()
	base, _ := url.Parse(server.URL + "/dav/")
	client := &davbackend.Client{Base: base, Assumed: davbackend.Embedded}
	defer client.CloseIdle()
	view := client.As(davbackend.Credential{})

	ctx, trips := davbackend.CountTrips(context.Background())
	err := view.Put(ctx, "/Menu #1.odt", body("new"), davbackend.Condition{Token: "urn:uuid:1", ETag: `"seen"`})
	fmt.Println(errors.Is(err, dav.ErrChanged), trips())
	fmt.Println(err)
	// Output:
	// PUT /dav/Menu%20%231.odt 3
	// true 1
	// davbackend: dav: precondition failed: PUT answered 412 Precondition Failed
}
