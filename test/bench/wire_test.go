package bench

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// slow is a wire to a server that is far away: whatever is said arrives half of delay
// later at the other end, and as much may be on its way as anybody can say in that time.
// It returns the address of the near end, which is there until the test ends.
func slow(t testing.TB, address string, delay time.Duration) string {
	t.Helper()
	far := parsed(t, address)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{far: far.Host, half: delay / 2, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.cut()
		running.Wait()
	})
	return (&url.URL{Scheme: far.Scheme, Host: l.Addr().String(), Path: far.Path}).String()
}

type wire struct {
	far  string
	half time.Duration

	mu   sync.Mutex
	open map[net.Conn]bool // guarded by mu; nil: the wire is cut
}

// keep remembers connections that cut closes; false if that has happened.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.open != nil {
			w.open[c] = true
		}
	}
	return w.open != nil
}

func (w *wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(w.open, c)
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		c.Close()
	}
	w.open = nil
}

// carry connects a caller. That takes once there and back, too.
func (w *wire) carry(near net.Conn) {
	far, err := net.Dial("tcp", w.far)
	if err != nil {
		near.Close()
		return
	}
	defer w.drop(near, far)
	if !w.keep(near, far) {
		return
	}
	time.Sleep(2 * w.half) // this is the latency itself
	var both sync.WaitGroup
	both.Go(func() { w.pump(far, near) })
	both.Go(func() { w.pump(near, far) })
	both.Wait()
}

// A chunk is on its way.
type chunk struct {
	due   time.Time
	bytes []byte
}

// pump carries what from says, until it has nothing more to say.
func (w *wire) pump(to, from net.Conn) {
	way := make(chan chunk, 1024) // 64 MiB
	go func() {
		defer close(way)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				way <- chunk{time.Now().Add(w.half), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	broken := false
	for c := range way {
		if broken {
			continue
		}
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.bytes); err != nil {
			broken = true
			from.Close()
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may be closed altogether
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // says everything back
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	const delay, round, size = 40 * time.Millisecond, 3, 8 << 20
	c, err := net.Dial("tcp", parsed(t, slow(t, "http://"+l.Addr().String()+"/dav/", delay)).Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	for range round {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < (round+1)*delay {
		t.Errorf("%d rounds and a connection took %v", round, took)
	}
	sent := content{serial: 7, size: size}
	go func() { _, _ = io.Copy(c, sent.reader()) }()
	for at, b := 0, make([]byte, 1<<20); at < size; at += len(b) {
		want := make([]byte, len(b))
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		if _, err := sent.ReadAt(want, int64(at)); err != nil || string(b) != string(want) {
			t.Fatalf("other bytes at %d, %v", at, err)
		}
	}
}
