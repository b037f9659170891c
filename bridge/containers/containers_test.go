package containers_test

import (
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/test/rooms"
)

func TestCheckContainerInfo(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Offers.BusinessUsers = true
		e.Rules = access.Rules{{Who: []string{"ben"}, Path: "/a/kept", Rights: access.View}}
	})
	h.Servers["main"].Write(t, "a/kept/x.txt", "x")
	h.Servers["main"].Write(t, "a/b#1/x.txt", "x")
	for _, c := range []struct {
		path, agent string
		grant       access.Grant
		want        wopi.ContainerInfo
	}{
		{"/a", "", access.Grant{}, wopi.ContainerInfo{Name: "a", UserCanCreateChildContainer: true, UserCanCreateChildFile: true, UserCanDelete: true, UserCanRename: true}},
		{"/", "", access.Grant{}, wopi.ContainerInfo{Name: "The main", UserCanCreateChildContainer: true, UserCanCreateChildFile: true}},
		{"/a", "", access.Grant{Rights: access.View}, wopi.ContainerInfo{Name: "a"}},
		{"/a", "", access.Grant{Scope: h.At("/a").ID}, wopi.ContainerInfo{Name: "a", UserCanCreateChildContainer: true, UserCanCreateChildFile: true}},
		{"/a", "", access.Grant{Principal: rooms.Ben}, wopi.ContainerInfo{Name: "a", UserCanCreateChildContainer: true, UserCanCreateChildFile: true}},
		{"/a/kept", "", access.Grant{Principal: rooms.Ben}, wopi.ContainerInfo{Name: "kept"}},
		{"/a/b#1", "", access.Grant{Rights: access.View}, wopi.ContainerInfo{Name: "b#1"}},
		{"/a/b#1", native, access.Grant{Rights: access.View}, wopi.ContainerInfo{Name: "b-1"}},
	} {
		e := h.At(c.path)
		var got wopi.ContainerInfo
		h.Get(h.Open(e, c.grant), "", userAgent, c.agent).Into(t, &got)
		c.want.HostUrl, c.want.LicenseCheckForEditIsEnabled = h.URLs.Folder(e.ID), true
		if got.SupportedShareUrlTypes != nil {
			t.Errorf("%s: links are not offered: %v", c.path, got.SupportedShareUrlTypes)
		}
		got.SupportedShareUrlTypes = nil
		if got.Name != c.want.Name || got.HostUrl != c.want.HostUrl || got.UserCanCreateChildContainer != c.want.UserCanCreateChildContainer ||
			got.UserCanCreateChildFile != c.want.UserCanCreateChildFile || got.UserCanDelete != c.want.UserCanDelete || got.UserCanRename != c.want.UserCanRename ||
			!got.LicenseCheckForEditIsEnabled || got.IsEduUser {
			t.Errorf("%s %q %+v: %+v, want %+v", c.path, c.agent, c.grant, got, c.want)
		}
	}
}

// The licence properties of a file are those of its container.
func TestLicencePropertiesAreEqual(t *testing.T) {
	for _, business := range []bool{true, false} {
		h := rooms.New(t, nil, func(e *endpoint.Endpoint) { e.Offers.BusinessUsers = business })
		h.Servers["main"].Write(t, "a/x.docx", "x")
		for _, e := range []idmap.Entry{h.At("/"), h.At("/a"), h.At("/a/x.docx")} {
			body := h.Get(h.Open(e, access.Grant{}), "", userAgent, native).Body
			for _, want := range []string{`"IsEduUser":false`, map[bool]string{true: `"LicenseCheckForEditIsEnabled":true`, false: `"LicenseCheckForEditIsEnabled":false`}[business]} {
				if !strings.Contains(body, want) {
					t.Errorf("%s: no %s in %s", e.Path, want, body)
				}
			}
		}
	}
}

// Tokens are good for exactly one resource of exactly one kind.
func TestTokensOpenOneResource(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "a/x.docx", "x")
	a, x := h.At("/a"), h.At("/a/x.docx")
	folder, file := h.Open(a, access.Grant{}), h.Open(x, access.Grant{})
	token := func(address string) string { _, after, _ := strings.Cut(address, "?"); return "?" + after }
	for name, c := range map[string]struct {
		address string
		want    int
	}{
		"itself":                        {folder, 200},
		"a file's token":                {h.URLs.ContainerSrc(a.ID) + token(file), 401},
		"a container as a file":         {h.URLs.WOPISrc(a.ID) + token(folder), 404},
		"a file as a container":         {h.URLs.ContainerSrc(x.ID) + token(file), 404},
		"the ecosystem, by a file's":    {h.URLs.EcosystemSrc() + token(file), 401},
		"no such thing":                 {h.URLs.ContainerSrc("aaaaaaaaaaaaaaaaaaaaaaaaaa") + token(folder), 401},
		"no ID":                         {h.URLs.ContainerSrc("x") + token(folder), 404},
		"the ecosystem's ID as a file":  {h.URLs.WOPISrc(access.Ecosystem) + token(ecosystemOf(t, h, file)), 404},
		"the ecosystem's ID, container": {h.URLs.ContainerSrc(access.Ecosystem) + token(ecosystemOf(t, h, file)), 404},
		"the ecosystem":                 {ecosystemOf(t, h, file), 200},
	} {
		if got := h.Get(c.address, ""); got.Status != c.want {
			t.Errorf("%s: %d, want %d", name, got.Status, c.want)
		}
	}
	// The lock operations of files do not take a container.
	if got := h.Post(h.URLs.WOPISrc(a.ID)+token(folder), wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 404 {
		t.Errorf("Lock of a container: %d", got.Status)
	}
}

func TestUnsupportedOperations(t *testing.T) {
	h := rooms.New(t, nil, nil)
	root := h.Open(h.At("/"), access.Grant{})
	for _, override := range []string{"", "GET_SHARE_URL", "LOCK", "NO_SUCH_THING"} {
		if got := h.Post(root, override, ""); got.Status != 501 {
			t.Errorf("%q: %d", override, got.Status)
		}
	}
	off := rooms.New(t, nil, func(e *endpoint.Endpoint) { e.Offers.Containers = false })
	off.Servers["main"].Write(t, "x.docx", "x")
	file := off.Open(off.At("/x.docx"), access.Grant{})
	if got := off.Get(off.Open(off.At("/"), access.Grant{}), ""); got.Status != 404 {
		t.Errorf("wopi.containers: false: %d", got.Status)
	}
	if got := off.Get(file, "ecosystem_pointer"); got.Status != 501 {
		t.Errorf("GetEcosystem with wopi.containers: false: %d", got.Status)
	}
	if body := off.Get(file, "").Body; strings.Contains(body, "SupportsContainers") || strings.Contains(body, "SupportsEcosystem") {
		t.Error("CheckFileInfo promises containers")
	}
}
