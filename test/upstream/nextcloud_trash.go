package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"time"

	"davwopi/davbackend/dav"
)

// trashFolder is where an account's local server has what was deleted. Nobody sees it
// there.
const trashFolder = ".deleted"

// HaveTrash lets what is deleted from now on go to the account's trash, as Nextcloud's
// files_trashbin does: remote.php/dav/trashbin/USER/trash lists it as NAME.dSECONDS, and
// a MOVE to .../restore/ puts it back where it was, or beside what is there by now.
// Without it there is no such address, as with the app switched off.
func (a *Account) HaveTrash() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trash = make(map[string]trashed)
	a.toLocal(httptest.NewRecorder(), a.plain("MKCOL", dav.Path("/"+trashFolder)))
}

// A trashed thing is one that was deleted.
type trashed struct {
	was  dav.Path
	when int64
}

// delete is DELETE: into the trash, if there is one.
func (a *Account) delete(w http.ResponseWriter, r *http.Request) {
	p := a.pathOf(r.URL.Path)
	a.mu.Lock()
	has := a.trash != nil
	a.mu.Unlock()
	if !has || p.IsRoot() || !a.rawLook(p).found {
		a.toLocal(w, r)
		return
	}
	now := time.Now().Unix()
	name := fmt.Sprintf("%s.d%d", p.Base(), now)
	for a.rawLook(dav.Path("/" + trashFolder + "/" + name)).found {
		now++
		name = fmt.Sprintf("%s.d%d", p.Base(), now)
	}
	rec := a.carry(r, p, dav.Path("/"+trashFolder+"/"+name))
	if rec.Code >= 300 {
		replay(w, rec)
		return
	}
	a.mu.Lock()
	a.trash[name] = trashed{p, now}
	a.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// carry moves something on the local server, with the conditions of r.
func (a *Account) carry(r *http.Request, from, to dav.Path) *httptest.ResponseRecorder {
	r2 := r.Clone(r.Context())
	r2.Method, r2.URL.Path, r2.URL.RawPath = "MOVE", a.prefix+string(from), ""
	r2.Header.Set("Destination", "http://"+r.Host+(&escaped{a.prefix + string(to)}).String())
	r2.Header.Set("Overwrite", "F")
	rec := httptest.NewRecorder()
	a.toLocal(rec, r2)
	return rec
}

// serveTrash is remote.php/dav/trashbin/USER.
func (a *Account) serveTrash(w http.ResponseWriter, r *http.Request, rest string) {
	a.mu.Lock()
	all := make(map[string]trashed)
	for name, t := range a.trash {
		all[name] = t
	}
	has := a.trash != nil
	a.mu.Unlock()
	name, inTrash := strings.CutPrefix(rest, "trash/")
	switch {
	case !has:
		sabre(w, http.StatusNotFound, "NotFound")
	case rest == "trash" && r.Method == "PROPFIND":
		a.listTrash(w, r, all)
	case inTrash && r.Method == "MOVE":
		a.restore(w, r, name, all[name])
	default:
		sabre(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func (a *Account) listTrash(w http.ResponseWriter, r *http.Request, all map[string]trashed) {
	folder := dav.Element{Name: dav.PropResourceType, Children: []dav.Element{{Name: dav.PropName{Space: "DAV:", Local: "collection"}}}}
	top := strings.TrimSuffix(r.URL.EscapedPath(), "/") + "/"
	out := []dav.Response{{Hrefs: []string{top}, Propstats: []dav.Propstat{{Status: 200, Props: []dav.Element{folder}}}}}
	for name, t := range all {
		if r.Header.Get("Depth") == "0" {
			break
		}
		seen := a.rawLook(dav.Path("/" + trashFolder + "/" + name))
		kind := dav.Element{Name: dav.PropResourceType}
		if seen.Collection {
			kind = folder
		}
		nc := func(local, text string) dav.Element {
			return dav.Element{Name: dav.PropName{Space: "http://nextcloud.org/ns", Local: local}, Text: text}
		}
		out = append(out, dav.Response{Hrefs: []string{top + strings.TrimPrefix((&escaped{"/" + name}).String(), "/")}, Propstats: []dav.Propstat{{Status: 200, Props: []dav.Element{
			kind,
			{Name: dav.PropOCID, Text: a.fileID(seen.ResourceID)}, // the number alone, says its TrashbinPlugin
			nc("trashbin-filename", t.was.Base()), nc("trashbin-original-location", strings.TrimPrefix(string(t.was), "/")),
			nc("trashbin-deletion-time", fmt.Sprint(t.when)),
		}}}})
	}
	a.write(w, out...)
}

// restore puts something back, under another name if its own is taken.
func (a *Account) restore(w http.ResponseWriter, r *http.Request, name string, t trashed) {
	if t.was == "" || !strings.Contains(r.Header.Get("Destination"), "/trashbin/") || !strings.Contains(r.Header.Get("Destination"), "/restore/") {
		sabre(w, http.StatusNotFound, "NotFound")
		return
	}
	to := t.was
	if !a.rawLook(to.Parent()).found {
		to = dav.Path("/" + to.Base()) // its folder is gone
	}
	for n := 1; a.rawLook(to).found; n++ {
		ext := path.Ext(t.was.Base())
		mark := " (restored)"
		if n > 1 {
			mark = fmt.Sprintf(" (restored %d)", n)
		}
		to = dav.Path(path.Join(string(to.Parent()), strings.TrimSuffix(t.was.Base(), ext)+mark+ext))
	}
	rec := a.carry(r, dav.Path("/"+trashFolder+"/"+name), to)
	if rec.Code < 300 {
		a.mu.Lock()
		delete(a.trash, name)
		a.mu.Unlock()
	}
	replay(w, rec)
}
