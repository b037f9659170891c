package endpoint_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"davwopi/bridge/access"
	"davwopi/bridge/discovery"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/office"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

// An act is one operation, at an address with a token.
type act func(h *rooms.House, address string) rooms.Answer

func asks(suffix string) act {
	return func(h *rooms.House, address string) rooms.Answer { return h.Get(address, suffix) }
}

func posts(override, body string, headers ...string) act {
	return func(h *rooms.House, address string) rooms.Answer {
		if override == wopi.OverridePut {
			address = strings.Replace(address, "?", "/contents?", 1)
		}
		return h.Post(address, override, body, headers...)
	}
}

var noCondition davbackend.Condition

const signedEditor = "https://signs.example.test"

// statusHouse has an editor that must sign, a file, a folder that is not empty, and one
// with a file of 5 bytes in it that Ben may not see.
func statusHouse(t *testing.T, offers endpoint.Offers) *rooms.House {
	t.Helper()
	keys := office.NewEditor(t, wopi.Microsoft, true, "docx")
	h := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Offers = offers
		e.MaxBody = 100
		e.Rules = access.Rules{{Who: []string{"ben"}, Path: "/a", Rights: 0}, {Who: []string{"ben"}, Path: "/empty", Rights: 0}, {Who: []string{"ben"}, Path: "/", Rights: 0}}
		e.Editors = &discovery.Editors{List: []discovery.Editor{{URL: signedEditor, Builtin: func() []byte {
			return office.Discovery(wopi.Microsoft, signedEditor, office.Keys{Current: keys.Current}, "docx")
		}}}}
	})
	main := h.Servers["main"]
	main.Write(t, "a/x.docx", "12345")
	main.Write(t, "a/taken.docx", "x")
	main.Write(t, "a/taken/x", "x")
	main.Write(t, "empty/x", "x")
	h.Must(main.View(t).Delete(t.Context(), "/empty/x", noCondition))
	return h
}

// everything is what a house offers when nothing is switched off.
var everything = endpoint.Offers{WriteRelative: true, Containers: true}

// A subject is what an operation is tried on.
type subject struct {
	path      string // "" the ecosystem
	operation string
	do        act
	fails     string // method upstream whose failure the operation cannot do without; "" it asks nothing
}

func subjects() []subject {
	lock := []string{wopi.HeaderLock, "L"}
	return []subject{
		{"/a/x.docx", "CheckFileInfo", asks(""), "PROPFIND"},
		{"/a/x.docx", "GetFile", asks("contents"), "GET"},
		{"/a/x.docx", "Lock", posts(wopi.OverrideLock, "", lock...), "PROPFIND"},
		{"/a/x.docx", "GetLock", posts(wopi.OverrideGetLock, ""), "PROPFIND"},
		{"/a/x.docx", "PutRelativeFile", posts(wopi.OverridePutRelative, "x", wopi.HeaderSuggestedTarget, "new.docx"), "PUT"},
		{"/a/x.docx", "RenameFile", posts(wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "new"), "MOVE"},
		{"/a/x.docx", "DeleteFile", posts(wopi.OverrideDelete, ""), "DELETE"},
		{"/a/x.docx", "PutUserInfo", posts(wopi.OverridePutUserInfo, "info"), ""},
		{"/a/x.docx", "EnumerateAncestors (files)", asks("ancestry"), "PROPFIND"},
		{"/a/x.docx", "GetEcosystem (files)", asks("ecosystem_pointer"), ""},
		{"/a/x.docx", "AddActivities", posts(wopi.OverrideAddActivities, `{"Activities":[{"Id":"1","Type":"x"}]}`), "PROPFIND"},
		{"/a", "CheckContainerInfo", asks(""), "PROPFIND"},
		{"/a", "EnumerateChildren", asks("children"), "PROPFIND"},
		{"/a", "EnumerateAncestors (containers)", asks("ancestry"), "PROPFIND"},
		{"/a", "GetEcosystem (containers)", asks("ecosystem_pointer"), ""},
		{"/a", "CreateChildFile", posts(wopi.OverrideCreateChildFile, "", wopi.HeaderSuggestedTarget, "new.docx"), "PUT"},
		{"/a", "CreateChildContainer", posts(wopi.OverrideCreateChildContainer, "", wopi.HeaderSuggestedTarget, "new"), "MKCOL"},
		{"/a", "RenameContainer", posts(wopi.OverrideRenameContainer, "", wopi.HeaderRequestedName, "new"), "MOVE"},
		{"/empty", "DeleteContainer", posts(wopi.OverrideDeleteContainer, ""), "DELETE"},
		{"", "CheckEcosystem", asks(""), ""},
		{"", "GetRootContainer", asks("root_container_pointer"), "PROPFIND"},
		{"", "GetFileWopiSrc", func(h *rooms.House, address string) rooms.Answer {
			x, err := h.IDs.KnownAt(h.T.Context(), h.Space("main"), "/a/x.docx")
			h.Must(err)
			return h.Post(address, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, h.URLs.HostEdit(x.ID))
		}, "PROPFIND"},
	}
}

