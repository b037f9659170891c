package metrics

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/proof"
	"davwopi/davbackend/dav"
)

// seconds are the bounds of all histograms of times: from an answer out of memory to a
// large save over a slow line.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// Counters count what happens, as it happens. [NewCounters] makes them; all methods may be
// called concurrently.
type Counters struct {
	wopi         *prometheus.CounterVec
	wopiTime     *prometheus.HistogramVec
	trips        *prometheus.CounterVec
	tokens       *prometheus.CounterVec
	upstream     *prometheus.CounterVec
	upstreamTime *prometheus.HistogramVec
	pages        *prometheus.CounterVec
	pageTime     *prometheus.HistogramVec
	bearer       [2]atomic.Uint64 // bearer tokens that were remembered, and those that were not
}

// NewCounters makes counters that stand at zero.
func NewCounters() *Counters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
	}
	return &Counters{
		wopi:         counter("davwopi_wopi_requests_total", "WOPI requests by operation and status.", "operation", "status"),
		wopiTime:     histogram("davwopi_wopi_request_seconds", "How long WOPI requests took, their bodies included.", "operation"),
		trips:        counter("davwopi_wopi_upstream_requests_total", "Requests to the upstream that WOPI requests caused.", "operation"),
		tokens:       counter("davwopi_token_checks_total", "Access tokens of WOPI requests, by what came of the check.", "result"),
		upstream:     counter("davwopi_upstream_requests_total", "Requests to an upstream by method and status; none: no answer came.", "upstream", "method", "status"),
		upstreamTime: histogram("davwopi_upstream_request_seconds", "How long an upstream took until its answer began.", "upstream", "method"),
		pages:        counter("davwopi_http_requests_total", "Requests to the public address, by part of it and status.", "part", "status"),
		pageTime:     histogram("davwopi_http_request_seconds", "How long requests to the public address took.", "part"),
	}
}

func (c *Counters) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.wopi, c.wopiTime, c.trips, c.tokens, c.upstream, c.upstreamTime, c.pages, c.pageTime}
}

// WOPI counts a request of an editor.
func (c *Counters) WOPI(l endpoint.Line) {
	operation := string(l.Operation) // one that nobody knows is called Unsupported
	c.wopi.WithLabelValues(operation, strconv.Itoa(l.Status)).Inc()
	c.wopiTime.WithLabelValues(operation).Observe(l.Duration.Seconds())
	c.trips.WithLabelValues(operation).Add(float64(l.Trips))
	c.tokens.WithLabelValues(checked(l)).Inc()
}

// checked says what came of the check of a request's token and signature.
func checked(l endpoint.Line) string {
	switch {
	case errors.Is(l.Err, proof.ErrProof), errors.Is(l.Err, proof.ErrTime):
		return "bad_proof"
	case l.UserID != "":
		return "good" // also if the file or the right is gone
	case errors.Is(l.Err, access.ErrExpired):
		return "expired"
	case errors.Is(l.Err, access.ErrToken), errors.Is(l.Err, dav.ErrUnauthorized):
		return "unknown"
	}
	return "not_checked"
}

// Upstream returns what counts the requests to the upstream of that name, for
// davbackend.Client.
func (c *Counters) Upstream(name string) func(method string, status int, took time.Duration) {
	return func(method string, status int, took time.Duration) {
		c.upstream.WithLabelValues(name, method, answered(status)).Inc()
		if status != 0 {
			c.upstreamTime.WithLabelValues(name, method).Observe(took.Seconds())
		}
	}
}

// answered is a status as a label, of which an upstream cannot make many.
func answered(status int) string {
	switch {
	case status == 0:
		return "none"
	case status < 100 || status > 599:
		return "odd"
	}
	return strconv.Itoa(status)
}

// Bearer counts a bearer token that was checked.
func (c *Counters) Bearer(remembered bool) {
	if remembered {
		c.bearer[0].Add(1)
		return
	}
	c.bearer[1].Add(1)
}

// Request counts a request to the public address. part is one of few words.
func (c *Counters) Request(part string, status int, took time.Duration) {
	c.pages.WithLabelValues(part, strconv.Itoa(status)).Inc()
	c.pageTime.WithLabelValues(part).Observe(took.Seconds())
}
