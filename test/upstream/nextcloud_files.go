package upstream

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"davwopi/davbackend/dav"
)

const (
	ocSpace  = "http://owncloud.org/ns"
	instance = "oc1testcloud"
)

// escaped is a decoded URL path.
type escaped struct{ path string }

func (e *escaped) String() string { return (&url.URL{Path: e.path}).EscapedPath() }

// serveDAV is everything below remote.php/dav, behind authentication, quirks and
// faults.
func (a *Account) serveDAV(w http.ResponseWriter, r *http.Request) {
	top := a.cloud.at + "/remote.php/dav"
	rest := strings.TrimPrefix(r.URL.Path, top)
	ways := a.cloud.ways
	switch {
	case under(r.URL.Path, a.prefix):
		a.files(w, r)
	case strings.Trim(rest, "/") == "" && r.Method == "SEARCH" && ways.search:
		a.search(w, r)
	case strings.Trim(rest, "/") == "" && r.Method == "SEARCH":
		sabre(w, http.StatusNotImplemented, "NotImplemented")
	case strings.Trim(rest, "/") == "" && r.Method == "PROPFIND" && ways.principal:
		principal := dav.Element{Name: dav.PropName{Space: "DAV:", Local: "current-user-principal"}, Children: []dav.Element{
			{Name: dav.PropName{Space: "DAV:", Local: "href"}, Text: (&escaped{top + "/principals/users/" + a.UserID + "/"}).String()},
		}}
		a.write(w, dav.Response{Hrefs: []string{top + "/"}, Propstats: []dav.Propstat{{Status: 200, Props: []dav.Element{principal}}}})
	case under(rest, "/uploads/"+a.UserID) && ways.uploads:
		a.serveUploads(w, r, strings.Trim(strings.TrimPrefix(rest, "/uploads/"+a.UserID), "/"))
	case under(rest, "/trashbin/"+a.UserID) && ways.uploads:
		a.serveTrash(w, r, strings.Trim(strings.TrimPrefix(rest, "/trashbin/"+a.UserID), "/"))
	case under(rest, "/meta") && ways.meta && r.Method == "PROPFIND":
		a.meta(w, r, strings.Trim(strings.TrimPrefix(rest, "/meta"), "/"))
	default:
		sabre(w, http.StatusNotFound, "NotFound")
	}
}

// sabre refuses in the words of the library that these servers are built on.
func sabre(w http.ResponseWriter, status int, exception string) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?>`+"\n"+`<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">`+
		`<s:exception>Sabre\DAV\Exception\%s</s:exception><s:message/></d:error>`, exception)
}

// files serves the person's own files.
func (a *Account) files(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, a.prefix), "/")
	writes := r.Method == http.MethodPut
	if writes && !strings.Contains(a.permissions(name, false), "W") {
		sabre(w, http.StatusForbidden, "Forbidden")
		return
	}
	if (writes || r.Method == http.MethodGet) && !a.enter(name, writes) {
		sabre(w, http.StatusLocked, "Locked") // transactional: somebody is writing
		return
	}
	if writes {
		defer a.leave(name)
	}
	switch r.Method {
	case "PROPFIND":
		rec := httptest.NewRecorder()
		a.toLocal(rec, r)
		if rec.Code != http.StatusMultiStatus {
			replay(w, rec)
			return
		}
		a.write(w, a.translate(rec.Body.Bytes())...)
	case "MOVE":
		a.move(w, r)
	case http.MethodDelete:
		a.delete(w, r)
	default:
		a.toLocal(w, r)
	}
}

func (a *Account) toLocal(w http.ResponseWriter, r *http.Request) {
	r2 := r.Clone(r.Context())
	r2.URL.Path, r2.URL.RawPath = strings.TrimPrefix(r.URL.Path, a.prefix), ""
	a.local.ServeHTTP(w, r2)
}

// enter takes the lock that a server holds while it writes a file; readers only look.
func (a *Account) enter(name string, writes bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[name] && a.cloud.ways.numbers { // the other kind replaces a file in one step
		return false
	}
	if writes {
		a.busy[name] = true
	}
	return true
}

func (a *Account) leave(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, name)
}

// move is MOVE; a file that is moved onto another brings its own ID along.
func (a *Account) move(w http.ResponseWriter, r *http.Request) {
	from := a.rawLook(a.pathOf(r.URL.Path))
	to, _ := a.destination(r)
	was := a.rawLook(to)
	rec := httptest.NewRecorder()
	a.toLocal(rec, r)
	if rec.Code < 300 && was.found && from.found && !from.Collection {
		a.mu.Lock()
		if n, ok := a.numbers[from.ResourceID]; ok {
			a.numbers[was.ResourceID] = n
		} else {
			delete(a.numbers, was.ResourceID)
		}
		a.mu.Unlock()
	}
	replay(w, rec)
}

