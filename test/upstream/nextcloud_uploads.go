package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strconv"
	"strings"

	"davwopi/davbackend/dav"
)

// An upload is a folder of chunks that wait for their assembly.
type upload struct {
	destination string
	chunks      map[int][]byte
}

// LeastChunk makes chunks other than the last that are smaller be refused when they are
// assembled, as an object store does with less than 5 MB.
func (a *Account) LeastChunk(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.least = bytes
}

// TearAssembly lets the next assembly write n bytes over the file and die there.
func (a *Account) TearAssembly(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tear = n
}

// LoseLocks makes an assembly take the target's lock away, as MOVE onto a file does.
func (a *Account) LoseLocks(loses bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loses = loses
}

// Uploads are the names of the upload folders that are there, sorted.
func (a *Account) Uploads() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := make([]string, 0, len(a.uploads))
	for n := range a.uploads {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// serveUploads is remote.php/dav/uploads/USER, by version 2 of Nextcloud's chunked
// upload: Destination with every request, numbers for names.
func (a *Account) serveUploads(w http.ResponseWriter, r *http.Request, rest string) {
	folder, name, _ := strings.Cut(rest, "/")
	switch {
	case folder == "" && r.Method == "PROPFIND":
		a.listUploads(w, r)
	case folder == "":
		sabre(w, http.StatusForbidden, "Forbidden")
	case name == "" && r.Method == "MKCOL":
		a.beginUpload(w, r, folder)
	case name == "" && r.Method == http.MethodDelete:
		a.mu.Lock()
		_, ok := a.uploads[folder]
		delete(a.uploads, folder)
		a.mu.Unlock()
		if !ok {
			sabre(w, http.StatusNotFound, "NotFound")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		a.putChunk(w, r, folder, name)
	case name == ".file" && r.Method == "MOVE":
		a.assemble(w, r, folder)
	default:
		sabre(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func (a *Account) listUploads(w http.ResponseWriter, r *http.Request) {
	folder := dav.Propstat{Status: 200, Props: []dav.Element{{Name: dav.PropResourceType, Children: []dav.Element{
		{Name: dav.PropName{Space: "DAV:", Local: "collection"}},
	}}}}
	top := strings.TrimSuffix(r.URL.EscapedPath(), "/") + "/"
	all := []dav.Response{{Hrefs: []string{top}, Propstats: []dav.Propstat{folder}}}
	for _, n := range a.Uploads() {
		all = append(all, dav.Response{Hrefs: []string{top + n + "/"}, Propstats: []dav.Propstat{folder}})
	}
	a.write(w, all...)
}

func (a *Account) beginUpload(w http.ResponseWriter, r *http.Request, folder string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Header.Get("Destination") == "":
		sabre(w, http.StatusBadRequest, "BadRequest")
	case a.uploads[folder] != nil:
		sabre(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	default:
		a.uploads[folder] = &upload{destination: r.Header.Get("Destination"), chunks: map[int][]byte{}}
		w.WriteHeader(http.StatusCreated)
	}
}

func (a *Account) putChunk(w http.ResponseWriter, r *http.Request, folder, name string) {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 || n > 10000 || r.ContentLength < 0 {
		sabre(w, http.StatusBadRequest, "BadRequest")
		return
	}
	body, err := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.uploads[folder]
	switch {
	case u == nil:
		sabre(w, http.StatusNotFound, "NotFound")
	case r.Header.Get("Destination") != u.destination || r.Header.Get("OC-Total-Length") == "":
		sabre(w, http.StatusBadRequest, "BadRequest")
	case err != nil:
		u.chunks[n] = body // what came of it
		panic(http.ErrAbortHandler)
	default:
		u.chunks[n] = body
		w.WriteHeader(http.StatusCreated)
	}
}

// whole joins the chunks in the order of their names.
func (a *Account) whole(u *upload) (body []byte, tooSmall bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []int
	for n := range u.chunks {
		names = append(names, n)
	}
	slices.Sort(names)
	for i, n := range names {
		if i < len(names)-1 && int64(len(u.chunks[n])) < a.least {
			tooSmall = true
		}
		body = append(body, u.chunks[n]...)
	}
	return body, tooSmall
}

// assemble writes the chunks over the target, in place: the file keeps its ID.
func (a *Account) assemble(w http.ResponseWriter, r *http.Request, folder string) {
	a.mu.Lock()
	u, tear := a.uploads[folder], a.tear
	a.tear = 0
	a.mu.Unlock()
	to, ok := a.destination(r)
	if u == nil {
		sabre(w, http.StatusNotFound, "NotFound")
		return
	}
	body, tooSmall := a.whole(u)
	name := strings.Trim(string(to), "/")
	switch exists := a.rawLook(to).found; {
	case !ok || tooSmall || r.Header.Get("OC-Total-Length") != strconv.Itoa(len(body)):
		sabre(w, http.StatusBadRequest, "BadRequest")
		return
	case r.Header.Get("If-Match") != "", // it would be about the folder of chunks
		exists && strings.EqualFold(r.Header.Get("Overwrite"), "F"):
		sabre(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	case !strings.Contains(a.permissions(name, false), "W"):
		sabre(w, http.StatusForbidden, "Forbidden")
		return
	case !a.enter(name, true):
		sabre(w, http.StatusLocked, "Locked")
		return
	}
	defer a.leave(name)
	put := a.withBody(r, body)
	if tear > 0 {
		put = a.withBody(r, body[:min(tear, int64(len(body)))])
	}
	put.Method, put.URL.Path, put.URL.RawPath = http.MethodPut, a.prefix+string(to), ""
	for _, h := range []string{"Destination", "Overwrite", "OC-Total-Length"} {
		put.Header.Del(h)
	}
	rec := httptest.NewRecorder()
	a.toLocal(rec, put)
	if tear > 0 {
		page(w, http.StatusGatewayTimeout)
		return
	}
	if rec.Code < 300 {
		a.mu.Lock()
		delete(a.uploads, folder)
		loses := a.loses
		a.mu.Unlock()
		for _, l := range a.look(to).Locks {
			if loses {
				unlock := a.plain("UNLOCK", to)
				unlock.Header.Set("Lock-Token", "<"+string(l.Token)+">")
				a.toLocal(httptest.NewRecorder(), unlock)
			}
		}
		rec.Body = new(bytes.Buffer)
		rec.Header().Set("Content-Length", "0")
		rec.Header().Set("OC-FileId", fmt.Sprint(a.id(a.rawLook(to).ResourceID)))
	}
	replay(w, rec)
}
