package localdav

import (
	"bufio"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// A multistatus writes a 207 (RFC 4918 13) as it goes.
type multistatus struct {
	w   http.ResponseWriter
	buf *bufio.Writer
}

// writers are used again: most answers are shorter than one of these.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}

func (s *Server) multistatus(w http.ResponseWriter) *multistatus {
	m := &multistatus{w: w, buf: writers.Get().(*bufio.Writer)}
	m.buf.Reset(w)
	w.Header().Set("Content-Type", xmlType)
	w.WriteHeader(http.StatusMultiStatus)
	m.put(xmlHead + `<D:multistatus xmlns:D="DAV:">`)
	return m
}

// put ignores errors: a bufio.Writer keeps the first one for close.
func (m *multistatus) put(s string) { _, _ = m.buf.WriteString(s) }

// status says one status about one resource.
func (m *multistatus) status(href string, status int) {
	m.put("\n<D:response><D:href>" + escape(href) + "</D:href>" + statusLine(status) + "</D:response>")
}

// A value is one property in an answer.
type value struct {
	name  xml.Name
	lang  string
	inner string // XML
}

// response says what is known about one resource and what is not.
func (m *multistatus) response(href string, found []value, missing []xml.Name) {
	m.put("\n<D:response><D:href>" + escape(href) + "</D:href>")
	if len(found) > 0 || len(missing) == 0 {
		m.put("<D:propstat><D:prop>")
		for _, v := range found {
			m.value(v)
		}
		m.put("</D:prop>" + statusLine(http.StatusOK) + "</D:propstat>")
	}
	if len(missing) > 0 {
		m.put("<D:propstat><D:prop>")
		for _, name := range missing {
			m.value(value{name: name})
		}
		m.put("</D:prop>" + statusLine(http.StatusNotFound) + "</D:propstat>")
	}
	m.put("</D:response>")
}

func (m *multistatus) value(v value) {
	tag, declare := "D:"+v.name.Local, ""
	switch v.name.Space {
	case "DAV:":
	case "":
		tag, declare = v.name.Local, ` xmlns=""`
	default:
		tag, declare = "x:"+v.name.Local, ` xmlns:x="`+escape(v.name.Space)+`"`
	}
	if v.lang != "" {
		declare += ` xml:lang="` + escape(v.lang) + `"`
	}
	if v.inner == "" {
		m.put("<" + tag + declare + "/>")
		return
	}
	m.put("<" + tag + declare + ">" + v.inner + "</" + tag + ">")
}

// close ends the document. The client may be gone by now.
func (m *multistatus) close() error {
	m.put("\n</D:multistatus>\n")
	_ = m.buf.Flush()
	m.buf.Reset(nil)
	writers.Put(m.buf)
	m.buf = nil
	return nil
}

func statusLine(status int) string {
	return strings.TrimSpace("<D:status>HTTP/1.1 "+strconv.Itoa(status)+" "+http.StatusText(status)) + "</D:status>"
}
