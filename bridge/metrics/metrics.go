package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/idmap"
)

// scrapeLimit ends the questions of one scrape.
const scrapeLimit = 5 * time.Second

// Metrics asks the rooms. All fields must be set before use and not changed afterwards.
type Metrics struct {
	Saves     *saves.Saves
	Locks     *locks.Locks
	IDs       *idmap.Map
	Editors   *discovery.Editors
	Upstreams *access.Upstreams
	Counters  *Counters
	Version   string
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
	idsIssued    = prometheus.NewDesc("davwopi_ids_issued", "File IDs given out so far.", nil, nil)
	idsMissing   = prometheus.NewDesc("davwopi_ids_missing", "Places whose file cannot be found and whose ID is kept for its return.", nil, nil)
	editorUp     = prometheus.NewDesc("davwopi_editor_up", "1 if the editor's discovery document could be fetched the last time; 0 if not, or not yet.", []string{"editor"}, nil)
	upstreamUp   = prometheus.NewDesc("davwopi_upstream_up", "1 if the last request to the upstream was answered, or nobody has asked it yet.", []string{"upstream"}, nil)
	cacheHits    = prometheus.NewDesc("davwopi_cache_hits_total", "Questions answered from memory.", []string{"cache"}, nil)
	cacheMisses  = prometheus.NewDesc("davwopi_cache_misses_total", "Questions for which somebody had to be asked.", []string{"cache"}, nil)
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
	r.MustRegister(m.Counters.collectors()...)
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
	for _, d := range []*prometheus.Desc{savesEntries, savesBytes, savesOldest, savesSignIn, locksHeld, locksLost, locksIntents, idsIssued, idsMissing, editorUp, upstreamUp, cacheHits, cacheMisses} {
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
	c.collectSaves(ctx, gauge)
	if st, err := c.Locks.Stats(ctx); err != nil {
		c.fail("counting locks", err)
	} else {
		gauge(locksHeld, float64(st.Held), "held")
		gauge(locksHeld, float64(st.Journal), "journal")
		gauge(locksHeld, float64(st.Leaving), "releasing")
		gauge(locksLost, float64(st.Lost))
		gauge(locksIntents, float64(st.Intents))
	}
	if st, err := c.IDs.Stats(ctx); err != nil {
		c.fail("counting file IDs", err)
	} else {
		gauge(idsIssued, float64(st.Issued))
		gauge(idsMissing, float64(st.Missing))
	}
	for _, up := range c.Upstreams.List {
		gauge(upstreamUp, yes(up.Client.Silent().IsZero()), up.Name)
	}
	c.collectCaches(ch, gauge)
}

func (c *rooms) collectSaves(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	st, err := c.Saves.Stats(ctx)
	if err != nil {
		c.fail("counting saves", err)
		return
	}
	for _, state := range states {
		n := st.Entries[state] // 0 if there are none
		gauge(savesEntries, float64(n.Entries), state)
		gauge(savesBytes, float64(n.Bytes), state)
	}
	gauge(savesOldest, st.Oldest.Seconds())
	gauge(savesSignIn, float64(st.SignIn))
}

// collectCaches tells of the editors, and of what is remembered.
func (c *rooms) collectCaches(ch chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string)) {
	var hits, misses uint64
	for _, st := range c.Editors.Status() {
		gauge(editorUp, yes(st.Err == nil && !st.Fetched.IsZero()), st.Editor.URL)
		hits, misses = hits+st.Hits, misses+st.Fetches
	}
	for cache, n := range map[string][2]uint64{
		"discovery": {hits, misses},
		"bearer":    {c.Counters.bearer[0].Load(), c.Counters.bearer[1].Load()},
	} {
		ch <- prometheus.MustNewConstMetric(cacheHits, prometheus.CounterValue, float64(n[0]), cache)
		ch <- prometheus.MustNewConstMetric(cacheMisses, prometheus.CounterValue, float64(n[1]), cache)
	}
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *rooms) fail(what string, err error) {
	c.failed.Inc()
	if c.OnError != nil {
		c.OnError(what, err)
	}
}
