package containers_test

import (
	"errors"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestRenameContainer(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{
			{Who: []string{"ben"}, Path: "/a/kept", Rights: access.View},
			{Who: []string{"*"}, Path: "/forbidden/deep", Rights: 0},
		}
	})
	main := h.Servers["main"]
	main.Write(t, "a/kept/x.docx", "x")
	main.Write(t, "taken/x.txt", "x")
	a, x := h.At("/a"), h.At("/a/kept/x.docx")
	anna, ben := access.Grant{}, access.Grant{Principal: rooms.Ben}
	for name, c := range map[string]struct {
		grant   access.Grant
		headers []string
		status  int
	}{
		"taken":                      {anna, []string{requested, "taken"}, 409},
		"no name":                    {anna, nil, 400},
		"an empty name":              {anna, []string{requested, ""}, 400},
		"not possible":               {anna, []string{requested, "a/b"}, 400},
		"dots":                       {anna, []string{requested, ".."}, 400},
		"a reader":                   {access.Grant{Rights: access.View}, []string{requested, "b"}, 501},
		"something in it is kept":    {ben, []string{requested, "b"}, 501},
		"rules about the new place":  {anna, []string{requested, "forbidden"}, 501},
		"the top of the grant's own": {access.Grant{Scope: a.ID}, []string{requested, "b"}, 501},
	} {
		got := h.Post(h.Open(a, c.grant), wopi.OverrideRenameContainer, "", c.headers...)
		if got.Status != c.status || c.status == 400 && got.Header.Get(wopi.HeaderInvalidContainerName) == "" {
			t.Errorf("%s: %d %v", name, got.Status, got.Header)
		}
	}
	if n := main.Count("MOVE"); n != 1 { // that to the taken name
		t.Errorf("%d MOVEs", n)
	}
	if got := h.Post(h.Open(h.At("/"), anna), wopi.OverrideRenameContainer, "", requested, "b"); got.Status != 501 {
		t.Errorf("the root: %d", got.Status)
	}
	folder, file := h.Open(a, anna), h.Open(x, anna)
	var renamed wopi.RenameContainerInfo
	h.Post(folder, wopi.OverrideRenameContainer, "", requested, "Quarter+AF8-#3", userAgent, native).Into(t, &renamed)
	if renamed.Name != "Quarter_-3" {
		t.Errorf("%+v", renamed)
	}
	if _, there := main.Read(t, "Quarter_#3/kept/x.docx"); !there {
		t.Error("the real name is another one")
	}
	var info wopi.ContainerInfo
	h.Get(folder, "").Into(t, &info)
	if info.Name != "Quarter_#3" {
		t.Errorf("%+v", info)
	}
	if got := h.Get(file, "contents"); got.Status != 200 || got.Body != "x" {
		t.Errorf("a file in it: %+v", got)
	}
}

// A container in which somebody edits: 409 and the name of the file.
func TestContainerInUse(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "a/deep/Report.docx", "x")
	folder := h.At("/a")
	file := h.Open(h.At("/a/deep/Report.docx"), access.Grant{})
	if got := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	ben := h.Open(folder, access.Grant{Principal: rooms.Ben})
	for _, got := range []rooms.Answer{
		h.Post(ben, wopi.OverrideRenameContainer, "", requested, "b"),
		h.Post(ben, wopi.OverrideDeleteContainer, ""),
	} {
		reason := got.Header.Get(wopi.HeaderLockFailureReason)
		if got.Status != 409 || !strings.Contains(reason, "Report.docx") || strings.Contains(reason, "deep") {
			t.Errorf("%d %v", got.Status, got.Header)
		}
	}
	if got := h.Post(h.Open(folder, access.Grant{}), wopi.OverrideRenameContainer, "", requested, "b"); got.Status != 200 {
		t.Errorf("whoever edits it: %d %v", got.Status, got.Header)
	}
	if got := h.Post(strings.Replace(file, "?", "/contents?", 1), wopi.OverridePut, "now", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Errorf("PutFile afterwards: %d %v", got.Status, got.Header)
	}
	if content, _ := main.Read(t, "b/deep/Report.docx"); content != "now" {
		t.Errorf("holds %q", content)
	}
	if got := h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Errorf("Unlock: %d", got.Status)
	}
}

