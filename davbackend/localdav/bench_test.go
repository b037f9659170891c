//go:build linux

package localdav

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
)

func (h *house) drain(method, path, body string, headers ...string) {
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	must(h.t, err)
	for _, line := range headers {
		k, v, _ := strings.Cut(line, ": ")
		r.Header.Set(k, v)
	}
	res, err := h.rt.RoundTrip(r)
	must(h.t, err)
	_, err = io.Copy(io.Discard, res.Body)
	must(h.t, err)
	must(h.t, res.Body.Close())
}

func BenchmarkPut100KB(b *testing.B) {
	h := newHouse(b)
	text := strings.Repeat("x", 100<<10)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		h.drain("PUT", "/f", text)
	}
}

// The disk alone: what a PUT has to do at least.
func BenchmarkBareWrite100KB(b *testing.B) {
	dir := b.TempDir()
	text := []byte(strings.Repeat("x", 100<<10))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f, err := os.Create(dir + "/t")
		must(b, err)
		_, err = f.Write(text)
		must(b, err)
		must(b, f.Sync())
		must(b, f.Close())
		must(b, os.Rename(dir+"/t", dir+"/f"))
	}
}

func BenchmarkGet1MB(b *testing.B) {
	h := newHouse(b)
	h.write("f", strings.Repeat("x", 1<<20))
	b.SetBytes(1 << 20)
	for b.Loop() {
		h.drain("GET", "/f", "")
	}
}

func BenchmarkPropfind(b *testing.B) {
	h := newHouse(b)
	h.want(201, "PUT", "/f", "x")
	body := string(dav.PropfindBody([]dav.PropName{dav.PropETag, dav.PropContentLength, dav.PropLockDiscovery, dav.PropResourceID}))
	for b.Loop() {
		h.drain("PROPFIND", "/f", body, "Depth: 0")
	}
}

func BenchmarkList20000(b *testing.B) {
	h := newHouse(b)
	for i := range 20_000 {
		must(b, os.WriteFile(h.disk(fmt.Sprintf("%05d.txt", i)), nil, 0o644))
	}
	body := string(dav.PropfindBody([]dav.PropName{dav.PropETag, dav.PropContentLength, dav.PropLockDiscovery, dav.PropResourceID}))
	b.ReportAllocs()
	for b.Loop() {
		h.drain("PROPFIND", "/", body, "Depth: 1")
	}
}
