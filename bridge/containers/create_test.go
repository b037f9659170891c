package containers_test

import (
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestCreateChildFile(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{{Who: []string{"*"}, Path: "/a/hidden.docx", Rights: 0}}
	})
	main := h.Servers["main"]
	main.Write(t, "a/taken.docx", "taken")
	main.Write(t, "a/locked.docx", "locked")
	folder := h.Open(h.At("/a"), access.Grant{})
	locked := h.Open(h.At("/a/locked.docx"), access.Grant{})
	if got := h.Post(locked, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	for name, c := range map[string]struct {
		headers []string
		status  int
		want    string // name
	}{
		"suggested":                      {[]string{suggested, "new.docx"}, 200, "new.docx"},
		"suggested, taken":               {[]string{suggested, "taken.docx"}, 200, "taken (1).docx"},
		"suggested, extension only":      {[]string{suggested, ".xlsx"}, 200, "New document.xlsx"},
		"suggested, not possible":        {[]string{suggested, "a/b.docx"}, 200, "a_b.docx"},
		"exact":                          {[]string{exact, "Minutes.docx"}, 200, "Minutes.docx"},
		"exact, in UTF-7":                {[]string{exact, "madeup+AF8-name.docx"}, 200, "madeup_name.docx"},
		"exact, taken":                   {[]string{exact, "taken.docx"}, 409, ""},
		"exact, taken, no overwriting":   {[]string{exact, "taken.docx", wopi.HeaderOverwriteRelativeTarget, "False"}, 409, ""},
		"exact, locked, overwriting":     {[]string{exact, "locked.docx", wopi.HeaderOverwriteRelativeTarget, "True"}, 409, ""},
		"exact, not possible":            {[]string{exact, "a/b.docx"}, 400, ""},
		"exact, a lock file's name":      {[]string{exact, ".~lock.taken.docx#"}, 400, ""},
		"exact, hidden by rules":         {[]string{exact, "hidden.docx"}, 501, ""},
		"suggested, hidden by rules":     {[]string{suggested, "hidden.docx"}, 200, "hidden (1).docx"},
		"both":                           {[]string{exact, "b.docx", suggested, "b.docx"}, 501, ""},
		"none":                           {nil, 501, ""},
		"exact, too long":                {[]string{exact, strings.Repeat("long", 130) + ".docx"}, 400, ""},
		"exact, in a UTF-7 that is none": {[]string{exact, "+A-"}, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.Post(folder, wopi.OverrideCreateChildFile, "", c.headers...)
			if got.Status != c.status {
				t.Fatalf("%d %v %s", got.Status, got.Header, got.Body)
			}
			if c.status == 409 && strings.Contains(name, "locked") && got.Header.Get(wopi.HeaderLock) != "L" {
				t.Errorf("X-WOPI-Lock %q", got.Header.Get(wopi.HeaderLock))
			}
			if c.status != 200 {
				return
			}
			var made wopi.PutRelativeFileInfo
			got.Into(t, &made)
			content, there := main.Read(t, "a/"+c.want)
			if made.Name != c.want || !there || content != "" {
				t.Errorf("%+v, there %v %q", made, there, content)
			}
			id := h.At("/a/" + c.want).ID
			if made.HostEditUrl != h.URLs.HostEdit(id) || made.HostViewUrl != h.URLs.HostView(id) {
				t.Errorf("%+v", made)
			}
			var info wopi.CheckFileInfo
			h.Get(made.Url, "").Into(t, &info)
			if info.BaseFileName != c.want || info.Size != 0 || !info.UserCanWrite {
				t.Errorf("%+v", info)
			}
			if got := h.Post(made.Url, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
				t.Errorf("Lock of what was made: %d", got.Status)
			}
		})
	}
	if got := h.Post(folder, wopi.OverrideCreateChildFile, "", exact, "taken.docx"); got.Header.Get(wopi.HeaderValidRelativeTarget) != "taken (2).docx" {
		t.Errorf("%v", got.Header)
	}
	if content, _ := main.Read(t, "a/taken.docx"); content != "taken" {
		t.Errorf("the other file holds %q", content)
	}
	overwritten := h.Post(folder, wopi.OverrideCreateChildFile, "", exact, "taken.docx", wopi.HeaderOverwriteRelativeTarget, "True")
	if content, _ := main.Read(t, "a/taken.docx"); overwritten.Status != 200 || content != "" {
		t.Errorf("overwriting: %d, holds %q", overwritten.Status, content)
	}
	reader := h.Open(h.At("/a"), access.Grant{Rights: access.View})
	if got := h.Post(reader, wopi.OverrideCreateChildFile, "", exact, "z.docx"); got.Status != 501 {
		t.Errorf("a reader: %d", got.Status)
	}
}

