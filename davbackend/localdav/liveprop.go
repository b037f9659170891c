package localdav

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func davName(local string) xml.Name { return xml.Name{Space: "DAV:", Local: local} }

// liveProperties are those that only the server sets.
var liveProperties = map[xml.Name]bool{
	davName("creationdate"):          true,
	davName("displayname"):           true,
	davName("getcontentlength"):      true,
	davName("getcontenttype"):        true,
	davName("getetag"):               true,
	davName("getlastmodified"):       true,
	davName("lockdiscovery"):         true,
	davName("quota-available-bytes"): true, // RFC 4331
	davName("quota-used-bytes"):      true,
	davName("resource-id"):           true, // RFC 5842 3.1
	davName("resourcetype"):          true,
	davName("supportedlock"):         true,
}

// allprop are the live properties of RFC 4918; those of other documents are only
// answered by name (RFC 4918 9.1).
var allprop = []xml.Name{
	davName("resourcetype"), davName("displayname"), davName("getcontentlength"), davName("getcontenttype"),
	davName("getetag"), davName("getlastmodified"), davName("creationdate"), davName("lockdiscovery"), davName("supportedlock"),
}

// needs is what has to be looked up for an answer.
type needs struct{ rows, etag, dead, locks bool }

func (w wanted) needs() needs {
	if w.all || w.names {
		return needs{rows: true, etag: true, dead: true, locks: true}
	}
	var n needs
	for _, name := range w.props {
		switch {
		case name == davName("getetag"):
			n.rows, n.etag = true, true
		case name == davName("resource-id"):
			n.rows = true
		case name == davName("lockdiscovery"):
			n.locks = true
		case !liveProperties[name]:
			n.rows, n.dead = true, true
		}
	}
	return n
}

const supportedLock = "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>" +
	"<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"

// live is the value of a live property of o; ok is false if o has none of that name.
func (a *answering) live(name xml.Name, o described) (inner string, ok bool) {
	if name.Space != "DAV:" {
		return "", false
	}
	switch name.Local {
	case "resourcetype":
		if o.dir() {
			return "<D:collection/>", true
		}
		return "", true
	case "displayname":
		return escape(o.path.Base()), true
	case "getlastmodified":
		return o.modified().UTC().Format(http.TimeFormat), true
	case "creationdate":
		return time.Unix(0, o.info.birth).UTC().Format(time.RFC3339), o.info.lasting()
	case "lockdiscovery":
		var b strings.Builder
		for _, l := range a.locksOn(o) {
			b.WriteString(a.s.activeLock(l, a.now))
		}
		return b.String(), true
	case "supportedlock":
		return supportedLock, true
	case "resource-id":
		id := o.id()
		return "<D:href>urn:uuid:" + id + "</D:href>", id != ""
	case "quota-available-bytes":
		available, _, ok := a.quota(o)
		return available, ok
	case "quota-used-bytes":
		_, used, ok := a.quota(o)
		return used, ok
	}
	return o.fileProperty(name.Local)
}

// fileProperty are the live properties that folders do not have.
func (o described) fileProperty(local string) (string, bool) {
	if o.dir() {
		return "", false
	}
	switch local {
	case "getcontentlength":
		return strconv.FormatInt(o.size, 10), true
	case "getcontenttype":
		return escape(contentType(o.path.Base())), true
	case "getetag":
		return escape(o.etag), true
	}
	return "", false
}
