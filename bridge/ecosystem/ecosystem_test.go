package ecosystem_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ecosystemOf(t *testing.T, h *rooms.House, address string) string {
	t.Helper()
	var got wopi.URLInfo
	h.Get(address, "ecosystem_pointer").Into(t, &got)
	if !strings.HasPrefix(got.Url, h.URLs.EcosystemSrc()+"?access_token=") {
		t.Fatalf("%+v", got)
	}
	return got.Url
}

func rootOf(t *testing.T, h *rooms.House, address string) wopi.RootContainer {
	t.Helper()
	var got wopi.RootContainer
	h.Get(ecosystemOf(t, h, address), "root_container_pointer").Into(t, &got)
	if got.ContainerInfo == nil || got.ContainerInfo.Name != got.ContainerPointer.Name {
		t.Errorf("%+v", got)
	}
	return got
}

func containersBelow(t *testing.T, h *rooms.House, address string) []wopi.Pointer {
	t.Helper()
	var got struct {
		ChildContainers []wopi.Pointer
		ChildFiles      []wopi.ChildFile
	}
	h.Get(address, "children").Into(t, &got)
	if got.ChildFiles == nil || got.ChildContainers == nil {
		t.Errorf("null in the answer")
	}
	return got.ChildContainers
}

func ancestorsOf(t *testing.T, h *rooms.House, address string) []wopi.Pointer {
	t.Helper()
	var got wopi.Ancestors
	h.Get(address, "ancestry").Into(t, &got)
	return got.AncestorsWithRootFirst
}

func names(list []wopi.Pointer) string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return strings.Join(out, "/")
}

func TestCheckEcosystem(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "a/x.docx", "x")
	file := h.Open(h.At("/a/x.docx"), access.Grant{})
	address := ecosystemOf(t, h, file)
	if got := h.Get(address, ""); got.Body != `{"SupportsContainers":true}` {
		t.Errorf("%+v", got)
	}
	if other := ecosystemOf(t, h, h.Open(h.At("/a"), access.Grant{})); other == address {
		t.Error("two grants have one token")
	}
	for name, c := range map[string]struct {
		got  rooms.Answer
		want int
	}{
		"no token":      {h.Get(h.URLs.EcosystemSrc(), ""), 401},
		"a bad token":   {h.Get(address+"x", ""), 401},
		"its root, bad": {h.Get(address+"x", "root_container_pointer"), 401},
		"an override":   {h.Post(address, "LOCK", ""), 501},
		"a wrong path":  {h.Get(address, "no_such_thing"), 404},
	} {
		if c.got.Status != c.want {
			t.Errorf("%s: %d, want %d", name, c.got.Status, c.want)
		}
	}
	h.Later(access.DefaultTTL)
	if got := h.Get(address, ""); got.Status != 401 {
		t.Errorf("after its grant's end: %d", got.Status)
	}
}

