//go:build linux

package localdav

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"davwopi/davbackend/dav"
)

func TestPropfind(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "MKCOL", "/d", "")
		h.want(201, "PUT", "/d/a.docx", "text")
		h.want(201, "MKCOL", "/d/sub", "")
		at := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
		must(t, os.Chtimes(h.disk("d/a.docx"), at, at))
		a := h.want(207, "PROPFIND", "/d", "", "Depth: 1")
		if ct := a.header.Get("Content-Type"); ct != "application/xml; charset=utf-8" {
			t.Error(ct)
		}
		for _, want := range []string{
			"<D:href>/d/</D:href>", "<D:href>/d/a.docx</D:href>", "<D:href>/d/sub/</D:href>", "<D:getcontentlength>4<",
			"<D:getlastmodified>Fri, 20 Nov 2026 01:02:03 GMT<", "<D:resourcetype><D:collection/></D:resourcetype>",
			"<D:getcontenttype>application/vnd.openxmlformats-officedocument.wordprocessingml.document<", "<D:displayname>a.docx<",
		} {
			if !strings.Contains(a.body, want) {
				t.Error("missing", want, a.body)
			}
		}
		for name, want := range map[string]string{
			"quota-available-bytes": "0123456789", "quota-used-bytes": "0123456789",
		} {
			if v := h.prop("/d/a.docx", name); v == "" || strings.Trim(v, want) != "" {
				t.Error(name, v)
			}
		}
		a = h.want(207, "PROPFIND", "/d", `<propfind xmlns="DAV:"><prop><getetag/><getcontentlength/><nothing xmlns="n"/></prop></propfind>`, "Depth: 0")
		if strings.Count(a.body, "<D:propstat>") != 1 || !strings.Contains(a.body, "404 Not Found") {
			t.Error("a folder has neither length nor ETag", a.body)
		}
		a = h.want(207, "PROPFIND", "/d/sub", `<propfind xmlns="DAV:"><allprop/><include><quota-used-bytes/><x xmlns="n"/></include></propfind>`, "Depth: 0")
		if !strings.Contains(a.body, "quota-used-bytes") || !strings.Contains(a.body, "404") {
			t.Error(a.body)
		}
		for _, depth := range [][]string{nil, {"Depth: infinity"}} {
			a = h.want(403, "PROPFIND", "/d", "", depth...)
			if !strings.Contains(a.body, "<D:propfind-finite-depth>") {
				t.Error(a.body)
			}
		}
		h.want(400, "PROPFIND", "/d", "", "Depth: 2")
		h.want(404, "PROPFIND", "/none", "", "Depth: 0")
		h.want(404, "PROPFIND", "/d/a.docx/x", "", "Depth: 0")
		for _, body := range []string{
			"x", "<propfind/>", `<propfind xmlns="DAV:"/>`, `<propfind xmlns="DAV:"><prop/><allprop/></propfind>`,
			`<propfind xmlns="DAV:"><prop><a:b xmlns:a=""/></prop></propfind>`, `<propfind xmlns="DAV:"><prop>`,
		} {
			h.want(400, "PROPFIND", "/d", body, "Depth: 0")
		}
	})
}

// The client's own reader understands what is written here.
func TestPropfindIsUnderstood(t *testing.T) {
	h := newHouse(t)
	h.want(201, "PUT", "/a.txt", "text")
	token := h.take("/a.txt")
	props := []dav.PropName{
		dav.PropResourceType, dav.PropContentLength, dav.PropETag, dav.PropLastModified, dav.PropLockDiscovery,
		dav.PropResourceID, dav.PropQuotaAvailable, dav.PropDisplayName,
	}
	a := h.want(207, "PROPFIND", "/", string(dav.PropfindBody(props)), "Depth: 1")
	var got []dav.Resource
	must(t, dav.DecodeMultistatus(strings.NewReader(a.body), dav.Limits{}, func(r dav.Response) error {
		res, err := r.Resource(nil)
		got = append(got, res)
		return err
	}))
	if len(got) != 2 || !got[0].Collection || got[0].Path != "/" {
		t.Fatal(got)
	}
	f := got[1]
	if f.Path != "/a.txt" || f.Collection || f.Size != 4 || string(f.ETag) != h.etag("/a.txt") || len(f.Locks) != 1 ||
		f.Locks[0].Token != dav.LockToken(token) || !strings.HasPrefix(f.ResourceID, "urn:uuid:") || f.QuotaAvailable <= 0 ||
		time.Since(f.Modified) > time.Minute {
		t.Errorf("%+v", f)
	}
}

