package bridge

import (
	"cmp"
	"fmt"
	"net/http"
)

// A Part is something that the bridge needs, as /readyz tells of it.
type Part struct {
	Name string // of the part, never of a server or a person: anybody may ask
	// Wrong says in a few words of ours what is wrong; "" nothing.
	Wrong string
	// Vital parts make the bridge unready. Others are told of only: a bridge whose
	// upstream is down still takes saves, and nothing is better served by another one.
	Vital bool
}

// health answers whether this process should live: 200, or 503 if it cannot reach its own
// state.
func (b *Bridge) health(w http.ResponseWriter, _ *http.Request) {
	plain(w)
	if err := b.Healthy(); err != nil {
		b.Log.Error().Str("cause", Cause(err)).Msg("state database")
		http.Error(w, "state database", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok", b.Version)
}

// ready answers whether requests should be sent here, a line for each part.
func (b *Bridge) ready(w http.ResponseWriter, r *http.Request) {
	plain(w)
	status, first, text := http.StatusOK, "ready", ""
	for _, p := range b.Ready(r.Context()) {
		text += fmt.Sprintf("%s: %s\n", p.Name, cmp.Or(p.Wrong, "ok"))
		if p.Vital && p.Wrong != "" {
			status, first = http.StatusServiceUnavailable, "not ready"
		}
	}
	w.WriteHeader(status)
	fmt.Fprint(w, first, "\n", text)
}

func plain(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
}