// The root container is the highest that the grant can see; ancestors above it are
// cut, and everything outside is 404.
func TestScope(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{
			{Who: []string{"ben"}, Path: "/", Rights: 0},
			{Who: []string{"ben"}, Path: "/a/b", Rights: access.View},
		}
	})
	h.Servers["main"].Write(t, "a/b/c/x.docx", "x")
	h.Servers["main"].Write(t, "a/other.docx", "x")
	x, other, root := h.At("/a/b/c/x.docx"), h.At("/a/other.docx"), h.At("/")
	for name, c := range map[string]struct {
		grant     access.Grant
		root      string
		ancestors string
	}{
		"everything":         {access.Grant{}, "The main", "The main/a/b/c"},
		"the root":           {access.Grant{Scope: root.ID}, "The main", "The main/a/b/c"},
		"a folder":           {access.Grant{Scope: h.At("/a/b").ID}, "b", "b/c"},
		"the file's folder":  {access.Grant{Scope: h.At("/a/b/c").ID}, "c", "c"},
		"rules, not a scope": {access.Grant{Principal: rooms.Ben}, "b", "b/c"},
	} {
		t.Run(name, func(t *testing.T) {
			file := h.Open(x, c.grant)
			above := ancestorsOf(t, h, file)
			if names(above) != c.ancestors {
				t.Errorf("ancestors %s, want %s", names(above), c.ancestors)
			}
			found := rootOf(t, h, file)
			if found.ContainerPointer.Name != c.root || !sameResource(found.ContainerPointer.Url, above[0].Url) {
				t.Errorf("root %+v, want %s", found.ContainerPointer, c.root)
			}
			if list := ancestorsOf(t, h, above[0].Url); len(list) != 0 {
				t.Errorf("above the root: %v", list)
			}
			if c.ancestors == "The main/a/b/c" {
				return
			}
			_, token, _ := strings.Cut(file, "access_token=")
			grant, err := h.Tokens.Open(t.Context(), token, x.ID)
			h.Must(err)
			for _, outside := range []idmap.Entry{other, root, h.At("/a")} {
				if got := h.Get(h.Source(&endpoint.Request{Grant: grant}, outside), ""); got.Status != 404 {
					t.Errorf("%s: %d", outside.Path, got.Status)
				}
			}
		})
	}
	alone := h.Open(x, access.Grant{Scope: x.ID})
	if list := ancestorsOf(t, h, alone); len(list) != 0 {
		t.Errorf("above a single file: %v", list)
	}
	if got := h.Get(ecosystemOf(t, h, alone), "root_container_pointer"); got.Status != 404 {
		t.Errorf("the root of a grant for a single file: %d", got.Status)
	}
}

func sameResource(a, b string) bool {
	a, _, _ = strings.Cut(a, "?")
	b, _, _ = strings.Cut(b, "?")
	return a == b
}

// Several upstreams are the children of one root.
func TestSeveralUpstreams(t *testing.T) {
	h := rooms.New(t, []string{"main", "nas"}, nil)
	h.Servers["main"].Write(t, "a/x.docx", "x")
	h.Servers["nas"].Write(t, "b/y.docx", "yy")
	top, err := h.Upstreams.Top(t.Context())
	h.Must(err)
	all := access.Grant{Scope: top.ID}
	file := h.Open(h.At("/a/x.docx"), all)
	if above := ancestorsOf(t, h, file); names(above) != "Files/The main/a" {
		t.Fatalf("%s", names(above))
	}
	root := rootOf(t, h, file)
	if root.ContainerPointer.Name != endpoint.TopName || !sameResource(root.ContainerPointer.Url, h.URLs.ContainerSrc(top.ID)) ||
		root.ContainerInfo.UserCanCreateChildFile || root.ContainerInfo.UserCanRename {
		t.Errorf("%+v", root)
	}
	below := containersBelow(t, h, root.ContainerPointer.Url)
	if names(below) != "The main/The nas" {
		t.Fatalf("%s", names(below))
	}
	// Down the other one, up again, and to its file.
	b := containersBelow(t, h, below[1].Url)
	if names(b) != "b" {
		t.Fatalf("%s", names(b))
	}
	if above := ancestorsOf(t, h, b[0].Url); names(above) != "Files/The nas" || !sameResource(above[0].Url, root.ContainerPointer.Url) {
		t.Errorf("%s", names(above))
	}
	var made wopi.PutRelativeFileInfo
	h.Post(b[0].Url, wopi.OverrideCreateChildFile, "", wopi.HeaderRelativeTarget, "z.docx").Into(t, &made)
	if _, there := h.Servers["nas"].Read(t, "b/z.docx"); !there {
		t.Error("made elsewhere")
	}
	if got := h.Post(made.Url, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Errorf("Lock: %d %v", got.Status, got.Header)
	}
	for _, got := range []rooms.Answer{
		h.Post(root.ContainerPointer.Url, wopi.OverrideCreateChildFile, "", wopi.HeaderRelativeTarget, "z.docx"),
		h.Post(root.ContainerPointer.Url, wopi.OverrideCreateChildContainer, "", wopi.HeaderRelativeTarget, "z"),
		h.Post(root.ContainerPointer.Url, wopi.OverrideDeleteContainer, ""),
		h.Post(root.ContainerPointer.Url, wopi.OverrideRenameContainer, "", wopi.HeaderRequestedName, "z"),
	} {
		if got.Status != 501 {
			t.Errorf("a change of the root: %d", got.Status)
		}
	}
	// A grant that is not for all sees its own upstream only.
	own := h.Open(h.At("/a/x.docx"), access.Grant{})
	if above := ancestorsOf(t, h, own); names(above) != "The main/a" {
		t.Errorf("%s", names(above))
	}
	if root := rootOf(t, h, own); root.ContainerPointer.Name != "The main" {
		t.Errorf("%+v", root)
	}
	_, token, _ := strings.Cut(own, "access_token=")
	grant, err := h.Tokens.Open(t.Context(), token, h.At("/a/x.docx").ID)
	h.Must(err)
	for _, outside := range []idmap.Entry{top, h.On("nas", "/"), h.On("nas", "/b/y.docx")} {
		if got := h.Get(h.Source(&endpoint.Request{Grant: grant}, outside), ""); got.Status != 404 {
			t.Errorf("%s %s: %d", outside.ID, outside.Path, got.Status)
		}
	}
}

