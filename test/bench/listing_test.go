package bench

import (
	"errors"
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

	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/test/daemon"
)

const manyFiles = 20_000 // DESIGN.md 13

// BenchmarkListing is a folder of 20,000 files in a browser's eyes, and in an editor's:
// once when nothing is known about it, and again after a restart. The bare request is a
// PROPFIND of Depth 1 with the same body. It reports by how much the daemon's
// resident memory grew at its peak.
func BenchmarkListing(b *testing.B) {
	for _, k := range kinds[:2] {
		b.Run(k.name, func(b *testing.B) {
			st := newStand(b, k, "")
			st.fill(b)
			p := st.desks(b, 1, 1, false)[0]
			p.bare = "many/x"
			began := time.Now()
			if err := propfindFolder(b.Context(), p); err != nil {
				b.Fatal(err)
			}
			bare := time.Since(began)
			for _, atOnce := range []int{1, 10} {
				for _, known := range []string{"first", "again"} {
					st.d.Stop()
					st.d.Restart()
					f := st.web(b, atOnce)
					tell(b, fmt.Sprintf("web/%d/%s", atOnce, known), append(f, figure{"bare-ms", bare.Seconds() * 1000})...)
					if atOnce > 1 {
						break // all pages were shown before
					}
					st.pages(b)
				}
			}
			for _, known := range []string{"first", "again", "once-more"} {
				st.d.Stop()
				st.d.Restart()
				p.name = "many/" + scan(0)
				p.open(b)
				f := st.grows(b, func() {
					if err := enumerateChildren(b.Context(), p); err != nil {
						b.Error(err)
					}
				})
				tell(b, "EnumerateChildren/"+known, append(f, figure{"bare-ms", bare.Seconds() * 1000})...)
			}
		})
	}
}

func scan(i int) string { return fmt.Sprintf("Scan of the letter %d, page 2.txt", i) }

// fill puts the files behind the server.
func (st *stand) fill(b *testing.B) {
	b.Helper()
	folder := filepath.Join(st.dir, "many")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.Chmod(folder, 0o777)); err != nil {
		b.Fatal(err)
	}
	for i := range manyFiles {
		if err := os.WriteFile(filepath.Join(folder, scan(i)), []byte("hello"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// grows is how long f takes, and by how much the daemon grows meanwhile.
func (st *stand) grows(b *testing.B, f func()) []figure {
	b.Helper()
	before, _ := st.d.RSS()
	st.d.ForgetPeak()
	began := time.Now()
	f()
	took := time.Since(began)
	_, peak := st.d.RSS()
	return []figure{{"ms", took.Seconds() * 1000}, {"before-MiB", mib(before)}, {"growth-MiB", mib(peak - before)}}
}

// browser has signed in, and many is the address of the folder.
func (st *stand) browser(b *testing.B) (c *http.Client, many string) {
	b.Helper()
	c = st.d.Browser(st.d.Invite("bench"))
	c.Timeout = 5 * time.Minute
	page := fetch(b, c, st.d.URL+"/")
	m := regexp.MustCompile(`href="(/folder/[a-z2-7]{26})"><svg[^>]*><use[^>]*/></svg><bdi>many</bdi>`).FindStringSubmatch(page)
	if m == nil {
		b.Fatalf("the folder is not in %s", page)
	}
	return c, st.d.URL + m[1]
}

// web shows the first page atOnce times at the same time.
func (st *stand) web(b *testing.B, atOnce int) []figure {
	b.Helper()
	c, many := st.browser(b)
	return st.grows(b, func() { show(b, c, many, "page 1 of 40", atOnce) })
}

func show(b *testing.B, c *http.Client, address, words string, atOnce int) {
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			if page := fetch(b, c, address); !strings.Contains(page, words) {
				b.Errorf("not the list: %.2000s", page)
			}
		})
	}
	all.Wait()
}

// pages shows all pages.
func (st *stand) pages(b *testing.B) {
	b.Helper()
	c, many := st.browser(b)
	for page := range manyFiles / 500 {
		fetch(b, c, fmt.Sprintf("%s?page=%d", many, page+1))
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

// BenchmarkListingWithoutEnd is a folder of three million files on a server that does not
// stop by itself.
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
		if r.Header.Get("Depth") == dav.Depth0.String() {
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
		d := daemon.Start(b, fmt.Sprintf("upstream: {url: %q, user: a, password: b}\nsign_in: {kind: link}\n", endless.URL))
		c := d.BrowserTo(d.Link)
		c.Timeout = 5 * time.Minute
		d.Stop()
		d.Restart() // signing in has listed it, and grown
		fetch(b, c, d.URL+"/static/page.js")
		st := &stand{d: d}
		tell(b, fmt.Sprint(atOnce), st.grows(b, func() { show(b, c, d.URL+"/", "only the first 50,000", atOnce) })...)
		d.Stop()
	}
}

// TestChildren is about what BenchmarkListing asks for: it is the folder's children.
func TestChildren(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the daemon: not with -short")
	}
	t.Parallel()
	st := newStand(t, kind{name: "embedded"}, "")
	p := st.desks(t, 2, 10, false)[1]
	var all struct{ ChildFiles []wopi.ChildFile }
	a, err := p.folder.Do(t.Context(), http.MethodGet, "/children", "", nil, nil)
	if err == nil {
		err = a.JSON(&all)
	}
	if err != nil || len(all.ChildFiles) != 6 {
		t.Errorf("%d children, %v", len(all.ChildFiles), err)
	}
	if err := propfindFolder(t.Context(), p); err != nil {
		t.Error(err)
	}
}
