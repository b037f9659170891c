package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"

	"davwopi/davbackend/dav"
)

// after changes a recorded answer as the quirks want.
func (x *exchange) after(rec *httptest.ResponseRecorder) {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		x.afterGet(rec)
	case http.MethodPut:
		x.afterPut(rec)
	case "MOVE", "COPY":
		x.afterTransfer(rec)
	}
	if rec.Code >= 300 {
		x.refused(rec)
		return
	}
	switch x.r.Method {
	case "LOCK":
		x.afterLock(rec)
	case "UNLOCK":
		if x.s.isNull(x.path) {
			x.s.setNull(x.path, false)
			x.s.inner.ServeHTTP(httptest.NewRecorder(), x.s.plain("DELETE", x.path))
		}
	case "PROPFIND":
		if rec.Code == http.StatusMultiStatus {
			x.afterPropfind(rec)
		}
	case "PROPPATCH":
		x.afterProppatch(rec)
	case http.MethodOptions:
		if x.q.Privileges != nil {
			rec.Header().Add("DAV", "access-control")
		}
	}
}

func (x *exchange) refused(rec *httptest.ResponseRecorder) {
	if !x.q.HTMLErrors {
		return
	}
	rec.Body = new(bytes.Buffer)
	rec.Header().Del("Content-Length")
	rec.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(rec.Body, "<!DOCTYPE html><html><body>%d<br>&nbsp;</body></html>", rec.Code)
}

// changesProps reports whether answers to PROPFIND are others than the server's.
func (q Quirks) changesProps() bool {
	return q.UnquotedETags || q.NoPropfindETag || q.FolderETag != "" || q.LockSays != "" || q.EndlessSays != "" || q.RefreshSays != "" ||
		q.TokenFormat != "" || q.MoveCarriesLock || q.ParentMoves || q.HideLocks || q.NoLockDiscovery || q.HideOwner || q.MultiAs200 ||
		q.NativeIDs || q.NoResourceID || q.NoContentType || q.Quota != "" || q.HideDotfiles || q.Hrefs != nil ||
		q.Privileges != nil
}

func (x *exchange) afterPropfind(rec *httptest.ResponseRecorder) {
	all := decodeResponses(rec.Body.Bytes())
	if x.deep {
		all = x.deeper(all)
	}
	var kept []dav.Response
	for _, r := range all {
		p, err := dav.ParseHref(r.Hrefs[0], x.s.base())
		if err != nil { // not of this server, but of a cloud around it
			kept = append(kept, r)
			continue
		}
		if x.q.HideDotfiles && p != x.path && strings.HasPrefix(path.Base(string(p)), ".") {
			continue
		}
		x.props(&r, p)
		if x.q.Hrefs != nil {
			r.Hrefs[0] = x.q.Hrefs(r.Hrefs[0])
		}
		kept = append(kept, r)
	}
	rec.Body = bytes.NewBuffer(encodeResponses(kept))
	rec.Header().Del("Content-Length")
	if x.q.MultiAs200 {
		rec.Code = http.StatusOK
	}
}

// deeper adds what is in the collections of a listing.
func (x *exchange) deeper(all []dav.Response) []dav.Response {
	for i := 1; i < len(all); i++ {
		p, err := dav.ParseHref(all[i].Hrefs[0], x.s.base())
		if err != nil || !strings.HasSuffix(all[i].Hrefs[0], "/") {
			continue
		}
		r := x.s.plain("PROPFIND", p)
		r.Header.Set("Depth", "1")
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(x.body)), int64(len(x.body))
		rec := httptest.NewRecorder()
		x.s.inner.ServeHTTP(rec, r)
		if more := decodeResponses(rec.Body.Bytes()); len(more) > 1 {
			all = append(all, more[1:]...)
		}
	}
	return all
}