// rawLook is look with the resource-id that this server hides from others.
func (a *Account) rawLook(p dav.Path) seen {
	r := a.plain("PROPFIND", p)
	r.Header.Set("Depth", "0")
	body := dav.PropfindBody([]dav.PropName{dav.PropResourceType, dav.PropResourceID})
	r.Body = http.MaxBytesReader(nil, newBody(body), 1<<20)
	r.ContentLength = int64(len(body))
	rec := httptest.NewRecorder()
	a.toLocal(rec, r)
	var out seen
	_ = dav.DecodeMultistatus(rec.Body, dav.Limits{}, func(resp dav.Response) error { // an error is "not found"
		if resp.Status < 300 {
			out = seen{found: true, Resource: resp.At(p)}
		}
		return nil
	})
	return out
}

// translate replaces the resource-ids of an answer by IDs of this kind of server.
func (a *Account) translate(body []byte) []dav.Response {
	var all []dav.Response
	base := &url.URL{Path: a.prefix}
	_ = dav.DecodeMultistatus(bytes.NewReader(body), dav.Limits{}, func(r dav.Response) error { // it is our own
		res, err := r.Resource(base)
		if err != nil || res.Path == "/"+trashFolder {
			return nil
		}
		own := map[string]string{
			"id": a.id(res.ResourceID), "fileid": a.fileID(res.ResourceID),
			"permissions": a.permissions(strings.Trim(string(res.Path), "/"), res.Collection),
		}
		var found []dav.Element
		for i := range r.Propstats {
			ps := &r.Propstats[i]
			ps.Props = slices.DeleteFunc(ps.Props, func(e dav.Element) bool {
				if e.Name.Space == ocSpace && own[e.Name.Local] != "" {
					found = append(found, dav.Element{Name: e.Name, Text: own[e.Name.Local]})
					return true
				}
				return e.Name == dav.PropResourceID
			})
		}
		r.Propstats = slices.DeleteFunc(r.Propstats, func(ps dav.Propstat) bool { return len(ps.Props) == 0 })
		if len(found) > 0 {
			r.Propstats = append(r.Propstats, dav.Propstat{Status: 200, Props: found})
		}
		all = append(all, r)
		return nil
	})
	return all
}

func (a *Account) permissions(name string, folder bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if letters, ok := a.letters[name]; ok {
		return letters
	}
	if folder {
		return "RGDNVCK"
	}
	return "RGDNVW"
}

// number is oc:fileid's, which stays with the file.
func (a *Account) number(rid string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.numbers[rid] == 0 {
		a.last++
		a.numbers[rid] = 40 + a.last
	}
	return a.numbers[rid]
}

func (a *Account) fileID(rid string) string {
	if !a.cloud.ways.numbers {
		return a.id(rid)
	}
	return strconv.FormatInt(a.number(rid), 10)
}

func (a *Account) id(rid string) string {
	if !a.cloud.ways.numbers {
		return fmt.Sprintf("storage-1$%x!node %d", a.UserID, a.number(rid))
	}
	return fmt.Sprintf("%08d%s", a.number(rid), instance)
}

// write sends a multistatus.
func (a *Account) write(w http.ResponseWriter, all ...dav.Response) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	top := dav.Element{Name: dav.PropName{Space: "DAV:", Local: "multistatus"}}
	leaf := func(local, text string) dav.Element {
		return dav.Element{Name: dav.PropName{Space: "DAV:", Local: local}, Text: text}
	}
	for _, r := range all {
		e := leaf("response", "")
		e.Children = append(e.Children, leaf("href", r.Hrefs[0]))
		if r.Status != 0 {
			e.Children = append(e.Children, leaf("status", fmt.Sprintf("HTTP/1.1 %d %s", r.Status, http.StatusText(r.Status))))
		}
		for _, ps := range r.Propstats {
			prop, one := leaf("prop", ""), leaf("propstat", "")
			prop.Children = ps.Props
			one.Children = []dav.Element{prop, leaf("status", fmt.Sprintf("HTTP/1.1 %d %s", ps.Status, http.StatusText(ps.Status)))}
			e.Children = append(e.Children, one)
		}
		top.Children = append(top.Children, e)
	}
	out := xml.NewEncoder(w)
	encodeElement(out, top)
	_ = out.Flush() // the client may have left
}

func encodeElement(out *xml.Encoder, e dav.Element) {
	start := xml.StartElement{Name: xml.Name{Space: e.Name.Space, Local: e.Name.Local}}
	_ = out.EncodeToken(start) // balanced, into a response
	_ = out.EncodeToken(xml.CharData(e.Text))
	for _, c := range e.Children {
		encodeElement(out, c)
	}
	_ = out.EncodeToken(start.End())
}
