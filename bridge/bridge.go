package bridge

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"
)

// A Mounter is a room that adds its routes.
type Mounter interface {
	Mount(r *mux.Router)
}

// A Bridge is the assembled house. All fields are set before use; it may be used
// concurrently.
type Bridge struct {
	// Rooms add their routes in this order.
	Rooms []Mounter

	// DAV is the embedded upstream behind app passwords, mounted at /dav/; nil if
	// it is not exposed.
	DAV http.Handler

	// Hosts are the names under which requests may arrive, without port, lower
	// case. Loopback names are allowed if Loopback is true.
	Hosts    []string
	Loopback bool

	// Prefix is the path of public_url, without a slash at its end. It is taken off
	// where the reverse proxy left it on.
	Prefix string

	// Origins are the origins of our own pages (scheme://host[:port]).
	Origins []string

	// TrustedProxies are believed about the peer and the scheme.
	TrustedProxies []netip.Prefix

	// Identity are the headers in which a trusted proxy says who somebody is. They are
	// removed from all other requests, judged by the address of the connection.
	Identity []string

	// Stall ends a request of which the client sends or takes nothing for so long; 0:
	// a minute.
	Stall time.Duration

	// Healthy reports what is wrong with the state database; nil if nothing.
	Healthy func() error

	// Ready are the parts that /readyz tells of.
	Ready func(ctx context.Context) []Part

	// Observe hears of every request after its answer: which part of the house it was for (a word of few), the
	// status, and the time. Nil: nobody listens.
	Observe func(r *http.Request, part string, status int, took time.Duration)

	// Commands are what the admin socket offers, by path.
	Commands map[string]Command

	// Refuse answers people whose requests reach no room with a page; why is host, path, foreign or broken. Nil: all
	// get a line of text, as programs do.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, why string)

	Version string
	Log     zerolog.Logger
}

// Handler is everything that the public listener serves.
func (b *Bridge) Handler() http.Handler {
	routes := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, room := range b.Rooms {
		room.Mount(routes)
	}
	guarded := b.crossOrigin(routes)

	top := http.NewServeMux()
	top.HandleFunc("GET /healthz", b.health)
	top.HandleFunc("GET /readyz", b.ready)
	top.Handle("/", b.checkHost(guarded))
	if b.DAV != nil {
		// Before mux: it must see methods and paths as they came.
		top.Handle("/dav/", b.checkHost(b.DAV))
	}
	return b.number(b.protect(b.observe(b.recover(b.progress(b.believe(b.noRedirect(b.stripPrefix(top))))))))
}

// stripPrefix takes the path of public_url off. The request line itself
// (RequestURI) stays as the editor signed it.
func (b *Bridge) stripPrefix(next http.Handler) http.Handler {
	if b.Prefix == "" {
		return next
	}
	inside := http.StripPrefix(b.Prefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, b.Prefix+"/") {
			inside.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noRedirect keeps http.ServeMux from redirecting to a cleaned path: paths with
// "." or ".." segments, or with empty ones, name nothing of ours.
func (b *Bridge) noRedirect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isClean(r.URL.Path) {
			b.refuse(w, r, http.StatusBadRequest, refusedPath, "no such page")
			return
		}
		next.ServeHTTP(w, r)
	})
}
