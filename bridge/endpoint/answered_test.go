package endpoint_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/test/rooms"
)

// An answered is an address with a token that some operation gave.
type answered struct{ address, by string }

// A walk goes through every operation of whatever it is given, and of all that their
// answers name.
type walk struct {
	t     *testing.T
	h     *rooms.House
	found map[string][]answered // by address without its query
	todo  []string
	made  map[string]bool // kinds of which the operations that make something were tried
}

// take looks for addresses in an answer. What has no token must have nothing like one.
func (w *walk) take(by string, got rooms.Answer) {
	w.t.Helper()
	var body any
	if got.Status != 200 {
		w.t.Fatalf("%s: %d %v", by, got.Status, got.Header)
	}
	if got.Body == "" {
		return
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		w.t.Fatalf("%s: %v", by, err)
	}
	w.dig(by, body)
}

func (w *walk) dig(by string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			w.dig(by+"."+name, inner)
		}
	case []any:
		for _, inner := range v {
			w.dig(by, inner)
		}
	case string:
		u, err := url.Parse(v)
		if err != nil || !u.Query().Has("access_token") {
			if strings.Contains(v, "wbw_") || strings.Contains(v, "wbd_") {
				w.t.Errorf("%s has a token: %s", by, v)
			}
			return
		}
		resource, _, _ := strings.Cut(v, "?")
		if w.found[resource] == nil {
			w.todo = append(w.todo, v)
		}
		w.found[resource] = append(w.found[resource], answered{v, by})
	}
}

// first reports whether nothing was made of that kind yet.
func (w *walk) first(kind string) bool {
	defer func() { w.made[kind] = true }()
	return !w.made[kind]
}

func (w *walk) file(address string) {
	if w.first("file") {
		w.change(address)
	}
	w.take("CheckFileInfo", w.h.Get(address, ""))
	w.take("EnumerateAncestors (files)", w.h.Get(address, "ancestry"))
	w.take("GetEcosystem (files)", w.h.Get(address, "ecosystem_pointer"))
}

func (w *walk) change(address string) {
	w.take("PutRelativeFile, suggested", w.h.Post(address, wopi.OverridePutRelative, "x", wopi.HeaderSuggestedTarget, "s.docx"))
	w.take("PutRelativeFile, specific", w.h.Post(address, wopi.OverridePutRelative, "x", wopi.HeaderRelativeTarget, "r.docx"))
	w.take("PutRelativeFile, converted", w.h.Post(address, wopi.OverridePutRelative, "x", wopi.HeaderSuggestedTarget, ".odt", wopi.HeaderFileConversion, "true"))
	w.take("PutRelativeFile, over another", w.h.Post(address, wopi.OverridePutRelative, "x", wopi.HeaderRelativeTarget, "r.docx", wopi.HeaderOverwriteRelativeTarget, "True"))
	w.take("Lock", w.h.Post(address, wopi.OverrideLock, "", wopi.HeaderLock, "L"))
	w.take("PutFile", w.h.Post(strings.Replace(address, "?", "/contents?", 1), wopi.OverridePut, "x", wopi.HeaderLock, "L"))
	w.take("RenameFile", w.h.Post(address, wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "renamed", wopi.HeaderLock, "L"))
	w.take("Unlock", w.h.Post(address, wopi.OverrideUnlock, "", wopi.HeaderLock, "L"))
}

func (w *walk) container(address string) {
	w.take("CheckContainerInfo", w.h.Get(address, ""))
	w.take("EnumerateChildren", w.h.Get(address, "children"))
	w.take("EnumerateAncestors (containers)", w.h.Get(address, "ancestry"))
	w.take("GetEcosystem (containers)", w.h.Get(address, "ecosystem_pointer"))
	var info wopi.ContainerInfo
	if w.h.Get(address, "").Into(w.t, &info); !info.UserCanCreateChildFile || !w.first("container") {
		return
	}
	for _, mode := range []string{wopi.HeaderSuggestedTarget, wopi.HeaderRelativeTarget} {
		w.take("CreateChildFile, "+mode, w.h.Post(address, wopi.OverrideCreateChildFile, "", mode, mode+".docx"))
		w.take("CreateChildContainer, "+mode, w.h.Post(address, wopi.OverrideCreateChildContainer, "", mode, mode))
	}
}