func TestGet(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/a.html", "0123456789")
		etag := h.etag("/a.html")
		a := h.want(200, "GET", "/a.html", "")
		for k, want := range map[string]string{
			"ETag": etag, "Content-Length": "10", "Content-Type": "text/html; charset=utf-8", "Accept-Ranges": "bytes",
			"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
		} {
			if a.header.Get(k) != want {
				t.Errorf("%s: %q", k, a.header.Get(k))
			}
		}
		if _, err := http.ParseTime(a.header.Get("Last-Modified")); err != nil || a.body != "0123456789" {
			t.Error(err, a.body)
		}
		for _, c := range []struct {
			header, body string
			status       int
		}{
			{"Range: bytes=2-4", "234", 206},
			{"Range: bytes=-3", "789", 206},
			{"Range: bytes=8-", "89", 206},
			{"Range: bytes=20-", "", 416},
			{"If-None-Match: " + etag, "", 304},
			{"If-Match: \"wrong\"", "", 412},
			{"If-Match: " + etag, "0123456789", 200},
		} {
			if a := h.want(c.status, "GET", "/a.html", "", c.header); a.status < 300 && a.body != c.body {
				t.Error(c.header, a.body)
			}
		}
		a = h.want(206, "GET", "/a.html", "", "Range: bytes=0-1", "If-Range: "+etag)
		if a.body != "01" || a.header.Get("Content-Range") != "bytes 0-1/10" {
			t.Error(a)
		}
		h.want(200, "GET", "/a.html", "", "Range: bytes=0-1", "If-Range: \"old\"")
		if a := h.want(200, "HEAD", "/a.html", ""); a.body != "" || a.header.Get("Content-Length") != "10" {
			t.Error(a)
		}
		if a := h.want(404, "HEAD", "/none", ""); a.body != "" {
			t.Error(a)
		}
		h.want(201, "MKCOL", "/d", "")
		for _, c := range [][]string{{"GET", "/d", allowFolder}, {"POST", "/a.html", allowFile}, {"REPORT", "/none", allowNone}} {
			if a := h.want(405, c[0], c[1], ""); a.header.Get("Allow") != c[2] {
				t.Error(c, a.header)
			}
		}
		a = h.want(200, "OPTIONS", "/d", "")
		if a.header.Get("DAV") != "1, 2, 3" || a.header.Get("Allow") != allowFolder {
			t.Error(a.header)
		}
	})
}

// 20,000 entries are not in memory at once: what is read is in batches.
func TestLongListing(t *testing.T) {
	h := newHouse(t)
	must(t, os.Mkdir(h.disk("d"), 0o755))
	const n = 5000
	for i := range n {
		must(t, os.WriteFile(h.disk(fmt.Sprintf("d/%05d.txt", i)), nil, 0o644))
	}
	body := string(dav.PropfindBody([]dav.PropName{dav.PropETag, dav.PropResourceID, dav.PropLockDiscovery, {Space: "n", Local: "p"}}))
	r, err := http.NewRequest("PROPFIND", h.url+"/d", strings.NewReader(body))
	must(t, err)
	r.Header.Set("Depth", "1")
	res, err := h.rt.RoundTrip(r)
	must(t, err)
	defer res.Body.Close()
	ids, etags := map[string]bool{}, map[dav.ETag]bool{}
	must(t, dav.DecodeMultistatus(res.Body, dav.Limits{}, func(r dav.Response) error {
		o, err := r.Resource(nil)
		ids[o.ResourceID], etags[o.ETag] = true, true
		return err
	}))
	if len(ids) != n+1 || len(etags) != n+1 { // with the folder's id, and its "" for no ETag
		t.Error(len(ids), len(etags))
	}
	if rows := h.count(`SELECT COUNT(*) FROM localdav_binding`); rows != 0 {
		t.Error("a listing wrote", rows)
	}
	t.Run("broken off", func(t *testing.T) {
		r := r.Clone(t.Context())
		r.Body = io.NopCloser(strings.NewReader(body))
		res, err := h.rt.RoundTrip(r)
		must(t, err)
		res.Body.Close() // and goleak sees that the handler ends
	})
}
