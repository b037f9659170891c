package docsapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
)

// A Probe is what trying both directions with a document server has shown.
type Probe struct {
	Version string // of the document server, "" it does not say
	Err     error  // of asking for it: [ErrSecret], [ErrDown]
	License License
	Asked   bool  // it was told to fetch an address of ours
	Came    bool  // and has come there
	Token   error // what is wrong with the token that it showed then; nil: nothing
}

// probes are the addresses at which document servers are expected.
type probes struct {
	mu      sync.Mutex
	waiting map[string]*arrived // by number; guarded by mu
}

type arrived struct {
	server  *Server
	address string
	came    bool
	token   error
}

// Probe asks a document server for its version, and has it fetch an address of ours: as
// the source of a conversion of a few bytes, which it does like any other.
func (d *Docs) Probe(ctx context.Context, editor string) Probe {
	var p Probe
	server, err := d.server(editor)
	if err != nil {
		return Probe{Err: err}
	}
	asking, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	if p.Version, p.Err = server.Version(asking); p.Err != nil {
		return p
	}
	// One that does not say counts as valid: there is nothing to be done about it.
	if p.License, err = server.License(asking); err != nil {
		p.License = License{Valid: true}
	}
	number := strings.ToLower(rand.Text())
	expected := &arrived{server: server, address: d.URLs.WOPI.JoinPath("docsapi", "probe", number).String()}
	d.probes.mu.Lock()
	d.probes.waiting[number] = expected
	d.probes.mu.Unlock()
	defer func() {
		d.probes.mu.Lock()
		delete(d.probes.waiting, number)
		d.probes.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	p.Asked = true
	// What becomes of the conversion does not matter: only whether it came for the source.
	_, _ = server.ConvertWhole(ctx, Conversion{Key: "probe-" + number, FileType: "txt", Output: "pdf", URL: expected.address, Title: "probe.pdf"})
	d.probes.mu.Lock()
	defer d.probes.mu.Unlock()
	p.Came, p.Token = expected.came, expected.token
	return p
}

// serveProbe is GET /docsapi/probe/{number}: 404 for every number that is not expected
// this very moment.
func (d *Docs) serveProbe(w http.ResponseWriter, r *http.Request) {
	number := mux.Vars(r)["number"]
	d.probes.mu.Lock()
	expected := d.probes.waiting[number]
	d.probes.mu.Unlock()
	if expected == nil {
		http.NotFound(w, r)
		return
	}
	fault := expected.server.checkGet(r, expected.address)
	d.probes.mu.Lock()
	expected.came, expected.token = true, fault
	d.probes.mu.Unlock()
	_, _ = pour(w, r, strings.NewReader("davwopi\n"), 8, "probe.txt") // who hung up has come all the same
}
