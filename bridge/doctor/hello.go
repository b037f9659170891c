package doctor

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/gorilla/mux"
)

// maxHello bounds the body of a greeting, in bytes.
const maxHello = 4 << 20

// An arrival is a request of ours as it came back to us.
type arrival struct {
	host  string     // Host header
	proto string     // the scheme that we believe
	peer  netip.Addr // whom we take for the one who asks; invalid: not known
	named bool       // a trusted proxy has named peer, which has no port then
	size  int64      // bytes of the body that came
}

// greetings are the requests that we expect to come back. The zero value is ready.
type greetings struct {
	mu      sync.Mutex
	waiting map[string]*arrival // by number; nil until it came; guarded by mu
}

// expect makes a number that nobody can guess. forget takes it back.
func (g *greetings) expect() (number string, forget func()) {
	number = rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.waiting = make(map[string]*arrival)
	}
	g.waiting[number] = nil
	return number, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.waiting, number)
	}
}

// arrived is how the last request with number came; false: none has.
func (g *greetings) arrived(number string) (arrival, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.waiting[number]
	if a == nil {
		return arrival{}, false
	}
	return *a, true
}

// Mount adds the address at which our own requests come back. It answers 404 to every
// number that is not expected this very moment.
func (d *Doctor) Mount(r *mux.Router) {
	r.Methods(http.MethodGet, http.MethodPost).Path("/doctor/hello/{number}").HandlerFunc(d.serveHello)
}

func (d *Doctor) serveHello(w http.ResponseWriter, r *http.Request) {
	number := mux.Vars(r)["number"]
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	d.hello.mu.Lock()
	_, expected := d.hello.waiting[number]
	d.hello.mu.Unlock()
	if !expected {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a := arrival{host: r.Host, proto: r.Header.Get("X-Forwarded-Proto")}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a.peer, a.named = at.Addr().Unmap(), at.Port() == 0
	}
	size, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxHello))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.size = size
	d.hello.mu.Lock()
	if _, still := d.hello.waiting[number]; still {
		d.hello.waiting[number] = &a
	}
	d.hello.mu.Unlock()
	_, _ = io.WriteString(w, "davwopi\n") // whoever asked knows by the status
}

// helloURL is the address of a greeting below one of our own.
func helloURL(base *url.URL, number string) string {
	return base.JoinPath("doctor", "hello", number).String()
}
