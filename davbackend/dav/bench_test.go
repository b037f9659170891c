package dav

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkMultistatus reads the answer to a PROPFIND about one file, and a folder of 1,000,
// as Apache writes it.
func BenchmarkMultistatus(b *testing.B) {
	const response = `<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/Scan%%20of%%20the%%20letter%%20%d.odt</D:href>
<D:propstat><D:prop>
<lp1:resourcetype/><lp1:getcontentlength>24576</lp1:getcontentlength>
<lp1:getlastmodified>Sun, 29 Nov 2026 02:16:05 GMT</lp1:getlastmodified>
<lp1:getetag>"6000-64a5b2c%d"</lp1:getetag>
<D:getcontenttype>application/vnd.oasis.opendocument.text</D:getcontenttype>
</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
<D:propstat><D:prop><D:displayname/><D:resource-id/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>
</D:response>
`
	base := &url.URL{Scheme: "http", Host: "nas.example", Path: "/dav/"}
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var doc strings.Builder
			doc.WriteString(`<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">`)
			for i := range n {
				fmt.Fprintf(&doc, response, i, i)
			}
			doc.WriteString(`</D:multistatus>`)
			b.SetBytes(int64(doc.Len()))
			b.ReportAllocs()
			for b.Loop() {
				found := 0
				err := DecodeMultistatus(strings.NewReader(doc.String()), Limits{}, func(r Response) error {
					if res, err := r.Resource(base); err != nil || res.Size != 24576 {
						return fmt.Errorf("%+v, %w", res, err)
					}
					found++
					return nil
				})
				if err != nil || found != n {
					b.Fatal(found, err)
				}
			}
		})
	}
}
