package daemon

import (
	"fmt"
	"io"
	"net/http"
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
					for page := range files / 1000 {
						fetch(b, browser, fmt.Sprintf("%s?page=%d", address, page+1))
					}
					d.Stop()
					d.Restart()
					fetch(b, browser, d.URL+"/")
				}
				b.ResetTimer()
				before, _ := d.RSS()
				d.forgetPeak(b)
				start := time.Now()
				var all sync.WaitGroup
				for range c.atOnce {
					all.Go(func() {
						if page := fetch(b, browser, address); !strings.Contains(page, "page 1 of 20") {
							b.Errorf("not the list: %.2000s", page)
						}
					})
				}
				all.Wait()
				took += time.Since(start)
				_, peak := d.RSS()
				grew += peak - before
				d.Stop()
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/list")
			b.ReportMetric(float64(grew)/float64(b.N)/(1<<20), "MiB-RSS")
		})
	}
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
