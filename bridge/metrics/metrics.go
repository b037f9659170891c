package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
)

// scrapeLimit ends the questions of one scrape.
const scrapeLimit = 5 * time.Second

// Metrics asks the rooms. All fields must be set before use and not changed afterwards.
type Metrics struct {
	Saves   *saves.Saves
	Locks   *locks.Locks
	Version string
	// OnError hears of figures that could not be had.
	OnError func(what string, err error)
}

var (
	savesEntries = prometheus.NewDesc("davwopi_saves_entries", "Entries of the save journal.", []string{"state"}, nil)
	savesBytes   = prometheus.NewDesc("davwopi_saves_bytes", "Bytes in the save journal.", []string{"state"}, nil)
	savesOldest  = prometheus.NewDesc("davwopi_saves_waiting_oldest_seconds", "For how long the oldest save has waited that its editor was told is saved; 0: none waits.", nil, nil)
	savesSignIn  = prometheus.NewDesc("davwopi_saves_needs_sign_in", "Waiting saves whose credential was refused.", nil, nil)
	locksHeld    = prometheus.NewDesc("davwopi_locks", "Files by who holds them: an editor, only a waiting save, or a lock that is still to be given back.", []string{"phase"}, nil)
	locksLost    = prometheus.NewDesc("davwopi_locks_lost", "Files that are open and whose lock on the server is gone.", nil, nil)
	locksIntents = prometheus.NewDesc("davwopi_locks_intents", "Changes of locks and places that are still to be settled.", nil, nil)
)

// states are all that entries have. They are told of also if there are none, so that an
// alert has a figure to compare.
var states = []string{"spooled", "delivering", "waiting", "aside", "verified", "conflict", "unacknowledged", "refused", "preimage"}

// Handler serves the page, and nothing else. It may be called once.
func (m *Metrics) Handler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "davwopi_build_info", Help: "Always 1; the label says what runs.", ConstLabels: prometheus.Labels{"version": m.Version},
		}, func() float64 { return 1 }),
	)
	failed := prometheus.NewCounter(prometheus.CounterOpts{Name: "davwopi_scrape_errors_total", Help: "Figures that could not be had."})
	r.MustRegister(&rooms{m, failed}, failed)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * scrapeLimit}))
	return mux
}

// rooms asks the rooms for their figures at each scrape.
type rooms struct {
	*Metrics
	failed prometheus.Counter
}

// Describe names the figures.
func (c *rooms) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{savesEntries, savesBytes, savesOldest, savesSignIn, locksHeld, locksLost, locksIntents} {
		ch <- d
	}
}

// Collect asks.
func (c *rooms) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if st, err := c.Saves.Stats(ctx); err != nil {
		c.fail("counting saves", err)
	} else {
		for _, state := range states {
			n := st.Entries[state] // 0 if there are none
			gauge(savesEntries, float64(n.Entries), state)
			gauge(savesBytes, float64(n.Bytes), state)
		}
		gauge(savesOldest, st.Oldest.Seconds())
		gauge(savesSignIn, float64(st.SignIn))
	}
	if st, err := c.Locks.Stats(ctx); err != nil {
		c.fail("counting locks", err)
	} else {
		gauge(locksHeld, float64(st.Held), "held")
		gauge(locksHeld, float64(st.Journal), "journal")
		gauge(locksHeld, float64(st.Leaving), "releasing")
		gauge(locksLost, float64(st.Lost))
		gauge(locksIntents, float64(st.Intents))
	}
}

func (c *rooms) fail(what string, err error) {
	c.failed.Inc()
	if c.OnError != nil {
		c.OnError(what, err)
	}
}