// The root's ID is the same after a restart, and for everybody.
func TestTheTopKeepsItsID(t *testing.T) {
	h := rooms.New(t, []string{"main", "nas"}, nil)
	top, err := h.Upstreams.Top(t.Context())
	h.Must(err)
	ids, err := idmap.New(t.Context(), h.DB)
	h.Must(err)
	again, err := (&access.Upstreams{IDs: ids}).Top(t.Context())
	if h.Must(err); again.ID != top.ID || top.Kind != idmap.Container {
		t.Errorf("%+v, then %+v", top, again)
	}
}

// One upstream that is down does not hide the others, nor itself.
func TestAnUpstreamThatIsDown(t *testing.T) {
	h := rooms.New(t, []string{"main", "nas"}, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{
			{Who: []string{"ben"}, Upstream: "nas", Path: "/", Rights: 0},
			{Who: []string{"ben"}, Upstream: "nas", Path: "/only", Rights: access.View},
		}
	})
	top, err := h.Upstreams.Top(t.Context())
	h.Must(err)
	h.Servers["nas"].Quirks.Fail(upstream.Fault{Status: 503})
	anna, ben := h.Open(h.At("/"), access.Grant{Scope: top.ID}), h.Open(h.At("/"), access.Grant{Scope: top.ID, Principal: rooms.Ben})
	if list := containersBelow(t, h, rootOf(t, h, anna).ContainerPointer.Url); names(list) != "The main/The nas" {
		t.Errorf("%s", names(list))
	}
	got := h.Get(rootOf(t, h, ben).ContainerPointer.Url, "children")
	if got.Status != 200 || got.Header.Get(wopi.HeaderEnumerationIncomplete) != "true" || !strings.Contains(got.Body, "The main") {
		t.Errorf("%+v", got)
	}
}