func TestCreateChildContainer(t *testing.T) {
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = access.Rules{{Who: []string{"*"}, Path: "/a/hidden", Rights: 0}}
	})
	main := h.Servers["main"]
	main.Write(t, "a/Q3/x.txt", "x")
	main.Write(t, "a/file", "x")
	folder := h.Open(h.At("/a"), access.Grant{})
	for name, c := range map[string]struct {
		headers []string
		status  int
		want    string
	}{
		"suggested":                  {[]string{suggested, "new"}, 200, "new"},
		"suggested, taken":           {[]string{suggested, "Q3"}, 200, "Q3 (1)"},
		"suggested, a file's name":   {[]string{suggested, "file"}, 200, "file (1)"},
		"suggested, not possible":    {[]string{suggested, "a/b"}, 200, "a_b"},
		"suggested, hidden by rules": {[]string{suggested, "hidden"}, 200, "hidden (1)"},
		"exact":                      {[]string{exact, "Q4 +- more"}, 200, "Q4 + more"},
		"exact, taken":               {[]string{exact, "Q3"}, 409, ""},
		"exact, a file's name":       {[]string{exact, "file"}, 409, ""},
		"exact, not possible":        {[]string{exact, "a/b"}, 400, ""},
		"exact, hidden by rules":     {[]string{exact, "hidden"}, 501, ""},
		"both":                       {[]string{exact, "b", suggested, "b"}, 501, ""},
		"none":                       {nil, 501, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.Post(folder, wopi.OverrideCreateChildContainer, "", c.headers...)
			if got.Status != c.status {
				t.Fatalf("%d %v %s", got.Status, got.Header, got.Body)
			}
			if c.status == 400 && got.Header.Get(wopi.HeaderInvalidContainerName) == "" {
				t.Errorf("400 without a reason: %v", got.Header)
			}
			if c.status != 200 {
				return
			}
			var made wopi.RootContainer
			got.Into(t, &made)
			if made.ContainerPointer.Name != c.want || made.ContainerInfo == nil || made.ContainerInfo.Name != c.want || !made.ContainerInfo.UserCanDelete {
				t.Errorf("%+v", made)
			}
			var info wopi.ContainerInfo
			h.Get(made.ContainerPointer.Url, "").Into(t, &info)
			if e := h.At("/a/" + c.want); info.Name != c.want || info.HostUrl != h.URLs.Folder(e.ID) {
				t.Errorf("%+v", info)
			}
		})
	}
	if got := h.Post(folder, wopi.OverrideCreateChildContainer, "", exact, "Q3"); got.Header.Get(wopi.HeaderValidRelativeTarget) != "Q3 (2)" {
		t.Errorf("%v", got.Header)
	}
}

