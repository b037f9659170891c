package endpoint_test

import (
	"net/http"
	"testing"
	"time"

	"davwopi/davbackend"
)

// A sluice holds each PROPFIND until it is let go.
type sluice struct {
	http.RoundTripper
	came chan chan struct{} // each is closed by whoever lets the request go
}

func (s *sluice) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == "PROPFIND" {
		held := make(chan struct{})
		select {
		case s.came <- held:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		<-held
	}
	return s.RoundTripper.RoundTrip(r)
}

// TestWhoMayJoin: two editors that open one document at the same time are one PROPFIND;
// whoever takes a lock asks for itself.
func TestWhoMayJoin(t *testing.T) {
	r := newRig(t)
	r.server.Write(t, "a.txt", "hello")
	e := r.at("/a.txt")
	token, _ := r.open(e, "s1")
	h := r.handler(e, "")
	up := r.Upstreams.List[0].Client
	s := &sluice{RoundTripper: up.Transport, came: make(chan chan struct{})}
	if up.Transport == nil {
		own := davbackend.NewTransport()
		t.Cleanup(own.CloseIdleConnections)
		s.RoundTripper = own
	}
	up.Transport, up.Join = s, true
	ask := func(method, override, lock string) <-chan int {
		answer := make(chan int, 1)
		go func() { answer <- r.ask(h, method, token, override, lock) }()
		return answer
	}
	// answered lets come through what comes, and returns how many until all have an answer.
	answered := func(all ...<-chan int) (more int) {
		for _, answer := range all {
			for waits := true; waits; {
				select {
				case held := <-s.came:
					more++
					close(held)
				case status := <-answer:
					waits = false
					if status != http.StatusOK {
						t.Fatalf("answered %d", status)
					}
				}
			}
		}
		return more
	}
	joined := false
	for end := time.Now().Add(time.Minute); !joined; { // whether the second comes in time cannot be seen from here
		if time.Now().After(end) {
			t.Fatal("nobody joins")
		}
		first := ask(http.MethodGet, "", "")
		held := <-s.came
		second := ask(http.MethodGet, "", "")
		time.AfterFunc(10*time.Millisecond, func() { close(held) })
		joined = answered(first, second) == 0
	}

	first := ask(http.MethodGet, "", "")
	held := <-s.came
	lock := ask(http.MethodPost, "LOCK", "lock-1")
	select {
	case own := <-s.came: // though the look of the first is on its way
		close(own)
	case <-time.After(time.Minute):
		t.Fatal("Lock takes the answer to somebody else's question")
	}
	close(held)
	answered(first, lock)
}
