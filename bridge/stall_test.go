package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
)

// stallRig serves a bridge with a small limit over a socket. What became of a
// handler comes out of the channel.
func stallRig(t *testing.T, limit time.Duration) (address string, ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	b := testBridge(io.Discard)
	b.Stall = limit
	b.Rooms = []Mounter{room(func(m *mux.Router) {
		m.HandleFunc("/read", func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
		})
		m.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })
		m.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
				err = r.Context().Err()
			case <-time.After(3 * b.Stall):
			}
			ended <- err
		})
		m.HandleFunc("/send", func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for piece := make([]byte, 1<<16); err == nil; {
				_, err = w.Write(piece)
			}
			ended <- err
		})
	})}
	server := httptest.NewServer(b.Handler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), ended
}

func send(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func within(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("it is held for ever")
		return nil
	}
}

const post = "POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n"

func TestABodyThatStallsIsEnded(t *testing.T) {
	for _, length := range []string{"Content-Length: 4294967295", "Transfer-Encoding: chunked"} {
		address, ended := stallRig(t, 80*time.Millisecond)
		send(t, address, fmt.Sprintf(post, "/read", length)+"3\r\nabc")
		if err := within(t, ended); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", length, err)
		}
	}
}

func TestABodyThatDripsIsEnded(t *testing.T) {
	address, ended := stallRig(t, 80*time.Millisecond)
	c := send(t, address, fmt.Sprintf(post, "/read", "Content-Length: 1000000"))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		case <-tick.C:
			_, _ = io.WriteString(c, "x") // it may be closed already
		}
	}
	t.Error("a byte at a time holds it for ever")
}

func TestARefusedBodyThatStallsIsEnded(t *testing.T) {
	address, _ := stallRig(t, 80*time.Millisecond)
	c := send(t, address, fmt.Sprintf(post, "/refuse", "Transfer-Encoding: chunked")+"3\r\nab")
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 409") {
		t.Errorf("%v %.40q", err, answer)
	}
}

func TestABodyThatComesSlowlyArrives(t *testing.T) {
	// Half a second between two pieces is a busy machine's, not a stall.
	address, ended := stallRig(t, 500*time.Millisecond)
	const piece, pieces = 1000, 8
	c := send(t, address, fmt.Sprintf(post, "/read", fmt.Sprintf("Content-Length: %d", piece*pieces)))
	for range pieces {
		time.Sleep(80 * time.Millisecond)
		if _, err := io.WriteString(c, strings.Repeat("x", piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := within(t, ended); err != nil {
		t.Error(err)
	}
}

func TestWorkAfterTheBodyHasNoLimit(t *testing.T) {
	address, ended := stallRig(t, 80*time.Millisecond)
	c := send(t, address, fmt.Sprintf(post, "/slow", "Content-Length: 3")+"abc")
	if err := within(t, ended); err != nil {
		t.Errorf("the request was ended while we worked: %v", err)
	}
	// And the connection serves the next request.
	answer := bufio.NewReader(c)
	for _, next := range []string{fmt.Sprintf(post, "/refuse", "Content-Length: 0"), ""} {
		response, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, next); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAnswerThatNobodyTakesIsEnded(t *testing.T) {
	address, ended := stallRig(t, 80*time.Millisecond)
	send(t, address, "GET /send HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := within(t, ended); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
