package metrics_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/metrics"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/idmap/sqldb"
	"davwopi/test/disk"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape reads the page into a map from a figure with its labels to its value.
func scrape(t *testing.T, page http.Handler) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v: %s", w.Code, err, text)
	}
	found := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			found[line[:i]] = line[i+1:]
		}
	}
	return found
}

func want(t *testing.T, found map[string]string, figures map[string]string) {
	t.Helper()
	for name, value := range figures {
		if found[name] != value {
			t.Errorf("%s is %q, want %q", name, found[name], value)
		}
	}
}

// TestFigures: an editing, an outage, a save that waits, and that it has arrived.
func TestFigures(t *testing.T) {
	dir := disk.Folder(t)
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		var err error
		e.Saves, err = saves.New(t.Context(), saves.Saves{
			Dir: filepath.Join(dir, "saves"), DB: e.Locks.DB, IDs: e.IDs, Locks: e.Locks, WhenDown: saves.Queue, Patience: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	counters := metrics.NewCounters()
	h.Log = func(_ context.Context, l endpoint.Line) { counters.WOPI(l) }
	for _, up := range h.Upstreams.List {
		up.Client.Observe = counters.Upstream(up.Name)
	}
	page := (&metrics.Metrics{
		Saves: h.Saves, Locks: h.Locks, IDs: h.IDs, Editors: h.Editors, Upstreams: h.Upstreams, Counters: counters,
		Version: "v1", OnError: func(what string, err error) { t.Error(what, err) },
	}).Handler()
	none := map[string]string{
		`davwopi_build_info{version="v1"}`: "1", "davwopi_saves_waiting_oldest_seconds": "0", "davwopi_saves_needs_sign_in": "0",
		`davwopi_saves_entries{state="waiting"}`: "0", `davwopi_saves_bytes{state="waiting"}`: "0", `davwopi_locks{phase="held"}`: "0",
		"davwopi_locks_lost": "0", "davwopi_scrape_errors_total": "0", "davwopi_ids_missing": "0",
		`davwopi_upstream_up{upstream="main"}`: "1", `davwopi_cache_hits_total{cache="bearer"}`: "0",
	}
	want(t, scrape(t, page), none)
	main := h.Servers["main"]
	main.Write(t, "secret name.docx", "old")
	file := h.Open(h.At("/secret name.docx"), access.Grant{})
	if got := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	want(t, scrape(t, page), map[string]string{
		`davwopi_locks{phase="held"}`: "1", `davwopi_wopi_requests_total{operation="Lock",status="200"}`: "1",
		`davwopi_wopi_request_seconds_count{operation="Lock"}`: "1", `davwopi_token_checks_total{result="good"}`: "1",
		`davwopi_upstream_requests_total{method="LOCK",status="200",upstream="main"}`: "2", // for a minute, then for half an hour
	})
	if got := h.Post(strings.Replace(file, "access_token=", "access_token=x", 1), wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != http.StatusUnauthorized {
		t.Fatal(got)
	}
	main.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	if got := h.Post(strings.Replace(file, "?", "/contents?", 1), wopi.OverridePut, "saved in the outage", wopi.HeaderLock, "L"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	h.Later(90 * time.Second)
	found := scrape(t, page)
	want(t, found, map[string]string{
		`davwopi_saves_entries{state="waiting"}`: "1", `davwopi_saves_bytes{state="waiting"}`: "19",
		`davwopi_upstream_up{upstream="main"}`: "0", `davwopi_token_checks_total{result="unknown"}`: "1",
	})
	if age, err := time.ParseDuration(found["davwopi_saves_waiting_oldest_seconds"] + "s"); err != nil || age < 90*time.Second || age > time.Hour {
		t.Errorf("it has waited for %q, %v", found["davwopi_saves_waiting_oldest_seconds"], err)
	}
	if got := h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	found = scrape(t, page)
	want(t, found, map[string]string{`davwopi_locks{phase="held"}`: "0", `davwopi_locks{phase="journal"}`: "1"})
	for name := range found {
		if strings.Contains(name, "secret") || strings.Contains(name, "anna") {
			t.Errorf("%s names a document or a person", name)
		}
	}
}

// TestFiguresThatCannotBeHad are left out, and the page says so.
func TestFiguresThatCannotBeHad(t *testing.T) {
	h := rooms.New(t, nil, nil)
	heard := 0
	page := (&metrics.Metrics{
		Saves: h.Saves, Locks: h.Locks, IDs: h.IDs, Editors: h.Editors, Upstreams: h.Upstreams,
		Counters: metrics.NewCounters(), OnError: func(string, error) { heard++ },
	}).Handler()
	for _, table := range []string{"saves_entry", "locks_row"} {
		err := h.DB.Write(t.Context(), func(tx sqldb.Queryer) error {
			_, err := tx.Exec(t.Context(), `ALTER TABLE `+table+` RENAME TO gone_`+table)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := scrape(t, page)
	if _, ok := found["davwopi_saves_waiting_oldest_seconds"]; ok || heard != 2 {
		t.Errorf("a figure of nothing, or %d errors heard", heard)
	}
	if n := scrape(t, page)["davwopi_scrape_errors_total"]; n != "2" && n != "4" { // counted before this scrape's own, or after
		t.Errorf("%s errors are told of", n)
	}
	for _, path := range []string{"/", "/metrics/x"} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