// props changes the properties of one resource.
func (x *exchange) props(r *dav.Response, p dav.Path) {
	q := x.q
	if x.needsLook(r) {
		x.looked(r, x.s.look(p))
	}
	for i := range r.Propstats {
		for k := range r.Propstats[i].Props {
			switch e := &r.Propstats[i].Props[k]; e.Name {
			case dav.PropETag:
				if q.UnquotedETags {
					e.Text = strings.ReplaceAll(e.Text, `"`, "")
				}
			case dav.PropLockDiscovery:
				x.changeLocks(e)
			}
		}
	}
	for name, gone := range map[dav.PropName]bool{
		dav.PropETag: q.NoPropfindETag, dav.PropLockDiscovery: q.NoLockDiscovery, dav.PropResourceID: q.NoResourceID,
		dav.PropContentType: q.NoContentType, dav.PropQuotaAvailable: q.Quota == "none",
	} {
		if gone {
			deny(r, name)
		}
	}
	if q.Quota != "" && q.Quota != "none" {
		say(r, http.StatusOK, dav.Element{Name: dav.PropQuotaAvailable, Text: q.Quota})
	}
	if q.Privileges != nil {
		user, _, _ := x.r.BasicAuth()
		set := dav.Element{Name: dav.PropPrivileges}
		for _, name := range q.Privileges(user, p) {
			set.Children = append(set.Children, davElement("privilege", davElement(name)))
		}
		say(r, http.StatusOK, set)
	}
	if x.s.isNull(p) {
		for _, name := range []dav.PropName{dav.PropETag, dav.PropContentLength, dav.PropLastModified, dav.PropContentType} {
			deny(r, name)
		}
	}
}

// needsLook reports whether the answer depends on more than it says itself.
func (x *exchange) needsLook(r *dav.Response) bool {
	return (x.q.changesETags() || x.q.FolderETag != "") && asked(r, dav.PropETag) ||
		x.q.NativeIDs && (asked(r, dav.PropOCID) || asked(r, dav.PropOCFileID))
}

func (x *exchange) looked(r *dav.Response, res seen) {
	switch {
	case !res.found:
	case res.Collection && x.q.FolderETag != "":
		say(r, http.StatusOK, dav.Element{Name: dav.PropETag, Text: string(x.folderETag(res.Path))})
	case !res.Collection && x.q.changesETags():
		say(r, http.StatusOK, dav.Element{Name: dav.PropETag, Text: string(x.shown(res))})
	}
	if x.q.NativeIDs {
		for _, name := range []dav.PropName{dav.PropOCID, dav.PropOCFileID} {
			say(r, http.StatusOK, dav.Element{Name: name, Text: x.s.nativeID(res.ResourceID)})
		}
	}
}

// afterProppatch takes back what was stored, where the server only pretends or
// refuses, and makes a success quiet.
func (x *exchange) afterProppatch(rec *httptest.ResponseRecorder) {
	all := decodeResponses(rec.Body.Bytes())
	if len(all) == 0 {
		return
	}
	ok := true
	var set []dav.PropName
	for i := range all[0].Propstats {
		ps := &all[0].Propstats[i]
		ok = ok && ps.Status == http.StatusOK
		for _, e := range ps.Props {
			set = append(set, e.Name)
		}
		if x.q.RefusesProps {
			ps.Status = http.StatusForbidden
		}
	}
	if x.q.ForgetProps || x.q.RefusesProps {
		undo := x.s.plain("PROPPATCH", x.path)
		undo.Header = x.r.Header.Clone()
		body := dav.ProppatchBody(nil, set)
		undo.Body, undo.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		x.s.inner.ServeHTTP(httptest.NewRecorder(), undo)
		rec.Body = bytes.NewBuffer(encodeResponses(all))
		rec.Header().Del("Content-Length")
	}
	if x.q.QuietProppatch && ok {
		rec.Code, rec.Body = http.StatusNoContent, new(bytes.Buffer)
		rec.Header().Del("Content-Length")
		rec.Header().Del("Content-Type")
	}
}
