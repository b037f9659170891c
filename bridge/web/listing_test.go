package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/upstream"
)

// An invented folder is a PROPFIND of the root with many files that are nowhere.
type invented struct {
	files int
	name  func(i int) string
	etag  string
	begun chan struct{} // gets one when an answer has passed 2,500 entries
	hold  chan struct{} // closed: answers go on; nil they do not wait

	mu    sync.Mutex
	short int // answers that were broken off; guarded by mu
}

// broken waits until n answers were broken off.
func (f *invented) broken(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		short := f.short
		f.mu.Unlock()
		if short >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d answers were broken off, want %d", short, n)
		}
	}
}

func (f *invented) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusMultiStatus)
	say := func(href, props string) error {
		_, err := fmt.Fprintf(w, `<D:response><D:href>%s</D:href><D:propstat><D:prop>%s</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`, href, props)
		return err
	}
	fmt.Fprint(w, `<D:multistatus xmlns:D="DAV:">`)
	_ = say("/dav/", `<D:resourcetype><D:collection/></D:resourcetype>`) // the next one fails too
	sent := 0
	for ; sent < f.files && r.Header.Get("Depth") == "1"; sent++ {
		if say("/dav/"+f.name(sent), `<D:resourcetype/><D:getetag>"`+f.etag+`"</D:getetag>`) != nil {
			break
		}
		if sent == 2500 && f.hold != nil {
			f.begun <- struct{}{}
			select {
			case <-f.hold:
			case <-r.Context().Done():
			}
		}
	}
	fmt.Fprint(w, `</D:multistatus>`)
	f.mu.Lock()
	defer f.mu.Unlock()
	if sent < f.files && r.Header.Get("Depth") == "1" {
		f.short++
	}
}

func (f *invented) answer(h *house) {
	h.up.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			if r.Method == "PROPFIND" && r.URL.Path == "/dav/" {
				return f
			}
			return nil
		}
	})
}

func TestAFolderWithoutEndIsCutAndSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		folder *invented
		words  []string
	}{
		"three million files": {&invented{files: 3_000_000, name: func(i int) string { return fmt.Sprintf("file-%07d.txt", i) }},
			[]string{"only the first 50,000", "50,000 entries", "page 1 of 100", "<bdi>file-0000000.txt</bdi>"}},
		"entity tags of 1,000 bytes": {&invented{files: 100_000, name: func(i int) string { return fmt.Sprintf("%07d.txt", i) }, etag: strings.Repeat("e", 1000)},
			[]string{"only the first 16", "others are missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			b := h.person("anna")
			c.folder.answer(h)
			page := b.get("/").body
			contains(t, page, c.words...)
			h.up.Quirks.Reset()
			c.folder.broken(t, 1)
		})
	}
}

func TestBigFoldersTakeTurns(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "small/a.txt", "hello")
	b := h.person("anna")
	small := "/folder/" + b.get("/").id(t, "small")
	f := &invented{files: 3000, name: func(i int) string { return fmt.Sprintf("file-%d.txt", i) }, begun: make(chan struct{}, 100), hold: make(chan struct{})}
	f.answer(h)

	var all sync.WaitGroup
	list := func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.server.URL+"/", nil)
		if err != nil {
			t.Error(err)
			return
		}
		res, err := b.http.Do(req)
		if err == nil {
			res.Body.Close()
		}
		if ctx.Err() == nil && (err != nil || res.StatusCode != http.StatusOK) {
			t.Errorf("%v %v", res, err)
		}
	}
	for range 2 {
		all.Go(func() { list(t.Context()) })
		select {
		case <-f.begun:
		case <-time.After(10 * time.Second):
			t.Fatal("a big folder is not listed")
		}
	}
	// Both turns are taken. Others wait, without a request upstream; one of them
	// leaves when its browser does.
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() { defer close(left); list(ctx) }()
	all.Go(func() { list(t.Context()) })
	f.broken(t, 2)
	contains(t, b.get(small).body, "a.txt") // small folders never wait
	leave()
	<-left
	close(f.hold)
	all.Wait()
	contains(t, b.get("/").body, "page 1 of 6")
}

// many writes n empty files.
func many(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file %d.txt", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfABigFolderOnlyThePageGetsIDs(t *testing.T) {
	h := newHouse(t, nil)
	many(t, h.up.Dir, 2100)
	space, err := h.IDs.Space(t.Context(), "main", "")
	if err != nil {
		t.Fatal(err)
	}
	b := h.person("anna")
	b.get("/")
	known := func(path dav.Path) (idmap.Entry, bool) {
		e, err := h.IDs.KnownAt(t.Context(), space, path)
		if err != nil && !errors.Is(err, idmap.ErrNotFound) {
			t.Fatal(err)
		}
		return e, err == nil
	}
	if _, ok := known("/file 499.txt"); !ok {
		t.Error("a file of the page has no ID")
	}
	if _, ok := known("/file 500.txt"); ok {
		t.Error("a file of the next page has one")
	}
	// What moves from page to page keeps its ID.
	first, _ := known("/file 7.txt")
	if err := os.Rename(filepath.Join(h.up.Dir, "file 7.txt"), filepath.Join(h.up.Dir, "file 9007.txt")); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/?page=5").id(t, "file 9007.txt"); got != string(first.ID) {
		t.Errorf("after a move to another page the ID is %s, was %s", got, first.ID)
	}
}

func TestHardLinksOnTwoPagesOfABigFolderHaveTwoIDs(t *testing.T) {
	h := newHouse(t, nil)
	many(t, h.up.Dir, 2100)
	if err := os.Link(filepath.Join(h.up.Dir, "file 7.txt"), filepath.Join(h.up.Dir, "file 9007.txt")); err != nil {
		t.Fatal(err)
	}
	b := h.person("anna")
	first, last := b.get("/").id(t, "file 7.txt"), b.get("/?page=5").id(t, "file 9007.txt")
	if first == last {
		t.Error("two names, one ID")
	}
	if got := b.get("/").id(t, "file 7.txt"); got != first {
		t.Errorf("the ID went from %s to %s", first, got)
	}
}

func TestWhatVanishedFromASmallFolderIsNoted(t *testing.T) {
	h := newHouse(t, nil)
	h.up.Write(t, "a.txt", "hello")
	h.up.Write(t, ".hidden", "hello")
	b := h.person("anna")
	b.get("/")
	for _, name := range []string{"a.txt", ".hidden"} {
		if err := os.Remove(filepath.Join(h.up.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/")
	space, err := h.IDs.Space(t.Context(), "main", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []dav.Path{"/a.txt", "/.hidden"} {
		if e, err := h.IDs.KnownAt(t.Context(), space, path); err == nil && e.Missing.IsZero() || err != nil && !errors.Is(err, idmap.ErrNotFound) && !errors.Is(err, idmap.ErrMissing) {
			t.Errorf("%s: %+v %v", path, e, err)
		}
	}
}
