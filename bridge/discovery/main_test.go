package discovery_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// Every fetch must have ended when the tests have.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(run{m})
}

// run closes the connections that the default client keeps for later.
type run struct{ m *testing.M }

func (r run) Run() int {
	code := r.m.Run()
	http.DefaultClient.CloseIdleConnections()
	return code
}
