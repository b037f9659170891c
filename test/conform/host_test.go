package conform_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

// A host is a small WOPI host in memory, without containers, that is right about
// the files endpoint but for the faults that a test switches on.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string]*file
	info     string // PutUserInfo
	versions int
	requests int
	keys     proof.Keys
	fault    func(op wopi.Operation, w *answer, r *http.Request) // may spoil an answer
	unable   bool                                                // no PutRelativeFile, no RenameFile
}

type file struct {
	name, contents, lock string
	version              int
}

// An answer is what will be sent, so that a fault can change it.
type answer struct {
	status int
	header map[string]string
	body   any // string or to be JSON
}

const token = "tok-1"

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{files: map[string]*file{"f1": {name: "a.wopitest", contents: "x"}}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) src() string { return h.URL + "/wopi/files/f1" }

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	id, suffix, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/wopi/files/"), "/")
	op := wopi.ReadOperation(r.Method, suffix, r.Header)
	a := h.operate(op, id, r, string(body))
	if h.fault != nil {
		h.fault(op, a, r)
	}
	for name, value := range a.header {
		w.Header()[name] = []string{value}
	}
	text, isText := a.body.(string)
	if !isText && a.body != nil {
		w.Header().Set("Content-Type", "application/json")
		encoded, err := json.Marshal(a.body)
		if err != nil {
			panic(err)
		}
		text = string(encoded)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, text)
}

func (h *host) operate(op wopi.Operation, id string, r *http.Request, body string) *answer {
	a := &answer{status: 200, header: map[string]string{}}
	f := h.files[id]
	switch {
	case !h.proved(r):
		a.status = 500
	case r.URL.Query().Get("access_token") != token || r.Header.Get("Authorization") != "Bearer "+token:
		a.status = 401
	case f == nil:
		a.status = 404
	case op == wopi.OpPutRelativeFile:
		h.putRelative(a, f, r, body)
	case op == wopi.OpRenameFile:
		h.rename(a, f, r)
	default:
		h.plain(op, a, id, f, r, body)
	}
	return a
}

func (h *host) proved(r *http.Request) bool {
	if h.keys.Current == nil {
		return true
	}
	_, err := h.keys.Check(proof.Request{
		Token: r.URL.Query().Get("access_token"), URL: "http://" + r.Host + r.RequestURI,
		TimeStamp: r.Header.Get(wopi.HeaderTimeStamp), Proof: r.Header.Get(wopi.HeaderProof), ProofOld: r.Header.Get(wopi.HeaderProofOld),
	}, time.Now())
	return err == nil
}

func (h *host) plain(op wopi.Operation, a *answer, id string, f *file, r *http.Request, body string) {
	lock, old := r.Header.Get(wopi.HeaderLock), r.Header.Get(wopi.HeaderOldLock)
	conflict := func(bad bool) bool {
		if bad {
			a.status, a.header[wopi.HeaderLock] = 409, f.lock
		}
		return bad
	}
	switch op {
	case wopi.OpCheckFileInfo:
		a.body = h.check(f)
		return
	case wopi.OpGetFile:
		a.body = f.contents
	case wopi.OpPutFile:
		if !conflict(f.lock != lock || f.lock == "" && f.contents != "") {
			h.versions++
			f.contents, f.version = body, h.versions
		}
	case wopi.OpLock:
		if !conflict(f.lock != "" && f.lock != lock) {
			f.lock = lock
		}
	case wopi.OpUnlockAndRelock:
		if !conflict(f.lock != old) {
			f.lock = lock
		}
	case wopi.OpRefreshLock:
		conflict(f.lock != lock)
	case wopi.OpUnlock:
		if !conflict(f.lock == "" || f.lock != lock) {
			f.lock = ""
		}
	case wopi.OpGetLock:
		a.header[wopi.HeaderLock] = f.lock
	case wopi.OpDeleteFile:
		if !conflict(f.lock != "") {
			delete(h.files, id)
		}
	case wopi.OpPutUserInfo:
		h.info = body
	default:
		a.status = 501
	}
	a.header[wopi.HeaderItemVersion] = fmt.Sprint("v", f.version)
}

func (h *host) check(f *file) wopi.CheckFileInfo {
	c := wopi.CheckFileInfo{BaseFileName: f.name, OwnerId: "o", UserId: "u", Size: int64(len(f.contents)), Version: fmt.Sprint("v", f.version),
		UserCanWrite: true, UserCanRename: !h.unable, UserCanNotWriteRelative: h.unable}
	c.SupportsUpdate, c.SupportsLocks, c.SupportsGetLock, c.SupportsExtendedLockLength = true, true, true, true
	c.SupportsDeleteFile, c.SupportsUserInfo, c.SupportsRename = true, true, !h.unable
	c.UserInfo, c.FileExtension, c.HostEditUrl = h.info, f.name[strings.LastIndex(f.name, "."):], h.URL+"/edit"
	c.LastModifiedTime = "2026-07-30T08:15:42.0000000Z"
	return c
}

func (h *host) byName(name string) (string, *file) {
	for id, f := range h.files {
		if f.name == name {
			return id, f
		}
	}
	return "", nil
}

func (h *host) putRelative(a *answer, source *file, r *http.Request, body string) {
	suggested, err1 := wopi.DecodeUTF7(r.Header.Get(wopi.HeaderSuggestedTarget))
	exact, err2 := wopi.DecodeUTF7(r.Header.Get(wopi.HeaderRelativeTarget))
	if h.unable || err1 != nil || err2 != nil || (suggested == "") == (exact == "") {
		a.status = 501
		return
	}
	name := exact
	if suggested != "" {
		name = wopi.SuggestedName(suggested, source.name)
		for n := 1; ; n++ {
			if _, taken := h.byName(name); taken == nil {
				break
			}
			name = wopi.NumberedName(wopi.SuggestedName(suggested, source.name), n)
		}
	} else if wopi.CheckName(name) != "" {
		a.status = 400
		return
	}
	id, taken := h.byName(name)
	if taken != nil && (taken.lock != "" || !strings.EqualFold(r.Header.Get(wopi.HeaderOverwriteRelativeTarget), "true")) {
		a.status, a.header[wopi.HeaderLock] = 409, taken.lock
		return
	}
	h.versions++
	if taken == nil {
		id = fmt.Sprint("n", h.versions)
	}
	h.files[id] = &file{name: name, contents: body, version: h.versions}
	a.body = wopi.PutRelativeFileInfo{Name: name, Url: h.URL + "/wopi/files/" + id + "?access_token=" + token, HostViewUrl: h.URL + "/view", HostEditUrl: h.URL + "/edit"}
}

func (h *host) rename(a *answer, f *file, r *http.Request) {
	name, err := wopi.DecodeUTF7(r.Header.Get(wopi.HeaderRequestedName))
	switch {
	case h.unable || err != nil:
		a.status = 501
	case f.lock != r.Header.Get(wopi.HeaderLock):
		a.status, a.header[wopi.HeaderLock] = 409, f.lock
	default:
		f.name = wopi.RenamedName(name, f.name)
		stem, _ := wopi.SplitExt(f.name)
		a.body = wopi.RenameFileInfo{Name: stem}
	}
}
