// Package metrics tells Prometheus how the bridge does.
//
// # It owns
//
// The names of the figures, the registry, and the page /metrics.
//
// # It does not own
//
// The figures themselves: each room counts what is its own and is asked when somebody
// scrapes. Where the page is served is the caller's: on an address of its own that only
// the operator's network reaches, because figures tell who works when.
//
// # How a caller uses it
//
// Fill a [Metrics], and serve [Metrics.Handler].
//
// # Rules
//
//   - Nothing here names a document or a person: labels are states and phases, of which
//     there are few.
//   - A figure that cannot be had is left out, and counted as an error of the scrape; it is
//     never 0 instead.
//   - Names never change once they were released: dashboards and alerts have them.
//
// # Why it is so
//
//   - 2026-11-28: Figures of the journal and of locks are read from the database at each
//     scrape, not counted along: after a crash or beside another bridge they are right.
//   - 2026-11-28: prometheus/client_golang instead of the text format by hand: counters
//     and histograms of requests follow, and its process collector needs no code of ours.
package metrics
