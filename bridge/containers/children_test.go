package containers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

type children struct {
	ChildFiles      []wopi.ChildFile
	ChildContainers []wopi.Pointer
}

func (c children) names() string {
	var names []string
	for _, f := range c.ChildFiles {
		names = append(names, f.Name)
	}
	for _, f := range c.ChildContainers {
		names = append(names, f.Name+"/")
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestEnumerateChildren(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{{Who: []string{"ben"}, Path: "/a/secret", Rights: 0}, {Who: []string{"ben"}, Path: "/a/one.docx", Rights: 0}}
	})
	main := h.Servers["main"]
	for _, name := range []string{"one.docx", "Two.DOCX", "three.xlsx", "none", ".~lock.one.docx#", "~$one.docx", ".davwopi-x.tmp", ".hidden", "b#1.docx"} {
		main.Write(t, "a/"+name, "12345")
	}
	main.Write(t, "a/sub/deep.docx", "x")
	main.Write(t, "a/secret/x.docx", "x")
	a := h.At("/a")
	for name, c := range map[string]struct {
		grant   access.Grant
		headers []string
		want    string
	}{
		"all":          {access.Grant{}, nil, ".hidden Two.DOCX b#1.docx none one.docx secret/ sub/ three.xlsx"},
		"one filter":   {access.Grant{}, []string{wopi.HeaderExtensionFilter, ".docx"}, "Two.DOCX b#1.docx one.docx secret/ sub/"},
		"more":         {access.Grant{}, []string{wopi.HeaderExtensionFilter, ".DOCX,.xlsx"}, "Two.DOCX b#1.docx one.docx secret/ sub/ three.xlsx"},
		"nothing fits": {access.Grant{}, []string{wopi.HeaderExtensionFilter, ".pptx"}, "secret/ sub/"},
		"ben":          {access.Grant{Principal: rooms.Ben}, nil, ".hidden Two.DOCX b#1.docx none sub/ three.xlsx"},
		"native":       {access.Grant{}, []string{userAgent, native, wopi.HeaderExtensionFilter, ".docx"}, "Two.DOCX b-1.docx one.docx secret/ sub/"},
	} {
		var got children
		h.Get(h.Open(a, c.grant), "children", c.headers...).Into(t, &got)
		if got.names() != c.want {
			t.Errorf("%s: %s, want %s", name, got.names(), c.want)
		}
	}
	var got children
	answer := h.Get(h.Open(a, access.Grant{}), "children")
	answer.Into(t, &got)
	if answer.Header.Get("Content-Length") != fmt.Sprint(len(answer.Body)) || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", answer.Header)
	}
	for _, f := range got.ChildFiles {
		var info wopi.CheckFileInfo
		h.Get(f.Url, "").Into(t, &info)
		if info.BaseFileName != f.Name || info.Version != f.Version || info.Size != f.Size || info.Size != 5 || info.LastModifiedTime != f.LastModifiedTime {
			t.Errorf("%+v, CheckFileInfo %+v", f, info)
		}
	}
	for _, f := range got.ChildContainers {
		var info wopi.ContainerInfo
		h.Get(f.Url, "").Into(t, &info)
		if info.Name != f.Name {
			t.Errorf("%+v, CheckContainerInfo %+v", f, info)
		}
	}
}

func TestEnumerateChildrenOfNothing(t *testing.T) {
	h := rooms.New(t, nil, nil)
	if got := h.Get(h.Open(h.At("/"), access.Grant{}), "children"); got.Body != `{"ChildFiles":[],"ChildContainers":[]}` {
		t.Errorf("%+v", got)
	}
}

