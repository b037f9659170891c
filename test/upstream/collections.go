package upstream

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"davwopi/davbackend/dav"
)

// The quirks of collections, destinations and names.

// spell finds out which files a request is about.
func (x *exchange) spell() {
	x.path = x.s.spelled(x.q, x.s.pathOf(x.r.URL.Path))
	if x.q.NFDIsNFC || x.q.CaseIsSame {
		slash := strings.HasSuffix(x.r.URL.Path, "/") && !x.path.IsRoot()
		x.r.URL.Path, x.r.URL.RawPath = x.s.prefix+string(x.path), ""
		if slash {
			x.r.URL.Path += "/"
		}
	}
	if p, ok := x.s.destination(x.r); ok && x.r.Header.Get("Destination") != "" {
		x.to = x.s.spelled(x.q, p)
	}
}

// spelled is the path under which a server that does not tell forms of a name apart
// has the file.
func (s *Server) spelled(q Quirks, p dav.Path) dav.Path {
	if !q.NFDIsNFC && !q.CaseIsSame {
		return p
	}
	out := dav.Root
	for _, name := range p.Segments() {
		if q.NFDIsNFC {
			name = composed.Replace(name)
		}
		if q.CaseIsSame {
			name = s.asWritten(out, name)
		}
		out, _ = out.Join(name) // as good as it was
	}
	return out
}

// composed is what of NFC these tests use.
var composed = strings.NewReplacer("e\u0301", "\u00e9", "a\u0308", "\u00e4", "o\u0308", "\u00f6", "u\u0308", "\u00fc",
	"E\u0301", "\u00c9", "A\u0308", "\u00c4", "O\u0308", "\u00d6", "U\u0308", "\u00dc")

func (s *Server) asWritten(folder dav.Path, name string) string {
	entries, _ := os.ReadDir(s.disk(folder)) // nothing there: as it came
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return e.Name()
		}
	}
	return name
}

func (x *exchange) longName() int {
	name := x.path.Base()
	switch x.r.Method {
	case "MOVE", "COPY":
		name = x.to.Base()
	case http.MethodPut, "MKCOL", "LOCK":
	default:
		return 0
	}
	if x.q.LongestName == 0 || len(name) <= x.q.LongestName {
		return 0
	}
	if x.q.LongName != 0 {
		return x.q.LongName
	}
	return http.StatusBadRequest
}

func (x *exchange) collection() int {
	status := 0
	switch x.r.Method {
	case "PROPFIND":
		status = x.q.PropfindSlash
	case "MOVE", "COPY", "DELETE":
		status = x.q.SlashStatus
	}
	if status == 0 || strings.HasSuffix(x.r.URL.Path, "/") || !x.before().Collection {
		return 0
	}
	return status
}

func (x *exchange) destination() int {
	raw := x.r.Header.Get("Destination")
	u, err := url.Parse(raw)
	if raw == "" || err != nil {
		return 0
	}
	switch {
	case u.Host == "" && x.q.PathDestination != 0:
		return x.q.PathDestination
	case u.Host != "" && !strings.EqualFold(u.Host, x.r.Host) && x.q.OtherHost >= 300:
		return x.q.OtherHost
	case u.Host != "" && !strings.EqualFold(u.Host, x.r.Host) && x.q.OtherHost == 0, x.to == "":
		return 0 // the server refuses it
	}
	if x.q.OtherHost != 0 || x.q.NFDIsNFC || x.q.CaseIsSame {
		x.r.Header.Set("Destination", x.s.tag(x.r, x.to))
	}
	if x.q.MissingParent == 0 || x.r.Method != "MOVE" || x.s.look(x.to.Parent()).found {
		return 0
	}
	if x.q.MissingParent < 300 {
		_ = os.MkdirAll(x.s.disk(x.to.Parent()), 0o777) // the server refuses what follows, then
		return 0
	}
	return x.q.MissingParent
}

// tag is the absolute URL of p as r's client would say it.
func (s *Server) tag(r *http.Request, p dav.Path) string {
	return "http://" + r.Host + s.base().EscapedPath() + p.Escaped()
}

func (x *exchange) depth() int {
	if x.r.Method != "PROPFIND" {
		return 0
	}
	d, err := dav.ParseDepth(x.r.Header.Get("Depth"))
	if x.r.Header.Get("Depth") != "" && (err != nil || d != dav.DepthInfinity) {
		return 0
	}
	switch x.q.DepthInfinity {
	case 0:
		return 0 // the server refuses it
	case http.StatusMultiStatus:
		x.deep = true
		x.keepXML()
	case 1:
	default:
		return x.q.DepthInfinity
	}
	x.r.Header.Set("Depth", "1")
	return 0
}

// keepXML reads the body, which is small, so that it can be read again.
func (x *exchange) keepXML() {
	x.body, _ = io.ReadAll(x.r.Body) // a client that has left will not hear the answer
	x.r.Body = io.NopCloser(bytes.NewReader(x.body))
}

func (x *exchange) xmlType() int {
	switch x.r.Method {
	case "PROPFIND", "PROPPATCH", "LOCK":
		if x.q.XMLType415 && x.r.ContentLength != 0 && !strings.Contains(x.r.Header.Get("Content-Type"), "xml") {
			return http.StatusUnsupportedMediaType
		}
	}
	return 0
}

// How hrefs in answers can differ, for Quirks.Hrefs.

// DoubleSlash doubles the slash after the mount point (Caddy).
func DoubleSlash(href string) string { return strings.Replace(href, prefix, prefix+"/", 1) }

// OtherOrigin makes hrefs absolute, with a host that the client does not know (a server
// behind a proxy).
func OtherOrigin(href string) string { return "http://backend.invalid:8080" + href }

// OtherCase writes the mount point in upper case (Mailfence).
func OtherCase(href string) string {
	return strings.ToUpper(href[:len(prefix)]) + href[len(prefix):]
}

// OtherEscapes writes hex digits in lower case, and some characters plainly.
func OtherEscapes(href string) string {
	for _, plain := range []string{"+", "(", ")", ";", "'", ","} {
		href = strings.ReplaceAll(href, url.QueryEscape(plain), plain)
	}
	u, err := url.PathUnescape(href)
	if err != nil {
		return href
	}
	var b strings.Builder
	for i := 0; i < len(u); i++ {
		if c := u[i]; c < 0x80 && !strings.ContainsRune(` %?#"<>`, rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToLower(hexByte(u[i])))
	}
	return b.String()
}

func hexByte(c byte) string {
	const hex = "0123456789ABCDEF"
	return string([]byte{hex[c>>4], hex[c&15]})
}
