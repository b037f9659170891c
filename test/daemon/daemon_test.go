package daemon

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkListing is a folder of 20,000 files in a browser's eyes, in the built
// daemon: the first time, when nothing is known about it, and once more. Beside the time, it
// reports by how much the resident memory grew, at its peak, in MiB.
func BenchmarkListing(b *testing.B) {
	const files = 20000
	for _, c := range []struct {
		name   string
		known  bool // every page was shown before
		atOnce int
	}{{"first", false, 1}, {"again", true, 1}, {"ten at once", false, 10}, {"ten again", true, 10}} {
		b.Run(c.name, func(b *testing.B) {
			var took time.Duration
			var grew int64
			for range b.N {
				d := StartEmpty(b, "")
				folder := filepath.Join(d.Dir, "many")
				if err := os.Mkdir(folder, 0o755); err != nil {
					b.Fatal(err)
				}
				for i := range files {
					name := filepath.Join(folder, fmt.Sprintf("Scan of the letter %d, page 2.txt", i))
					if err := os.WriteFile(name, []byte("hello"), 0o644); err != nil {
						b.Fatal(err)
					}
				}
				browser := d.Browser(d.Link)
				address := d.URL + folderNamed(b, fetch(b, browser, d.URL+"/"), "many")
				if c.known {
					for page := range files / 500 {
						fetch(b, browser, fmt.Sprintf("%s?page=%d", address, page+1))
					}
					d.Stop()
					d.Restart()
					fetch(b, browser, d.URL+"/")
				}
				b.ResetTimer()
				t, g := d.list(b, browser, address, "page 1 of 40", c.atOnce)
				took, grew = took+t, grew+g
				d.Stop()
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/list")
			b.ReportMetric(float64(grew)/float64(b.N)/(1<<20), "MiB-RSS")
		})
	}
}

// BenchmarkListingWithoutEnd is BenchmarkListing for a folder of three million files
// on an upstream that does not stop by itself.
func BenchmarkListingWithoutEnd(b *testing.B) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const response = `<D:response><D:href>%s</D:href><D:propstat><D:prop><D:resourcetype>%s</D:resourcetype><D:getetag>"e%d"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
		if r.Method != "PROPFIND" {
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusMultiStatus)
		fmt.Fprintf(w, `<D:multistatus xmlns:D="DAV:">`+response, "/", "<D:collection/>", 0)
		entries := 3_000_000
		if r.Header.Get("Depth") == "0" {
			entries = 0
		}
		for i := range entries {
			if _, err := fmt.Fprintf(w, response, fmt.Sprintf("/Scan%%20of%%20the%%20letter%%20%d.txt", i), "", i); err != nil {
				return
			}
		}
		fmt.Fprint(w, `</D:multistatus>`)
	}))
	defer endless.Close()
	for _, atOnce := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d at once", atOnce), func(b *testing.B) {
			var took time.Duration
			var grew int64
			for range b.N {
				d := Start(b, fmt.Sprintf("upstream: {url: %q, user: a, password: b}\nsign_in: {kind: link}\n", endless.URL))
				browser := d.BrowserTo(d.Link)
				d.Stop()
				d.Restart() // signing in has listed it, and grown
				fetch(b, browser, d.URL+"/static/page.js")
				t, g := d.list(b, browser, d.URL+"/", "only the first 50,000", atOnce)
				took, grew = took+t, grew+g
				d.Stop()
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/list")
			b.ReportMetric(float64(grew)/float64(b.N)/(1<<20), "MiB-RSS")
		})
	}
}

// list fetches a page atOnce times, which must have words, and returns how long all
// took and by how many bytes the resident memory grew at its peak.
func (d *Daemon) list(b *testing.B, browser *http.Client, address, words string, atOnce int) (took time.Duration, grew int64) {
	before, _ := d.RSS()
	d.forgetPeak(b)
	start := time.Now()
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			if page := fetch(b, browser, address); !strings.Contains(page, words) {
				b.Errorf("not the list: %.2000s", page)
			}
		})
	}
	all.Wait()
	took = time.Since(start)
	_, peak := d.RSS()
	return took, peak - before
}

// forgetPeak makes the peak of [Daemon.RSS] begin anew.
func (d *Daemon) forgetPeak(b *testing.B) {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.PID()), []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}

func fetch(b *testing.B, c *http.Client, address string) string {
	answer, err := c.Get(address)
	if err != nil {
		b.Error(err)
		return ""
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Errorf("%s: %s %v", address, answer.Status, err)
	}
	return string(page)
}

// folderNamed is the path of a folder in the list.
func folderNamed(b *testing.B, page, name string) string {
	m := regexp.MustCompile(`href="(/folder/[a-z2-7]{26})"><svg[^>]*><use[^>]*/></svg><bdi>` + name + `</bdi>`).FindStringSubmatch(page)
	if m == nil {
		b.Fatalf("no folder %q in %s", name, page)
	}
	return m[1]
}