func TestDeleteContainer(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "a/x.docx", "x")
	a := h.At("/a")
	folder := h.Open(a, access.Grant{})
	if got := h.Post(folder, wopi.OverrideDeleteContainer, ""); got.Status != 409 || main.Count("DELETE") != 0 {
		t.Errorf("with a file in it: %d", got.Status)
	}
	file := h.Open(h.At("/a/x.docx"), access.Grant{})
	if got := h.Post(file, wopi.OverrideDelete, ""); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	for name, g := range map[string]access.Grant{"a reader": {Rights: access.View}, "the top of the grant's own": {Scope: a.ID}} {
		if got := h.Post(h.Open(a, g), wopi.OverrideDeleteContainer, ""); got.Status != 501 {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	if got := h.Post(folder, wopi.OverrideDeleteContainer, ""); got.Status != 200 || got.Body != "" {
		t.Errorf("%+v", got)
	}
	if got := h.Get(folder, ""); got.Status != 404 {
		t.Errorf("afterwards: %d", got.Status)
	}
	if _, err := h.IDs.Known(t.Context(), a.Space, a.ID); !errors.Is(err, idmap.ErrNotFound) {
		t.Errorf("the ID lives: %v", err)
	}
	if got := h.Post(h.Open(h.At("/"), access.Grant{}), wopi.OverrideDeleteContainer, ""); got.Status != 501 {
		t.Errorf("the root: %d", got.Status)
	}
}

// Refusals of the upstream in the words of reference 4.
func TestWhatTheUpstreamRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		fault    upstream.Fault
		override string
		headers  []string
		status   int
	}{
		"create denied":       {upstream.Fault{Method: "MKCOL", Status: 403}, wopi.OverrideCreateChildContainer, []string{exact, "n"}, 501},
		"create, no space":    {upstream.Fault{Method: "MKCOL", Status: 507}, wopi.OverrideCreateChildContainer, []string{exact, "n"}, 413},
		"create, down":        {upstream.Fault{Method: "MKCOL", Status: 503}, wopi.OverrideCreateChildContainer, []string{exact, "n"}, 500},
		"rename denied":       {upstream.Fault{Method: "MOVE", Status: 403}, wopi.OverrideRenameContainer, []string{requested, "n"}, 501},
		"rename, locked":      {upstream.Fault{Method: "MOVE", Status: 423}, wopi.OverrideRenameContainer, []string{requested, "n"}, 409},
		"rename, no such URL": {upstream.Fault{Method: "MOVE", Status: 414}, wopi.OverrideRenameContainer, []string{requested, "n"}, 400},
		"delete denied":       {upstream.Fault{Method: "DELETE", Status: 403}, wopi.OverrideDeleteContainer, nil, 501},
		"delete, locked":      {upstream.Fault{Method: "DELETE", Status: 423}, wopi.OverrideDeleteContainer, nil, 409},
		"delete, down":        {upstream.Fault{Method: "DELETE", Status: 502}, wopi.OverrideDeleteContainer, nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			h := rooms.New(t, nil, nil)
			main := h.Servers["main"]
			main.Write(t, "a/x", "")
			a := h.At("/a")
			if c.override == wopi.OverrideDeleteContainer {
				h.Must(main.View(t).Delete(t.Context(), "/a/x", noCondition))
			}
			main.Quirks.Fail(c.fault)
			if got := h.Post(h.Open(a, access.Grant{}), c.override, "", c.headers...); got.Status != c.status {
				t.Errorf("%d %v, want %d", got.Status, got.Header, c.status)
			}
			if known, err := h.IDs.Known(t.Context(), a.Space, a.ID); err != nil || known.Path != "/a" {
				t.Errorf("known at %q, %v", known.Path, err)
			}
		})
	}
}