// A folder of many children: one listing, all of them once; and nothing is written
// about those that are known.
func TestEnumerateManyChildren(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	const many = 3000
	for i := range many {
		main.Write(t, fmt.Sprintf("a/%04d.docx", i), "x")
	}
	main.Write(t, "a/sub/x", "x")
	h.Must(main.View(t).Move(t.Context(), "/a/0007.docx", "/a/z.docx", false, noCondition, noCondition))
	address := h.Open(h.At("/a"), access.Grant{})
	var first children
	h.Get(address, "children").Into(t, &first)
	urls := map[string]string{}
	for _, f := range first.ChildFiles {
		urls[f.Name] = f.Url
	}
	if len(urls) != many || len(first.ChildFiles) != many || len(first.ChildContainers) != 1 {
		t.Fatalf("%d files, %d different, %d containers", len(first.ChildFiles), len(urls), len(first.ChildContainers))
	}
	before := h.StateSum()
	main.Forget()
	var again children
	h.Get(address, "children").Into(t, &again)
	if len(again.ChildFiles) != many {
		t.Fatalf("%d files", len(again.ChildFiles))
	}
	for _, f := range again.ChildFiles {
		if urls[f.Name] != f.Url {
			t.Errorf("%s has another ID", f.Name)
		}
	}
	if h.StateSum() != before {
		t.Error("a listing of known files was written down")
	}
	if n := main.Count("PROPFIND"); n > 2 {
		t.Errorf("%d PROPFINDs", n)
	}
	// Renamed outside, in both directions of the listing's order.
	h.Must(main.View(t).Move(t.Context(), "/a/z.docx", "/a/0007.docx", false, noCondition, noCondition))
	h.Must(main.View(t).Move(t.Context(), "/a/0001.docx", "/a/zz.docx", false, noCondition, noCondition))
	h.Get(address, "children").Into(t, &again)
	for _, f := range again.ChildFiles {
		was := map[string]string{"0007.docx": "z.docx", "zz.docx": "0001.docx"}[f.Name]
		if was != "" && urls[was] != f.Url {
			t.Errorf("%s has another ID than %s had", f.Name, was)
		}
	}
}

// An upstream that fails in the middle must not make a short folder of a long one.
func TestEnumerateChildrenOfAnUpstreamThatBreaksOff(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	for i := range 2000 {
		main.Write(t, fmt.Sprintf("a/%04d.docx", i), "x")
	}
	address := h.Open(h.At("/a"), access.Grant{})
	depth1 := func(after int64) {
		main.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Times: 1, Then: func() {
			main.Quirks.Fail(upstream.Fault{Method: "PROPFIND", Times: 1, CutAnswer: true, After: after})
		}})
	}
	depth1(300)
	if got := h.Get(address, "children"); got.Status != 500 || got.Broken != nil {
		t.Errorf("at once: %d %v", got.Status, got.Broken)
	}
	depth1(600 << 10)
	if got := h.Get(address, "children"); got.Broken == nil {
		t.Errorf("in the middle: %d, %d bytes that look whole", got.Status, len(got.Body))
	}
}

func TestEnumerateChildrenOfAContainerThatMoved(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "a/x.docx", "x")
	address := h.Open(h.At("/a"), access.Grant{})
	h.Must(main.View(t).Move(t.Context(), "/a", "/b", false, noCondition, noCondition))
	main.Write(t, "a/other.docx", "x") // another folder has its name now
	var got children
	h.Get(address, "children").Into(t, &got)
	if got.names() != "x.docx" {
		t.Errorf("%s", got.names())
	}
	h.Must(main.View(t).Delete(t.Context(), "/b", noCondition))
	if got := h.Get(address, "children"); got.Status != 404 {
		t.Errorf("after it was deleted: %d %s", got.Status, got.Body)
	}
}

// Real servers list with slashes, without ETags, and in their own order.
func TestEnumerateChildrenOfRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *upstream.Server{
		"apache": upstream.Apache, "nginx": upstream.Nginx, "lighttpd": upstream.Lighttpd, "rclone": upstream.Rclone,
	} {
		t.Run(name, func(t *testing.T) {
			h := rooms.Over(t, []string{"main"}, map[string]*upstream.Server{"main": start(t)}, nil)
			main := h.Servers["main"]
			main.Write(t, "a b/x y.docx", "12345")
			main.Write(t, "a b/sub %/x", "x")
			var got children
			h.Get(h.Open(h.On("main", "/a b"), access.Grant{}), "children").Into(t, &got)
			if got.names() != "sub %/ x y.docx" {
				t.Fatalf("%s", got.names())
			}
			var info wopi.CheckFileInfo
			h.Get(got.ChildFiles[0].Url, "").Into(t, &info)
			if f := got.ChildFiles[0]; info.Version != f.Version || info.Size != f.Size || info.Size != 5 {
				t.Errorf("%+v, CheckFileInfo %+v", f, info)
			}
			if _, err := main.View(t).Stat(t.Context(), dav.Path("/a b")); err != nil {
				t.Error(err)
			}
		})
	}
}