// open is the address of s for a grant.
func (s subject) open(h *rooms.House, g access.Grant) string {
	h.T.Helper()
	if s.path != "" {
		return h.Open(h.At(s.path), g)
	}
	address := h.Open(h.At("/a/x.docx"), g)
	_, token, _ := strings.Cut(address, "access_token=")
	grant, err := h.Tokens.Open(h.T.Context(), token, h.At("/a/x.docx").ID)
	h.Must(err)
	return endpoint.WithToken(h.URLs.EcosystemSrc(), h.Tokens.Derive(grant, access.Ecosystem))
}

// Reference 4, columns 200, 401, 404 and 500, for every operation: it works; the token
// is none; the person may not see the resource, or it is gone; a proof is missing, and
// the upstream fails.
func TestStatusesOfEveryOperation(t *testing.T) {
	for _, s := range subjects() {
		t.Run(s.operation, func(t *testing.T) {
			t.Parallel()
			h := statusHouse(t, everything)
			good := s.open(h, access.Grant{})
			want := func(what string, got rooms.Answer, statuses ...int) {
				t.Helper()
				for _, status := range statuses {
					if got.Status == status {
						if status == 401 && got.Body != "" || status == 500 && strings.Contains(fmt.Sprint(got.Header), "127.0.0.1") {
							t.Errorf("%s tells too much: %v %q", what, got.Header, got.Body)
						}
						return
					}
				}
				t.Errorf("%s: %d %v, want %v", what, got.Status, got.Header, statuses)
			}
			address, _, _ := strings.Cut(good, "?")
			want("no token", s.do(h, address+"?"), 401)
			want("a wrong token", s.do(h, good+"x"), 401)
			want("no proof", s.do(h, s.open(h, access.Grant{Editor: signedEditor})), 500)
			if s.operation != "CheckEcosystem" {
				want("a person who may not see it", s.do(h, s.open(h, access.Grant{Principal: rooms.Ben})), 404)
			}
			if s.fails != "" {
				h.Servers["main"].Quirks.Fail(upstream.Fault{Method: s.fails, Status: http.StatusServiceUnavailable})
				want("an upstream that fails", s.do(h, good), 500)
				h.Servers["main"].Quirks.Reset()
			}
			want("as it should be", s.do(h, good), 200)
			want("a token whose time is over", func() rooms.Answer { h.Later(access.DefaultTTL); return s.do(h, good) }(), 401)
		})
	}
}

// Reference 4, column 404: what is not there any more.
func TestStatusesOfWhatIsGone(t *testing.T) {
	for _, s := range subjects() {
		if s.fails == "" || s.path == "" {
			continue // it asks nothing about the resource
		}
		t.Run(s.operation, func(t *testing.T) {
			t.Parallel()
			h := statusHouse(t, everything)
			address := s.open(h, access.Grant{})
			h.Must(h.Servers["main"].View(t).Delete(t.Context(), dav.Path(s.path), noCondition))
			if got := s.do(h, address); got.Status != 404 {
				t.Errorf("%d %v", got.Status, got.Header)
			}
		})
	}
}

