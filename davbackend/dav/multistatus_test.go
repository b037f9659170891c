package dav

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// rfcPropfind is RFC 4918 9.1.3 with an answer per property, shortened.
const rfcPropfind = `<?xml version="1.0" encoding="utf-8" ?>
<D:multistatus xmlns:D="DAV:">
  <D:response xmlns:R="http://ns.example.com/boxschema/">
    <D:href>http://www.example.com/file</D:href>
    <D:propstat>
      <D:prop><R:bigbox><R:BoxType>Box type A</R:BoxType></R:bigbox></D:prop>
      <D:status>HTTP/1.1 200 OK</D:status>
    </D:propstat>
    <D:propstat>
      <D:prop><R:DingALing/><R:Random/></D:prop>
      <D:status>HTTP/1.1 403 Forbidden</D:status>
      <D:responsedescription> The user does not have access to the DingALing property.</D:responsedescription>
    </D:propstat>
  </D:response>
  <D:responsedescription> There has been an access violation error.</D:responsedescription>
</D:multistatus>`

func decode(t *testing.T, doc string, l Limits) ([]Response, error) {
	t.Helper()
	var out []Response
	err := DecodeMultistatus(iotest.OneByteReader(strings.NewReader(doc)), l, func(r Response) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

func TestPerPropertyStatus(t *testing.T) {
	got, err := decode(t, rfcPropfind, Limits{})
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	res, err := got[0].Resource(parseURL(t, "http://www.example.com/"))
	if err != nil {
		t.Fatal(err)
	}
	box := PropName{"http://ns.example.com/boxschema/", "bigbox"}
	if want := map[PropName]string{box: "Box type A"}; res.Path != "/file" || !reflect.DeepEqual(res.Props, want) {
		t.Errorf("403 properties must not count: %+v", res)
	}
	if got[0].Propstats[1].Status != 403 || len(got[0].Propstats[1].Props) != 2 {
		t.Errorf("second propstat: %+v", got[0].Propstats[1])
	}
}

func TestResponseStatus(t *testing.T) {
	got, err := decode(t, `<multistatus xmlns="DAV:"><response><href>/a</href><href>/b</href>
		<status>HTTP/1.1 423 Locked</status><error><lock-token-submitted/></error>
		<responsedescription>x</responsedescription></response><sync-token>y</sync-token></multistatus>`, Limits{})
	want := []Response{{Hrefs: []string{"/a", "/b"}, Status: 423, Error: []PropName{{"DAV:", "lock-token-submitted"}}, Description: "x"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("RFC 4918 9.6.1, DELETE: %+v, %v", got, err)
	}
}

func one(props string) string {
	return `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response><d:href>/x</d:href>` +
		`<d:propstat><d:prop>` + props + `</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>`
}

func TestResource(t *testing.T) {
	for _, c := range []struct {
		name, props string
		want        func(*Resource)
	}{
		{"nothing", ``, func(*Resource) {}},
		{"a file", `<d:resourcetype/><d:getcontentlength> 12 </d:getcontentlength><d:getetag>"e"</d:getetag>
			<d:getlastmodified>Fri, 20 Nov 2026 10:00:00 GMT</d:getlastmodified><d:getcontenttype>text/plain</d:getcontenttype><d:displayname>x &amp; y</d:displayname>`,
			func(r *Resource) {
				r.Size, r.ETag, r.ContentType, r.DisplayName = 12, `"e"`, "text/plain", "x & y"
				r.Modified = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
			}},
		{"a collection has no size", `<d:getcontentlength>4096</d:getcontentlength><d:resourcetype><d:collection/></d:resourcetype>`,
			func(r *Resource) { r.Collection = true }},
		{"a collection of another namespace is none", `<d:resourcetype><collection xmlns="urn:x"/></d:resourcetype>`, func(*Resource) {}},
		{"getetag of another namespace is a property like any other", `<oc:getetag>"e"</oc:getetag>`,
			func(r *Resource) { r.Props = map[PropName]string{{ownCloud, "getetag"}: `"e"`} }},
		{"escaped quotes in getetag", `<d:getetag>&quot;e&quot;</d:getetag>`, func(r *Resource) { r.ETag = `"e"` }},
		{"negative length", `<d:getcontentlength>-5</d:getcontentlength>`, func(*Resource) {}},
		{"length that is no number", `<d:getcontentlength>1e3</d:getcontentlength>`, func(*Resource) {}},
		{"quota", `<d:quota-available-bytes>1048576</d:quota-available-bytes>`, func(r *Resource) { r.QuotaAvailable = 1 << 20 }},
		{"unlimited quota (Nextcloud -3)", `<d:quota-available-bytes>-3</d:quota-available-bytes>`, func(*Resource) {}},
		{"oc:id before oc:fileid", `<oc:fileid>12</oc:fileid><oc:id>00000012oc</oc:id>`, func(r *Resource) { r.NativeID = "00000012oc" }},
		{"oc:id before oc:fileid, other order", `<oc:id>00000012oc</oc:id><oc:fileid>12</oc:fileid>`, func(r *Resource) { r.NativeID = "00000012oc" }},
		{"oc:fileid alone", `<oc:fileid>12</oc:fileid>`, func(r *Resource) { r.NativeID = "12" }},
		{"RFC 5842 resource-id", `<d:resource-id><d:href>urn:uuid:1</d:href></d:resource-id>`, func(r *Resource) { r.ResourceID = "urn:uuid:1" }},
		{"no locks", `<d:lockdiscovery/>`, func(r *Resource) { r.LocksKnown = true }},
		{"a lock (RFC 4918 15.8)", `<d:lockdiscovery><d:activelock><d:locktype><d:write/></d:locktype><d:lockscope><d:exclusive/></d:lockscope>
			<d:depth>0</d:depth><d:owner>Jane Smith</d:owner><d:timeout>Second-1800</d:timeout>
			<d:locktoken><d:href>urn:uuid:f81de2ad</d:href></d:locktoken><d:lockroot><d:href>/x</d:href></d:lockroot></d:activelock></d:lockdiscovery>`,
			func(r *Resource) {
				r.LocksKnown = true
				r.Locks = []ActiveLock{{Token: "urn:uuid:f81de2ad", Owner: "Jane Smith", Exclusive: true, Timeout: 30 * time.Minute, Root: "/x"}}
			}},
		{"a shared lock of infinite depth without end", `<d:lockdiscovery><d:activelock><d:lockscope><d:shared/></d:lockscope>
			<d:depth>Infinity</d:depth><d:owner><d:href>mailto:a@b</d:href></d:owner><d:timeout>Infinite</d:timeout></d:activelock></d:lockdiscovery>`,
			func(r *Resource) {
				r.LocksKnown = true
				r.Locks = []ActiveLock{{Owner: "mailto:a@b", Infinite: true}}
			}},
		{"a token that cannot be sent back is left out", `<d:lockdiscovery><d:activelock><d:locktoken><d:href>a b</d:href></d:locktoken></d:activelock></d:lockdiscovery>`,
			func(r *Resource) {
				r.LocksKnown = true
				r.Locks = []ActiveLock{{Exclusive: true}}
			}},
		{"CDATA", `<d:displayname><![CDATA[a<b]]></d:displayname>`, func(r *Resource) { r.DisplayName = "a<b" }},
		{"a name with bytes that XML cannot hold", "<d:displayname>a\x01b\xffc</d:displayname>", func(r *Resource) { r.DisplayName = "a?b?c" }},
	} {
		got, err := decode(t, one(c.props), Limits{})
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", c.name, got, err)
			continue
		}
		res, err := got[0].Resource(nil)
		want := Resource{Path: "/x", Size: -1, QuotaAvailable: -1}
		c.want(&want)
		if len(res.Locks) == 0 {
			res.Locks = nil
		}
		if err != nil || !reflect.DeepEqual(res, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.name, res, err, want)
		}
	}
}

func TestMultistatusRefuses(t *testing.T) {
	many := strings.Repeat("<d:x/>", 50)
	limits := Limits{Bytes: 4000, Token: 300, Depth: 10, Elements: 40, Responses: 3}
	response := `<d:response><d:href>/x</d:href></d:response>`
	wrap := func(s string) string { return `<d:multistatus xmlns:d="DAV:">` + s + `</d:multistatus>` }
	for _, c := range []struct {
		name, doc string
		bound     bool
	}{
		{"HTML", "<!DOCTYPE html><html><body>Requested page locked</body></html>", false},
		{"HTML without document type", "<html><body>login</body></html>", false},
		{"words", "no such file", false},
		{"nothing", "", false},
		{"another element", `<error xmlns="DAV:"/>`, false},
		{"another namespace", `<multistatus xmlns="urn:x"/>`, false},
		{"cut in the middle", wrap(response)[:60], false},
		{"cut before the last tag", strings.TrimSuffix(wrap(response), "</d:multistatus>"), false},
		{"mismatched tags", wrap("<d:response></d:href>"), false},
		{"entity bomb", `<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>` + wrap("<d:response>&b;</d:response>"), false},
		{"external entity", `<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + wrap("&x;"), false},
		{"undeclared entity", wrap("<d:response>&nbsp;</d:response>"), false},
		{"other charset", `<?xml version="1.0" encoding="utf-7"?>` + wrap(response), false},
		{"too many bytes", wrap(strings.Repeat(response, 2) + strings.Repeat(" ", 250) + strings.Repeat("<d:x>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</d:x>", 90)), true},
		{"long text", wrap("<d:response>" + strings.Repeat("a", 400) + "</d:response>"), true},
		{"long attribute", wrap(`<d:response a="` + strings.Repeat("a", 400) + `"/>`), true},
		{"long tag name", wrap("<" + strings.Repeat("a", 400) + "/>"), true},
		{"long comment", wrap("<!--" + strings.Repeat("a", 400) + "-->"), true},
		{"much text in small pieces", wrap("<d:response>" + strings.Repeat(strings.Repeat("a", 100)+"<d:x/>", 7) + "</d:response>"), true},
		{"deep", wrap("<d:response>" + strings.Repeat("<d:x>", 20) + strings.Repeat("</d:x>", 20) + "</d:response>"), true},
		{"many elements", wrap("<d:response>" + many + "</d:response>"), true},
		{"many responses", wrap(strings.Repeat(response, 4)), true},
	} {
		_, err := decode(t, c.doc, limits)
		if !errors.Is(err, ErrSyntax) || errors.Is(err, ErrBound) != c.bound {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: error of %d bytes", c.name, len(err.Error()))
		}
	}
}

// Each response arrives when it is complete, before the next one has been sent.
func TestMultistatusStreams(t *testing.T) {
	pr, pw := io.Pipe()
	arrived := make(chan string)
	done := make(chan error, 1)
	go func() {
		done <- DecodeMultistatus(pr, Limits{}, func(r Response) error { arrived <- r.Hrefs[0]; return nil })
	}()
	fmt.Fprint(pw, `<multistatus xmlns="DAV:">`)
	for _, href := range []string{"/a", "/b"} {
		fmt.Fprintf(pw, "<response><href>%s</href></response>", href)
		if got := <-arrived; got != href {
			t.Errorf("got %q, want %q", got, href)
		}
	}
	pw.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-done; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the reader's own error is kept: %v", err)
	}
}

func TestMultistatusStopsWhenTold(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := DecodeMultistatus(strings.NewReader(`<multistatus xmlns="DAV:"><response/><response/></multistatus>`), Limits{},
		func(Response) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%d calls, %v", n, err)
	}
}

func TestLockAnswer(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		token     LockToken // "" refused
		timeout   time.Duration
	}{
		{"RFC 4918 9.10.7", `<?xml version="1.0" encoding="utf-8" ?><D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock>
			<D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/></D:lockscope><D:depth>infinity</D:depth>
			<D:owner><D:href>http://example.org/~ejw/contact.html</D:href></D:owner><D:timeout>Second-604800</D:timeout>
			<D:locktoken><D:href>urn:uuid:e71d4fae-5dec-22d6-fea5-00a0c91e6be4</D:href></D:locktoken>
			<D:lockroot><D:href>http://example.com/workspace/webdav/proposal.doc</D:href></D:lockroot>
			</D:activelock></D:lockdiscovery></D:prop>`, "urn:uuid:e71d4fae-5dec-22d6-fea5-00a0c91e6be4", 604800 * time.Second},
		{"undeclared prefix in the owner (OpenCloud)", `<d:prop xmlns:d="DAV:"><d:lockdiscovery><d:activelock><d:owner><D:href>x</D:href></d:owner>
			<d:timeout>Infinite</d:timeout><d:locktoken><d:href>urn:uuid:1</d:href></d:locktoken><d:lockroot><d:href>./pr/x</d:href></d:lockroot></d:activelock></d:lockdiscovery></d:prop>`,
			"urn:uuid:1", 0},
		{"no lockdiscovery", `<prop xmlns="DAV:"/>`, "", 0},
		{"HTML", "<html/>", "", 0},
	} {
		e, err := DecodeElement(strings.NewReader(c.doc), Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		locks, err := ParseLockAnswer(e)
		if c.token == "" {
			if !errors.Is(err, ErrSyntax) {
				t.Errorf("%s: %v, %v", c.name, locks, err)
			}
			continue
		}
		if err != nil || len(locks) != 1 || locks[0].Token != c.token || locks[0].Timeout != c.timeout {
			t.Errorf("%s: %+v, %v", c.name, locks, err)
		}
	}
}

// What we send can be read by the same rules, whatever stands in names and values.
func TestBodies(t *testing.T) {
	odd := PropName{`urn:"<&>`, "stamp"}
	plain := PropName{"", "bare"}
	e, err := DecodeElement(bytes.NewReader(PropfindBody([]PropName{PropETag, odd, PropOCID, plain})), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	prop, ok := e.Child("DAV:", "prop")
	if !ok || e.Name != (PropName{"DAV:", "propfind"}) || !reflect.DeepEqual(names(prop), []PropName{PropETag, odd, PropOCID, plain}) {
		t.Errorf("propfind: %+v", e)
	}
	value := "a<b>&\"]]>\x01é"
	e, err = DecodeElement(bytes.NewReader(ProppatchBody(map[PropName]string{odd: value}, []PropName{PropOCID})), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := e.Child("DAV:", "set")
	remove, _ := e.Child("DAV:", "remove")
	if set.Children[0].Children[0].Name != odd || set.AllText() != strings.ReplaceAll(value, "\x01", "\uFFFD") ||
		remove.Children[0].Children[0].Name != PropOCID {
		t.Errorf("proppatch: %+v", e)
	}
	e, err = DecodeElement(bytes.NewReader(LockBody("Jane <x> & co")), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := e.Child("DAV:", "owner")
	if !ok || owner.Text != "Jane <x> & co" || len(owner.Children) != 0 {
		t.Errorf("owner must be plain text: %+v", e)
	}
	if bytes.Contains(LockBody(""), []byte("owner")) {
		t.Error("an empty owner must not be sent")
	}
}

func FuzzMultistatus(f *testing.F) {
	f.Add(rfcPropfind)
	f.Add(one(`<d:lockdiscovery><d:activelock><d:locktoken><d:href>a:b</d:href></d:locktoken></d:activelock></d:lockdiscovery>`))
	f.Add(one("<d:displayname>\xff\x01</d:displayname>"))
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><multistatus xmlns="DAV:">&a;</multistatus>`)
	f.Add(`<multistatus xmlns="DAV:"><response><href>/%2f</href><status>HTTP/1.1 200</status></response></multistatus>`)
	limits := Limits{Bytes: 1 << 16, Token: 1 << 12, Depth: 12, Elements: 200, Responses: 50}
	f.Fuzz(func(t *testing.T, doc string) {
		n := 0
		err := DecodeMultistatus(strings.NewReader(doc), limits, func(r Response) error {
			if n++; n > limits.Responses {
				t.Fatal("more responses than allowed")
			}
			res, err := r.Resource(nil)
			if err != nil {
				if !errors.Is(err, ErrBadPath) {
					t.Fatalf("error is not ErrBadPath: %v", err)
				}
				return nil
			}
			if p, err := ParsePath(string(res.Path)); err != nil || p != res.Path {
				t.Fatalf("path %q is none: %v", res.Path, err)
			}
			if res.Size < -1 || res.QuotaAvailable < -1 {
				t.Fatalf("sizes: %+v", res)
			}
			for _, l := range res.Locks {
				if l.Token == "" {
					continue
				}
				if _, err := ParseIf(If{{Conditions: []Condition{{Token: l.Token}}}}.String()); err != nil {
					t.Fatalf("token %q cannot be shown: %v", l.Token, err)
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrSyntax) {
			t.Fatalf("error is not ErrSyntax: %v", err)
		}
	})
}