func TestGetFileWopiSrc(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{{Who: []string{"*"}, Path: "/hidden.docx", Rights: 0}}
	})
	h.Servers["main"].Write(t, "a/x.docx", "x")
	h.Servers["main"].Write(t, "b/y.docx", "x")
	h.Servers["main"].Write(t, "hidden.docx", "x")
	x, y := h.At("/a/x.docx"), h.At("/b/y.docx")
	address := ecosystemOf(t, h, h.Open(x, access.Grant{Expires: time.Now().Add(time.Hour)}))
	for _, name := range []string{h.URLs.HostEdit(y.ID), h.URLs.HostView(y.ID), h.URLs.Download(y.ID), h.URLs.WOPISrc(y.ID), h.URLs.HostEdit(y.ID) + "?x=1#y"} {
		var got wopi.URLInfo
		h.Post(address, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, name).Into(t, &got)
		if !sameResource(got.Url, h.URLs.WOPISrc(y.ID)) || !strings.Contains(got.Url, "&access_token_ttl=") {
			t.Errorf("%s: %s", name, got.Url)
		}
		if got := h.Get(got.Url, ""); got.Status != 200 {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	h.Links = map[string]idmap.FileID{"wbs_y": y.ID, "wbs_folder": h.At("/b").ID, "wbs_hidden": h.At("/hidden.docx").ID}
	var linked wopi.URLInfo
	h.Post(address, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, h.URLs.Link("wbs_y")).Into(t, &linked)
	if !sameResource(linked.Url, h.URLs.WOPISrc(y.ID)) {
		t.Errorf("by a link: %s", linked.Url)
	}
	gone := h.At("/b/y.docx")
	for name, native := range map[string]string{
		"nothing":           "",
		"no such link":      h.URLs.Link("wbs_x"),
		"a folder's link":   h.URLs.Link("wbs_folder"),
		"a hidden one's":    h.URLs.Link("wbs_hidden"),
		"no address":        "y.docx",
		"another host":      "https://elsewhere.example/edit/" + string(y.ID),
		"another page":      h.URLs.Public.JoinPath("settings", string(y.ID)).String(),
		"an ID of nothing":  h.URLs.HostEdit("aaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"no ID":             h.URLs.HostEdit("x"),
		"a folder":          h.URLs.HostEdit(h.At("/b").ID),
		"hidden by rules":   h.URLs.HostEdit(h.At("/hidden.docx").ID),
		"too long":          h.URLs.HostEdit(y.ID) + "?" + strings.Repeat("x", 5000),
		"a control char":    "http://\x01/",
		"the ecosystem's":   h.URLs.HostEdit(access.Ecosystem),
		"below another one": h.URLs.Public.JoinPath("x", "edit", string(y.ID)).String(),
	} {
		if strings.Contains(native, "\x01") {
			native = "http://%01/"
		}
		if got := h.Post(address, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, native); got.Status != 404 {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	narrow := ecosystemOf(t, h, h.Open(x, access.Grant{Scope: h.At("/a").ID}))
	if got := h.Post(narrow, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, h.URLs.HostEdit(gone.ID)); got.Status != 404 {
		t.Errorf("outside of the scope: %d", got.Status)
	}
}

// A rule may let somebody see a single file: that is no root container.
func TestAnEntranceThatIsAFile(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{
			{Who: []string{"ben", "eve"}, Path: "/", Rights: 0},
			{Who: []string{"ben", "eve"}, Path: "/a/x.docx", Rights: access.Edit},
			{Who: []string{"eve"}, Path: "/b", Rights: access.View},
			{Who: []string{"eve"}, Path: "/c", Rights: access.View},
		}
	})
	for _, name := range []string{"a/x.docx", "b/y.docx", "c/z.docx"} {
		h.Servers["main"].Write(t, name, "x")
	}
	his := h.Open(h.At("/a/x.docx"), access.Grant{Principal: rooms.Ben})
	if got := h.Get(ecosystemOf(t, h, his), "root_container_pointer"); got.Status != 404 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	eve := oauth.Principal{Issuer: "test", Subject: "eve", Name: "Eve"}
	hers := h.Open(h.At("/a/x.docx"), access.Grant{Principal: eve})
	root := rootOf(t, h, hers)
	if below := containersBelow(t, h, root.ContainerPointer.Url); names(below) != "b/c" {
		t.Errorf("below %s: %s", root.ContainerPointer.Name, names(below))
	}
	if got := h.Get(root.ContainerPointer.Url, "children"); got.Header.Get(wopi.HeaderEnumerationIncomplete) != "" {
		t.Error("the list is said to lack something")
	}
}
