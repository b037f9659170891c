package endpoint

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// An Asset is an embedded part of pages: the same for everybody, and no secret in it.
type Asset struct {
	name, kind    string
	plain, zipped []byte
}

// NewAsset makes a part of the given type (a media type), and compresses it once.
func NewAsset(name, kind string, content []byte) Asset {
	return Asset{name, kind, content, Zip(content, gzip.BestCompression)}
}

// Serve sends the part. With the stamp of this build in the address (v) browsers may
// keep it.
func (a Asset) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Has("v") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	b := a.plain
	if TakesZip(r) {
		h.Set("Content-Encoding", "gzip")
		b = a.zipped
	}
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(b))
}

// Zip compresses b with gzip.
func Zip(b []byte, level int) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, level) // the level is one
	_, _ = w.Write(b)                        // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

// TakesZip reports whether who asks takes what [Zip] makes.
func TakesZip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}