// What the server says about rights is what is promised, and what is refused.
func TestTheServersOwnPermissions(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "a/x.txt", "x")
	main.Write(t, "b/x.txt", "x")
	address := h.Open(h.At("/a"), access.Grant{})
	for letters, want := range map[string]wopi.ContainerInfo{
		"RG":      {},
		"RGDNVCK": {UserCanCreateChildContainer: true, UserCanCreateChildFile: true, UserCanDelete: true, UserCanRename: true},
		"RGC":     {UserCanCreateChildFile: true},
		"RGK":     {UserCanCreateChildContainer: true},
		"RGD":     {UserCanDelete: true},
		"RGNV":    {UserCanRename: true},
	} {
		permissions(t, main, "/a", letters)
		var got wopi.ContainerInfo
		h.Get(address, "").Into(t, &got)
		if got.UserCanCreateChildContainer != want.UserCanCreateChildContainer || got.UserCanCreateChildFile != want.UserCanCreateChildFile ||
			got.UserCanDelete != want.UserCanDelete || got.UserCanRename != want.UserCanRename {
			t.Errorf("%s: %+v", letters, got)
		}
		main.Forget()
		for allowed, post := range map[*bool]func() rooms.Answer{
			&want.UserCanCreateChildFile:      func() rooms.Answer { return h.Post(address, wopi.OverrideCreateChildFile, "", suggested, "n.txt") },
			&want.UserCanCreateChildContainer: func() rooms.Answer { return h.Post(address, wopi.OverrideCreateChildContainer, "", suggested, "n") },
			&want.UserCanDelete:               func() rooms.Answer { return h.Post(address, wopi.OverrideDeleteContainer, "") },
			&want.UserCanRename:               func() rooms.Answer { return h.Post(address, wopi.OverrideRenameContainer, "", requested, "b") },
		} {
			if !*allowed {
				if got := post(); got.Status != 501 {
					t.Errorf("%s: %d", letters, got.Status)
				}
			}
		}
		if n := main.Count("PUT") + main.Count("MKCOL") + main.Count("DELETE") + main.Count("MOVE"); n != 0 && letters == "RG" {
			t.Errorf("%s: %d changes", letters, n)
		}
	}
}

// So is what its privileges say, where they are known to be right.
func TestTheServersPrivileges(t *testing.T) {
	for name, c := range map[string]struct {
		set  []string
		make bool
	}{
		"read": {[]string{"read"}, false}, "bind": {[]string{"read", "bind"}, true}, "write-content is for files": {[]string{"read", "write-content"}, false},
		"all": {[]string{"all"}, true}, "nothing useful": {[]string{"unlock"}, true},
	} {
		for _, known := range []bool{true, false} {
			h := rooms.New(t, nil, nil)
			main := h.Servers["main"]
			main.Write(t, "a/x.txt", "x")
			main.Quirks.Set(func(q *upstream.Quirks) { q.Privileges = func(string, dav.Path) []string { return c.set } })
			h.Upstreams.List[0].Client.Learn(davbackend.Profile{Privileges: known})
			address := h.Open(h.At("/a"), access.Grant{})
			var got wopi.ContainerInfo
			h.Get(address, "").Into(t, &got)
			if want := c.make || !known; got.UserCanCreateChildContainer != want || got.UserCanCreateChildFile != want || !got.UserCanDelete || !got.UserCanRename {
				t.Errorf("%s, known %v: %+v", name, known, got)
			}
			main.Forget()
			want := map[bool]int{true: 200, false: 501}[c.make || !known]
			for _, got := range []rooms.Answer{
				h.Post(address, wopi.OverrideCreateChildFile, "", suggested, "n.txt"),
				h.Post(address, wopi.OverrideCreateChildContainer, "", suggested, "n"),
			} {
				if got.Status != want || want == 501 && main.Count("PUT")+main.Count("MKCOL") != 0 {
					t.Errorf("%s, known %v: %d", name, known, got.Status)
				}
			}
		}
	}
}

// permissions makes a server say oc:permissions of a path.
func permissions(t *testing.T, s *upstream.Server, p dav.Path, letters string) {
	t.Helper()
	_, err := s.View(t).SetProps(t.Context(), p, map[dav.PropName]string{dav.PropOCPermissions: letters}, noCondition)
	if err != nil {
		t.Fatal(err)
	}
}