// Reference 4, the other columns, and what section 5.2 says of headers.
func TestStatusesOfWhatIsWrong(t *testing.T) {
	long := strings.Repeat("x", 101)
	both := []string{wopi.HeaderSuggestedTarget, "s.docx", wopi.HeaderRelativeTarget, "r.docx"}
	overwrite := []string{wopi.HeaderRelativeTarget, "taken.docx", wopi.HeaderOverwriteRelativeTarget, "true"}
	for _, c := range []struct {
		name   string
		path   string
		do     act
		status int
		header string // that must be there
	}{
		{"GetFile, too large", "/a/x.docx", func(h *rooms.House, a string) rooms.Answer {
			return h.Get(a, "contents", wopi.HeaderMaxExpectedSize, "4")
		}, 412, ""},
		{"Lock, no lock ID", "/a/x.docx", posts(wopi.OverrideLock, ""), 400, ""},
		{"RefreshLock, no lock ID", "/a/x.docx", posts(wopi.OverrideRefreshLock, ""), 400, ""},
		{"Unlock, no lock ID", "/a/x.docx", posts(wopi.OverrideUnlock, ""), 400, ""},
		{"UnlockAndRelock, no lock ID", "/a/x.docx", posts(wopi.OverrideLock, "", wopi.HeaderOldLock, "O"), 400, ""},
		{"RefreshLock, unlocked", "/a/x.docx", posts(wopi.OverrideRefreshLock, "", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"Unlock, unlocked", "/a/x.docx", posts(wopi.OverrideUnlock, "", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"UnlockAndRelock, unlocked", "/a/x.docx", posts(wopi.OverrideLock, "", wopi.HeaderOldLock, "O", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"Lock, mismatch", "/a/taken.docx", posts(wopi.OverrideLock, "", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"RefreshLock, mismatch", "/a/taken.docx", posts(wopi.OverrideRefreshLock, "", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"Unlock, mismatch", "/a/taken.docx", posts(wopi.OverrideUnlock, "", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"UnlockAndRelock, mismatch", "/a/taken.docx", posts(wopi.OverrideLock, "", wopi.HeaderOldLock, "O", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"PutFile, mismatch", "/a/taken.docx", posts(wopi.OverridePut, "y", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"PutFile, unlocked and not empty", "/a/x.docx", posts(wopi.OverridePut, "y"), 409, wopi.HeaderLock},
		{"PutFile, too large", "/a/x.docx", posts(wopi.OverridePut, long, wopi.HeaderLock, "L"), 413, ""},
		{"PutRelativeFile, too large", "/a/x.docx", posts(wopi.OverridePutRelative, long, wopi.HeaderSuggestedTarget, "n.docx"), 413, ""},
		{"PutRelativeFile, both headers", "/a/x.docx", posts(wopi.OverridePutRelative, "y", both...), 400, ""},
		{"PutRelativeFile, no header", "/a/x.docx", posts(wopi.OverridePutRelative, "y"), 400, ""},
		{"PutRelativeFile, illegal name", "/a/x.docx", posts(wopi.OverridePutRelative, "y", wopi.HeaderRelativeTarget, "a/b"), 400, wopi.HeaderValidRelativeTarget},
		{"PutRelativeFile, target exists", "/a/x.docx", posts(wopi.OverridePutRelative, "y", wopi.HeaderRelativeTarget, "taken.docx"), 409, wopi.HeaderValidRelativeTarget},
		{"PutRelativeFile, target locked", "/a/x.docx", posts(wopi.OverridePutRelative, "y", overwrite...), 409, wopi.HeaderLock},
		{"RenameFile, illegal name", "/a/x.docx", posts(wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "a/b"), 400, wopi.HeaderInvalidFileNameError},
		{"RenameFile, mismatch", "/a/taken.docx", posts(wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "n", wopi.HeaderLock, "L"), 409, wopi.HeaderLock},
		{"DeleteFile, locked", "/a/taken.docx", posts(wopi.OverrideDelete, ""), 409, wopi.HeaderLock},
		{"GetShareUrl, not offered", "/a/x.docx", posts(wopi.OverrideGetShareURL, "", wopi.HeaderUrlType, "ReadOnly"), 501, ""},
		{"CreateChildContainer, illegal name", "/a", posts(wopi.OverrideCreateChildContainer, "", wopi.HeaderRelativeTarget, "a/b"), 400, wopi.HeaderInvalidContainerName},
		{"CreateChildContainer, exists", "/a", posts(wopi.OverrideCreateChildContainer, "", wopi.HeaderRelativeTarget, "taken"), 409, wopi.HeaderValidRelativeTarget},
		{"CreateChildContainer, both headers", "/a", posts(wopi.OverrideCreateChildContainer, "", both...), 501, ""},
		{"CreateChildFile, illegal name", "/a", posts(wopi.OverrideCreateChildFile, "", wopi.HeaderRelativeTarget, "a/b"), 400, wopi.HeaderInvalidFileNameError},
		{"CreateChildFile, exists", "/a", posts(wopi.OverrideCreateChildFile, "", wopi.HeaderRelativeTarget, "taken.docx"), 409, wopi.HeaderValidRelativeTarget},
		{"CreateChildFile, locked", "/a", posts(wopi.OverrideCreateChildFile, "", overwrite...), 409, wopi.HeaderLock},
		{"CreateChildFile, both headers", "/a", posts(wopi.OverrideCreateChildFile, "", both...), 501, ""},
		{"DeleteContainer, not empty", "/a", posts(wopi.OverrideDeleteContainer, ""), 409, ""},
		{"RenameContainer, illegal name", "/empty", posts(wopi.OverrideRenameContainer, "", wopi.HeaderRequestedName, "a/b"), 400, wopi.HeaderInvalidContainerName},
		{"RenameContainer, exists", "/empty", posts(wopi.OverrideRenameContainer, "", wopi.HeaderRequestedName, "a"), 409, ""},
		{"PutRelativeFile, exact name unreadable", "/a/x.docx", posts(wopi.OverridePutRelative, "y", wopi.HeaderRelativeTarget, "a+2AA-b"), 400, wopi.HeaderInvalidFileNameError},
		{"RenameFile, name unreadable", "/a/x.docx", posts(wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "a+2AA-b"), 400, wopi.HeaderInvalidFileNameError},
		{"RenameContainer, name unreadable", "/a", posts(wopi.OverrideRenameContainer, "", wopi.HeaderRequestedName, "a+2AA-b"), 400, wopi.HeaderInvalidContainerName},
		{"CreateChildContainer, exact name unreadable", "/a", posts(wopi.OverrideCreateChildContainer, "", wopi.HeaderRelativeTarget, "+2AA-"), 400, wopi.HeaderInvalidContainerName},
		{"an operation that is not there", "/a/x.docx", posts("READ_SECURE_STORE", ""), 501, ""},
		{"no override", "/a/x.docx", posts("", ""), 501, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := statusHouse(t, everything)
			if got := posts(wopi.OverrideLock, "", wopi.HeaderLock, "somebody's")(h, h.Open(h.At("/a/taken.docx"), access.Grant{})); got.Status != 200 {
				t.Fatalf("%+v", got)
			}
			got := c.do(h, h.Open(h.At(c.path), access.Grant{}))
			if _, there := got.Header[http.CanonicalHeaderKey(c.header)]; got.Status != c.status || c.header != "" && !there {
				t.Errorf("%d %v, want %d with %q", got.Status, got.Header, c.status, c.header)
			}
			if current := got.Header.Get(wopi.HeaderLock); strings.Contains(c.name, "mismatch") && current != "somebody's" {
				t.Errorf("X-WOPI-Lock %q", current)
			}
			if content, _ := h.Servers["main"].Read(t, "a/x.docx"); content != "12345" {
				t.Errorf("the file holds %q", content)
			}
		})
	}
}

// Reference 4, column 501: what is switched off, or not for this person.
func TestStatusesOfWhatIsNotOffered(t *testing.T) {
	off := statusHouse(t, endpoint.Offers{})
	on := statusHouse(t, everything)
	for _, s := range subjects() {
		switch s.operation {
		case "PutRelativeFile", "GetEcosystem (files)":
			if got := s.do(off, s.open(off, access.Grant{})); got.Status != 501 {
				t.Errorf("%s is off, and %d", s.operation, got.Status)
			}
		case "CheckContainerInfo", "CheckEcosystem", "GetRootContainer", "GetFileWopiSrc":
			if got := s.do(off, s.open(off, access.Grant{})); got.Status != 404 && got.Status != 501 {
				t.Errorf("%s is off, and %d", s.operation, got.Status)
			}
		}
		switch s.operation {
		case "PutRelativeFile", "RenameFile", "DeleteFile", "CreateChildFile", "CreateChildContainer", "RenameContainer", "DeleteContainer", "AddActivities":
			if got := s.do(on, s.open(on, access.Grant{Rights: access.View})); got.Status != 501 {
				t.Errorf("%s by a reader: %d", s.operation, got.Status)
			}
		}
	}
	overwrite := []string{wopi.HeaderRelativeTarget, "taken.docx", wopi.HeaderOverwriteRelativeTarget, "true"}
	on.Rules = append(on.Rules, access.Rule{Who: []string{"anna"}, Path: "/a/taken.docx", Rights: access.View})
	for _, c := range []struct {
		at idmap.Entry
		do act
	}{{on.At("/a/x.docx"), posts(wopi.OverridePutRelative, "y", overwrite...)}, {on.At("/a"), posts(wopi.OverrideCreateChildFile, "", overwrite...)}} {
		if got := c.do(on, on.Open(c.at, access.Grant{})); got.Status != 501 {
			t.Errorf("over a file that may only be read: %d", got.Status)
		}
	}
}

// Suggested mode knows no 400 and no 409 (reference 6.9, 7.2): whatever the name is, the
// host finds one, and keeps an extension that can be read.
func TestWhateverIsSuggestedIsTaken(t *testing.T) {
	for _, suggested := range []string{
		"taken.docx", "", ".", "..", ".docx", "a/b", "a\\b", "~$taken.docx", ".~lock.x#", "+2AA-.xlsx", "+2AA-", "+AAA-.xlsx", "nul+AAA-", strings.Repeat("x", 600) + ".xlsx", "CON", " ", "+",
	} {
		h := statusHouse(t, everything)
		for path, override := range map[string]string{"/a/x.docx": wopi.OverridePutRelative, "/a": wopi.OverrideCreateChildFile} {
			got := h.Post(h.Open(h.At(path), access.Grant{}), override, "", wopi.HeaderSuggestedTarget, suggested)
			var made wopi.PutRelativeFileInfo
			got.Into(t, &made)
			if content, there := h.Servers["main"].Read(t, "a/"+made.Name); !there || content != "" {
				t.Errorf("%q at %s: %q", suggested, path, made.Name)
			}
			if strings.HasSuffix(suggested, ".xlsx") && !strings.HasSuffix(made.Name, ".xlsx") {
				t.Errorf("%q at %s lost its extension: %q", suggested, path, made.Name)
			}
		}
		var box wopi.RootContainer
		h.Post(h.Open(h.At("/a"), access.Grant{}), wopi.OverrideCreateChildContainer, "", wopi.HeaderSuggestedTarget, suggested).Into(t, &box)
		if content, _ := h.Servers["main"].Read(t, "a/taken.docx"); content != "x" {
			t.Errorf("%q was written over what is there", suggested)
		}
	}
}

// Every answer says which program gave it, a refusal too.
func TestEveryAnswerNamesItsProgram(t *testing.T) {
	h := statusHouse(t, everything)
	h.Version, h.Machine = "davwopi 1.2.3", "nas"
	good := h.Open(h.At("/a/x.docx"), access.Grant{})
	for _, got := range []rooms.Answer{h.Get(good, ""), h.Get(good, "contents"), h.Get(good+"x", ""), h.Post(good, "NOTHING", "")} {
		if got.Header.Get(wopi.HeaderServerVersion) != "davwopi 1.2.3" || got.Header.Get(wopi.HeaderMachineName) != "nas" {
			t.Errorf("%d %v", got.Status, got.Header)
		}
	}
}
