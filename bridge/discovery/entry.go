package discovery

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"davwopi/bridge/proof"
)

const (
	freshFor     = 12 * time.Hour   // a document is used without asking again
	retryAfter   = 30 * time.Second // after a failed fetch
	refetchAfter = time.Minute      // between fetches that failed proofs cause
	fetchTimeout = 10 * time.Second
)

// An entry is what is known of one editor.
type entry struct {
	editor   Editor
	http     *http.Client
	remember func(string)

	mu        sync.Mutex
	doc       *document     // last good; nil: none yet
	fetched   time.Time     // of doc
	failed    time.Time     // of the last attempt, if it failed
	err       error         // of the last attempt
	refetched time.Time     // when Refetch last asked
	last      proof.Keys    // last ones seen
	signs     bool          // keys were seen, now or ever
	flight    chan struct{} // closed when the fetch under way is over; nil: none
	hits      uint64        // how often the document was there
	fetches   uint64        // how often the editor was asked
}

func (n *entry) cached() *document {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.doc
}

func (n *entry) keys() (k proof.Keys, signs bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last, n.signs
}

func (n *entry) status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Status{Fetched: n.fetched, Err: n.err, Signs: n.signs, Hits: n.hits, Fetches: n.fetches}
}

// poke starts a fetch if one is due, and does not wait for it.
func (n *entry) poke(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.start(now)
}

// start starts a fetch if one is due and none is under way. It is called with mu held.
func (n *entry) start(now time.Time) {
	stale := n.doc == nil || now.Sub(n.fetched) >= freshFor
	if stale && n.flight == nil && (n.failed.IsZero() || now.Sub(n.failed) >= retryAfter) {
		n.fly(now)
	}
}

// fly starts a fetch. It is called with mu held and no fetch under way.
func (n *entry) fly(now time.Time) {
	flight := make(chan struct{})
	n.flight = flight
	n.fetches++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		doc, err := fetch(ctx, n.http, n.editor)
		n.land(doc, err, now)
		close(flight)
	}()
}

// land stores the outcome of a fetch that was started at now.
func (n *entry) land(doc *document, err error, now time.Time) {
	n.mu.Lock()
	n.flight = nil
	n.err = err
	firstKeys := false
	if err != nil {
		n.failed = now
	} else {
		n.doc, n.fetched, n.failed = doc, now, time.Time{}
		if doc.signs {
			firstKeys = !n.signs
			n.last, n.signs = doc.keys, true
		}
	}
	n.mu.Unlock()
	if firstKeys && n.remember != nil {
		n.remember(n.editor.URL)
	}
}

// get returns the document, however old it is. Only if there is none it waits,
// for the fetch under way or a new one. The error wraps [ErrDown].
func (n *entry) get(ctx context.Context, now func() time.Time) (*document, error) {
	n.mu.Lock()
	n.start(now())
	doc, flight := n.doc, n.flight
	if doc != nil {
		n.hits++
	}
	n.mu.Unlock()
	if doc != nil {
		return doc, nil
	}
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s: %w", ErrDown, n.editor.URL, context.Cause(ctx))
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.doc == nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDown, n.editor.URL, n.err)
	}
	return n.doc, nil
}

// refetch is [Editors.Refetch] of one editor. Whoever comes while it is under way
// waits for it and shares its outcome.
func (n *entry) refetch(ctx context.Context, now func() time.Time) bool {
	at := now()
	n.mu.Lock()
	due := n.refetched.IsZero() || at.Sub(n.refetched) >= refetchAfter
	if due && n.flight == nil {
		n.refetched = at
		n.fly(at)
	}
	flight := n.flight
	n.mu.Unlock()
	if flight == nil {
		return false
	}
	select {
	case <-flight:
	case <-ctx.Done():
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err == nil
}
