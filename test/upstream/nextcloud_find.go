package upstream

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"davwopi/davbackend/dav"
)

func newBody(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// search answers SEARCH for one oc:fileid, as far as a file's place is asked for.
func (a *Account) search(w http.ResponseWriter, r *http.Request) {
	query, err := dav.DecodeElement(r.Body, dav.Limits{})
	if err != nil {
		sabre(w, http.StatusBadRequest, "BadRequest")
		return
	}
	scope := below(query, "basicsearch", "from", "scope", "href").AllText()
	inside, ok := strings.CutPrefix(strings.TrimSuffix(scope, "/"), "/files/"+a.UserID)
	where := below(query, "basicsearch", "where", "eq")
	_, byID := below(where, "prop").Child(ocSpace, "fileid")
	if !ok || !byID {
		sabre(w, http.StatusBadRequest, "BadRequest")
		return
	}
	wanted := below(where, "literal").AllText()
	found := a.find(func(res dav.Resource) bool {
		return under(string(res.Path), inside) && a.fileID(res.ResourceID) == wanted
	})
	var all []dav.Response
	for _, res := range found {
		props := []dav.Element{
			{Name: dav.PropName{Space: ocSpace, Local: "fileid"}, Text: a.fileID(res.ResourceID)},
			{Name: dav.PropName{Space: ocSpace, Local: "id"}, Text: a.id(res.ResourceID)},
		}
		all = append(all, dav.Response{Hrefs: []string{(&escaped{a.prefix + string(res.Path)}).String()},
			Propstats: []dav.Propstat{{Status: 200, Props: props}}})
	}
	a.write(w, all...)
}

// meta answers where a file is for this person.
func (a *Account) meta(w http.ResponseWriter, r *http.Request, id string) {
	found := a.find(func(res dav.Resource) bool {
		if a.cloud.ways.numbers {
			return a.fileID(res.ResourceID) == strings.TrimLeft(id, "0")
		}
		return a.id(res.ResourceID) == id
	})
	if len(found) == 0 {
		sabre(w, http.StatusNotFound, "NotFound")
		return
	}
	place := dav.Element{Name: dav.PropName{Space: ocSpace, Local: "meta-path-for-user"}, Text: string(found[0].Path)}
	a.write(w, dav.Response{Hrefs: []string{r.URL.EscapedPath()}, Propstats: []dav.Propstat{{Status: 200, Props: []dav.Element{place}}}})
}

// below follows names of the DAV: namespace down from e.
func below(e dav.Element, names ...string) dav.Element {
	for _, n := range names {
		e, _ = e.Child("DAV:", n)
	}
	return e
}

// find walks the whole tree.
func (a *Account) find(want func(dav.Resource) bool) []dav.Resource {
	var found []dav.Resource
	folders := []dav.Path{dav.Root}
	for len(folders) > 0 {
		at := folders[0]
		folders = folders[1:]
		r := a.plain("PROPFIND", at)
		r.Header.Set("Depth", "1")
		body := dav.PropfindBody([]dav.PropName{dav.PropResourceType, dav.PropResourceID})
		r.Body, r.ContentLength = newBody(body), int64(len(body))
		rec := httptest.NewRecorder()
		a.toLocal(rec, r)
		_ = dav.DecodeMultistatus(rec.Body, dav.Limits{}, func(resp dav.Response) error { // it is our own
			res, err := resp.Resource(&url.URL{Path: a.prefix})
			if err != nil || res.Path == at || res.Path == "/"+trashFolder {
				return nil
			}
			if res.Collection {
				folders = append(folders, res.Path)
			}
			if want(res) {
				found = append(found, res)
			}
			return nil
		})
	}
	return found
}