func (w *walk) ecosystem(address string) {
	w.take("CheckEcosystem", w.h.Get(address, ""))
	w.take("GetRootContainer", w.h.Get(address, "root_container_pointer"))
	page := w.h.URLs.HostEdit(w.h.On("nas", "/n/z.docx").ID)
	w.take("GetFileWopiSrc", w.h.Post(address, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, page))
}

// The token in every address of every answer opens what the address names and nothing
// else, is made without a row, and dies with the token of which it was made.
func TestEveryAnsweredTokenIsForItsResource(t *testing.T) {
	h := rooms.New(t, []string{"main", "nas"}, nil)
	h.Servers["main"].Write(t, "a/x.docx", "x")
	h.Servers["main"].Write(t, "a/b/y.docx", "y")
	h.Servers["nas"].Write(t, "n/z.docx", "z")
	top, err := h.Upstreams.Top(t.Context())
	h.Must(err)
	x := h.At("/a/x.docx")
	start := h.Open(x, access.Grant{Scope: top.ID})
	w := &walk{t: t, h: h, found: map[string][]answered{}, made: map[string]bool{}, todo: []string{start}}
	for len(w.todo) > 0 {
		address := w.todo[0]
		w.todo = w.todo[1:]
		switch kind := strings.Split(strings.TrimPrefix(address, h.Web.URL+"/wopi/"), "/")[0]; {
		case kind == "files":
			w.file(address)
		case kind == "containers":
			w.container(address)
		case strings.HasPrefix(kind, "ecosystem?"):
			w.ecosystem(address)
		case kind == "fileurl":
		default:
			t.Fatalf("an address of no endpoint: %s", address)
		}
	}
	operations := map[string]bool{}
	for resource, list := range w.found {
		for _, a := range list {
			operations[strings.Split(a.by, ".")[0]] = true
			_, query, _ := strings.Cut(a.address, "?")
			for other := range w.found {
				want := []int{401, 404}
				if other == resource {
					want = []int{200}
				}
				if got := h.Get(other+"?"+query, ""); !slices.Contains(want, got.Status) {
					t.Errorf("%s: the token of %s at %s: %d", a.by, resource, other, got.Status)
				}
			}
			if strings.Contains(a.address, "wbw_") {
				t.Errorf("%s: a stored token is handed out", a.by)
			}
		}
	}
	for _, name := range []string{
		"CheckFileInfo", "EnumerateAncestors (files)", "GetEcosystem (files)", "PutRelativeFile, suggested", "PutRelativeFile, specific",
		"PutRelativeFile, converted", "PutRelativeFile, over another", "EnumerateChildren", "EnumerateAncestors (containers)", "GetEcosystem (containers)",
		"CreateChildFile, X-WOPI-SuggestedTarget", "CreateChildFile, X-WOPI-RelativeTarget", "CreateChildContainer, X-WOPI-SuggestedTarget",
		"CreateChildContainer, X-WOPI-RelativeTarget", "GetRootContainer", "GetFileWopiSrc",
	} {
		if !operations[name] {
			t.Errorf("%s gave no address", name)
		}
	}
	var grants int
	h.Must(h.DB.Read().QueryRow(t.Context(), `SELECT COUNT(*) FROM access_grant`).Scan(&grants))
	if grants != 1 || len(w.found) < 15 {
		t.Errorf("%d grants, %d resources", grants, len(w.found))
	}
	_, token, _ := strings.Cut(start, "access_token=")
	g, err := h.Tokens.Open(t.Context(), token, x.ID)
	h.Must(err)
	h.Must(h.Tokens.Revoke(t.Context(), g.ID))
	for _, list := range w.found {
		for _, a := range list {
			if got := h.Get(a.address, ""); got.Status != 401 {
				t.Errorf("%s: revoked, and %d", a.by, got.Status)
			}
		}
	}
}
