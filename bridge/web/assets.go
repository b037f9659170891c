package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"davwopi/bridge/words"
)

// assetKinds are the types of embedded files.
var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// zipped are the embedded files, compressed once, by name. They hold no secret; of pages
// see [site.maySqueeze].
var zipped = sync.OnceValue(func() map[string][]byte {
	out := map[string][]byte{"words.js": squeeze(words.Script, gzip.BestCompression)}
	list, _ := assets.ReadDir("assets") // it is embedded
	for _, e := range list {
		if b, err := assets.ReadFile("assets/" + e.Name()); err == nil && assetKinds[path.Ext(e.Name())] != "" {
			out[e.Name()] = squeeze(b, gzip.BestCompression)
		}
	}
	return out
})

func squeeze(b []byte, level int) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, level) // the level is one
	_, _ = w.Write(b)                        // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// serveAsset sends one embedded file; with the stamp of this build in the
// address browsers may keep it.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	if serveLogo(w, name) {
		return
	}
	b, err := assets.ReadFile("assets/" + path.Base(name))
	if name == "words.js" {
		b, err = words.Script, nil
	}
	if err != nil {
		http.Error(w, words.For(r).Say("unknown.title"), http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", assetKinds[path.Ext(name)])
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Has("v") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	if small := zipped()[path.Base(name)]; small != nil && takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		b = small
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
