package wire

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
	"davwopi/test/rooms"
)

// A sharing is a house in which people can share, guests can come, and somebody has.
type sharing struct {
	*rooms.House
	shares *access.Shares
	made   access.Share
	guest  access.Guest
}

// newSharing builds one over files of these names; anna makes a link to path, and a
// guest comes by it.
func newSharing(t *testing.T, rules access.Rules, path string, rights access.Rights, names ...string) *sharing {
	t.Helper()
	s := &sharing{}
	s.House = rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Rules = rules
		e.Share = func(context.Context, *endpoint.Request, bool) (string, error) { return "https://docs.example/s/x", nil }
	})
	for _, name := range names {
		s.Servers["main"].Write(t, name, "hello")
	}
	var err error
	s.shares, err = access.NewShares(t.Context(), s.DB, s.Upstreams.Sealer)
	s.Must(err)
	s.shares.Anonymous, s.Tokens.Shares = true, s.shares
	at := s.At(path)
	secret, made, err := s.shares.Make(t.Context(), access.NewShare{
		Resource: at.ID, Space: at.Space, Upstream: "main", Rights: rights, Anonymous: true, Maker: rooms.Anna, Life: 24 * time.Hour,
	})
	s.Must(err)
	s.made = made
	_, s.guest, err = s.shares.Enter(t.Context(), secret, "", "Ben", "", "192.0.2.1")
	s.Must(err)
	return s
}

// come mints the guest's token for a file or folder, as their pages do.
func (s *sharing) come(e idmap.Entry) string {
	s.T.Helper()
	return s.Open(e, access.Grant{
		Principal: s.guest.Principal(), Session: s.guest.ID, Rights: access.Edit, Scope: s.made.Resource, Share: s.made.ID, Expires: s.made.Expires,
	})
}

// contents is the address of a file's bytes.
func contents(address string) string { return strings.Replace(address, "?", "/contents?", 1) }

// TestAGuestEdits: opens, locks, saves, and is named as what they are.
func TestAGuestEdits(t *testing.T) {
	s := newSharing(t, nil, "/a/plan.docx", access.Edit, "a/plan.docx", "a/other.docx")
	file := s.come(s.At("/a/plan.docx"))
	var info wopi.CheckFileInfo
	s.Get(file, "").Into(t, &info)
	if !info.IsAnonymousUser || info.UserFriendlyName != "Guest Ben" || info.UserId == "" || !info.UserCanWrite || info.ReadOnly {
		t.Errorf("%+v", info)
	}
	if info.UserCanRename || info.SupportsRename || info.SupportsDeleteFile || info.SupportsUserInfo || !info.UserCanNotWriteRelative ||
		info.SupportedShareUrlTypes != nil || info.FileSharingUrl != "" {
		t.Errorf("promises what a guest may not: %+v", info)
	}
	below := s.URLs.Public.String() + "/shared/" + s.made.ID + "/"
	for what, address := range map[string]string{"edit": info.HostEditUrl, "view": info.HostViewUrl, "close": info.CloseUrl, "download": info.DownloadUrl, "brand": info.BreadcrumbBrandUrl} {
		if !strings.HasPrefix(address, below) {
			t.Errorf("%s leads past the link: %s", what, address)
		}
	}
	if info.BreadcrumbFolderUrl != "" || info.BreadcrumbFolderName != "" {
		t.Errorf("the folder above is named: %q", info.BreadcrumbFolderName)
	}
	if got := s.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L1"); got.Status != http.StatusOK {
		t.Fatalf("Lock: %d %v", got.Status, got.Header)
	}
	res, err := s.Servers["main"].View(t).Stat(t.Context(), "/a/plan.docx")
	s.Must(err)
	if len(res.Locks) != 1 || !strings.HasPrefix(res.Locks[0].Owner, "Guest Ben ") {
		t.Errorf("on the file server: %+v", res.Locks)
	}
	if got := s.Post(contents(file), wopi.OverridePut, "a guest wrote this", wopi.HeaderLock, "L1"); got.Status != http.StatusOK {
		t.Errorf("PutFile: %d %v", got.Status, got.Header)
	}
	if got, _ := s.Servers["main"].Read(t, "a/plan.docx"); got != "a guest wrote this" {
		t.Errorf("%q", got)
	}
	anna := s.Open(s.At("/a/plan.docx"), access.Grant{})
	if got := s.Post(anna, wopi.OverrideLock, "", wopi.HeaderLock, "L2"); got.Status != http.StatusConflict || got.Header.Get(wopi.HeaderLock) != "L1" {
		t.Errorf("anna's Lock: %d %v", got.Status, got.Header)
	}
	if got := s.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L1"); got.Status != http.StatusOK {
		t.Errorf("Unlock: %d %v", got.Status, got.Header)
	}
}

// TestWhatGuestsDoNot: whatever their link says, they neither rename nor delete nor
// share, and leave nothing behind.
func TestWhatGuestsDoNot(t *testing.T) {
	s := newSharing(t, nil, "/a", access.Edit, "a/plan.docx", "a/sub/x.docx")
	file, folder, top := s.come(s.At("/a/plan.docx")), s.come(s.At("/a/sub")), s.come(s.At("/a"))
	for _, row := range []struct {
		what, address, override string
		headers                 []string
	}{
		{"RenameFile", file, wopi.OverrideRenameFile, []string{wopi.HeaderRequestedName, "mine"}},
		{"DeleteFile", file, wopi.OverrideDelete, nil},
		{"PutUserInfo", file, wopi.OverridePutUserInfo, nil},
		{"GetShareUrl of a file", file, wopi.OverrideGetShareURL, []string{wopi.HeaderUrlType, "ReadOnly"}},
		{"GetShareUrl of a folder", folder, wopi.OverrideGetShareURL, []string{wopi.HeaderUrlType, "ReadWrite"}},
		{"RenameContainer", folder, wopi.OverrideRenameContainer, []string{wopi.HeaderRequestedName, "mine"}},
		{"DeleteContainer", folder, wopi.OverrideDeleteContainer, nil},
		{"RenameContainer of what was shared", top, wopi.OverrideRenameContainer, []string{wopi.HeaderRequestedName, "mine"}},
		{"DeleteContainer of what was shared", top, wopi.OverrideDeleteContainer, nil},
	} {
		if got := s.Post(row.address, row.override, "", row.headers...); got.Status != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", row.what, got.Status, got.Body)
		}
	}
	var info wopi.ContainerInfo
	s.Get(folder, "").Into(t, &info)
	if !info.IsAnonymousUser || info.UserCanRename || info.UserCanDelete || !info.UserCanCreateChildFile || info.SupportedShareUrlTypes != nil || info.SharingUrl != "" ||
		!strings.Contains(info.HostUrl, "/shared/"+s.made.ID+"/folder/") {
		t.Errorf("%+v", info)
	}
	for _, name := range []string{"a/plan.docx", "a/sub/x.docx"} {
		if _, there := s.Servers["main"].Read(t, name); !there {
			t.Errorf("%s is gone", name)
		}
	}
	// Beside and below, they may make things: that is what they may edit.
	got := s.Post(file, wopi.OverridePutRelative, "copy", wopi.HeaderSuggestedTarget, "copy.docx")
	var made wopi.PutRelativeFileInfo
	got.Into(t, &made)
	if !strings.Contains(made.HostEditUrl, "/shared/"+s.made.ID+"/edit/") {
		t.Errorf("%+v", made)
	}
	if body, _ := s.Servers["main"].Read(t, "a/copy.docx"); body != "copy" {
		t.Errorf("%q", body)
	}
}

// TestAGuestSeesNothingOutside: not by ID, not by what is above, not by the ecosystem,
// not with a token of something else.
func TestAGuestSeesNothingOutside(t *testing.T) {
	for _, shared := range []string{"/a/team", "/a/team/plan.docx"} {
		t.Run(shared, func(t *testing.T) {
			s := newSharing(t, nil, shared, access.Edit, "a/team/plan.docx", "a/team/sub/x.docx", "a/secret.docx", "top.docx")
			file := s.come(s.At("/a/team/plan.docx"))
			outside := []string{"/", "/a", "/a/secret.docx", "/top.docx"}
			if shared != "/a/team" {
				outside = append(outside, "/a/team", "/a/team/sub/x.docx")
			}
			token := file[strings.Index(file, "?"):]
			for _, path := range outside {
				e := s.At(path)
				// Even a token that should never have been made opens nothing.
				if got := s.Get(s.come(e), ""); got.Status != http.StatusNotFound || strings.Contains(got.Body, "secret") {
					t.Errorf("%s: %d %s", path, got.Status, got.Body)
				}
				for _, address := range []string{s.URLs.WOPISrc(e.ID), s.URLs.ContainerSrc(e.ID)} {
					if got := s.Get(address+token, ""); got.Status != http.StatusUnauthorized {
						t.Errorf("%s with the token of another file: %d", path, got.Status)
					}
				}
			}
			var above wopi.Ancestors
			s.Get(file, "ancestry").Into(t, &above)
			names := ""
			for _, a := range above.AncestorsWithRootFirst {
				names += a.Name + "/"
			}
			if want := map[string]string{"/a/team": "team/", "/a/team/plan.docx": ""}[shared]; names != want {
				t.Errorf("above are %q", names)
			}
			s.ecosystem(t, file, shared)
			if got := s.Post(file, wopi.OverridePutRelative, "x", wopi.HeaderRelativeTarget, "../escaped.docx"); got.Status == http.StatusOK {
				t.Error("a file beside what was shared")
			}
			if shared == "/a/team" {
				var children struct {
					ChildFiles      []wopi.ChildFile
					ChildContainers []wopi.Pointer
				}
				s.Get(s.come(s.At("/a/team")), "children").Into(t, &children)
				if len(children.ChildFiles) != 1 || len(children.ChildContainers) != 1 {
					t.Fatalf("%+v", children)
				}
				if got := s.Get(children.ChildContainers[0].Url, "children"); got.Status != http.StatusOK || !strings.Contains(got.Body, "x.docx") {
					t.Errorf("below: %d", got.Status)
				}
			}
		})
	}
}

// ecosystem asks what a guest's ecosystem leads to.
func (s *sharing) ecosystem(t *testing.T, file, shared string) {
	t.Helper()
	var pointer wopi.URLInfo
	s.Get(file, "ecosystem_pointer").Into(t, &pointer)
	root := s.Get(pointer.Url, "root_container_pointer")
	if shared != "/a/team" {
		if root.Status != http.StatusNotFound {
			t.Errorf("the root of a single file: %d %s", root.Status, root.Body)
		}
	} else if root.Status != http.StatusOK || !strings.Contains(root.Body, `"Name":"team"`) {
		t.Errorf("the root: %d %s", root.Status, root.Body)
	}
	for path, want := range map[string]int{"/a/team/plan.docx": http.StatusOK, "/a/secret.docx": http.StatusNotFound} {
		for _, page := range []string{s.URLs.HostEdit(s.At(path).ID), s.URLs.Through(s.made.ID).HostView(s.At(path).ID)} {
			got := s.Post(pointer.Url, wopi.OverrideGetWopiSrc, "", wopi.HeaderHostNativeFileName, page)
			if got.Status != want {
				t.Errorf("GetFileWopiSrc of %s: %d %s", page, got.Status, got.Body)
			}
		}
	}
}

// TestALinkThatIsOverEndsAtOnce: in the middle of an editing, whatever the token.
func TestALinkThatIsOverEndsAtOnce(t *testing.T) {
	for _, end := range []string{"revoked", "expired"} {
		t.Run(end, func(t *testing.T) {
			s := newSharing(t, nil, "/a", access.Edit, "a/plan.docx")
			file, folder := s.come(s.At("/a/plan.docx")), s.come(s.At("/a"))
			var info wopi.CheckFileInfo
			s.Get(file, "").Into(t, &info)
			var children struct{ ChildFiles []wopi.ChildFile }
			s.Get(folder, "children").Into(t, &children)
			if got := s.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L1"); got.Status != http.StatusOK {
				t.Fatalf("%d", got.Status)
			}
			if end == "revoked" {
				s.Must(s.shares.Revoke(t.Context(), s.made.ID, rooms.Anna.Key()))
			} else {
				s.Later(24*time.Hour - 5*time.Minute)
				s.Post(file, wopi.OverrideRefreshLock, "", wopi.HeaderLock, "L1")
				members, err := s.Locks.Members(t.Context())
				s.Must(err)
				s.Must(s.Tokens.Keep(t.Context(), members)) // as every minute
				s.Later(6 * time.Minute)
			}
			for what, got := range map[string]rooms.Answer{
				"CheckFileInfo":  s.Get(file, ""),
				"GetFile":        s.Get(contents(file), ""),
				"PutFile":        s.Post(contents(file), wopi.OverridePut, "too late", wopi.HeaderLock, "L1"),
				"RefreshLock":    s.Post(file, wopi.OverrideRefreshLock, "", wopi.HeaderLock, "L1"),
				"Unlock":         s.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L1"),
				"the folder":     s.Get(folder, "children"),
				"a derived one":  s.Get(children.ChildFiles[0].Url, ""),
				"a direct bytes": s.Get(info.FileUrl, ""),
			} {
				if got.Status != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", what, got.Status, got.Body)
				}
			}
			if got, _ := s.Servers["main"].Read(t, "a/plan.docx"); got != "hello" {
				t.Errorf("on the file server is %q", got)
			}
		})
	}
}

// TestSignedOutPeopleOfALinkCanStillSave: what sign-out does to those with an account
// holds for those who came by a link, too.
func TestSignedOutPeopleOfALinkCanStillSave(t *testing.T) {
	s := newSharing(t, nil, "/a", access.Edit, "a/plan.docx")
	at := s.At("/a/plan.docx")
	_, made, err := s.shares.Make(t.Context(), access.NewShare{Resource: at.ID, Space: at.Space, Upstream: "main", Rights: access.Edit, Maker: rooms.Anna})
	s.Must(err)
	file := s.Open(at, access.Grant{Principal: rooms.Ben, Session: "bens", Scope: at.ID, Share: made.ID})
	s.Get(file, "")
	s.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L1")
	members, err := s.Locks.Members(t.Context())
	s.Must(err)
	s.Must(s.Tokens.SignedOut(t.Context(), "bens", members))
	if got := s.Post(contents(file), wopi.OverridePut, "saved", wopi.HeaderLock, "L1"); got.Status != http.StatusOK {
		t.Errorf("PutFile: %d %v", got.Status, got.Header)
	}
	if got := s.Get(contents(file), ""); got.Status != http.StatusUnauthorized {
		t.Errorf("GetFile: %d", got.Status)
	}
	s.Must(s.shares.Revoke(t.Context(), made.ID, ""))
	if got := s.Post(contents(file), wopi.OverridePut, "too late", wopi.HeaderLock, "L1"); got.Status != http.StatusUnauthorized {
		t.Errorf("after the link was ended: %d", got.Status)
	}
}

// TestALinkFollowsItsFileWithinTheRules: renamed and moved, but not to where guests, or
// whoever made the link, may nothing; and it dies with its file.
func TestALinkFollowsItsFileWithinTheRules(t *testing.T) {
	rules := access.Rules{
		{Who: []string{"*"}, Path: "/hidden", Rights: 0},
		{Who: []string{"anna"}, Path: "/hidden", Rights: access.Edit},
		{Who: []string{"anna"}, Path: "/lost", Rights: 0},
		{Who: []string{"group:guests"}, Path: "/look", Rights: access.View},
	}
	s := newSharing(t, rules, "/a/plan.docx", access.Edit, "a/plan.docx", "hidden/x", "lost/x", "look/x")
	file := s.come(s.At("/a/plan.docx"))
	was := "a/plan.docx"
	for _, row := range []struct {
		to     string
		status int
		write  bool
	}{
		{"a/renamed.docx", http.StatusOK, true}, {"look/plan.docx", http.StatusOK, false}, {"hidden/plan.docx", http.StatusNotFound, false},
		{"a/back.docx", http.StatusOK, true}, {"lost/plan.docx", http.StatusNotFound, false}, {"a/plan.docx", http.StatusOK, true},
	} {
		s.Must(os.Rename(filepath.Join(s.Servers["main"].Dir, was), filepath.Join(s.Servers["main"].Dir, row.to)))
		was = row.to
		s.At("/" + row.to) // somebody else has seen it there
		got := s.Get(file, "")
		var info wopi.CheckFileInfo
		if got.Status == http.StatusOK {
			s.Must(json.Unmarshal([]byte(got.Body), &info))
		}
		if got.Status != row.status || info.UserCanWrite != row.write {
			t.Errorf("%s: %d, may write: %v", row.to, got.Status, info.UserCanWrite)
		}
		lock := s.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L1")
		if (lock.Status == http.StatusOK) != row.write {
			t.Errorf("%s: Lock: %d", row.to, lock.Status)
		}
		if row.write {
			s.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L1")
		}
	}
	s.Must(os.Remove(filepath.Join(s.Servers["main"].Dir, was)))
	if got := s.Get(file, ""); got.Status != http.StatusNotFound {
		t.Errorf("deleted: %d", got.Status)
	}
	// A new file in its place is not the one that was shared.
	s.Servers["main"].Write(t, was, "another file altogether, and a longer one")
	if e := s.At("/" + was); e.ID == s.made.Resource {
		t.Skip("this upstream takes it for the same") // then nothing tells them apart
	}
	if got := s.Get(file, ""); got.Status != http.StatusNotFound {
		t.Errorf("a new file of that name: %d", got.Status)
	}
}

// TestAReadingGuestChangesNothing: what a link lets people read they cannot write, by any
// of its tokens.
func TestAReadingGuestChangesNothing(t *testing.T) {
	s := newSharing(t, nil, "/a", access.View, "a/plan.docx")
	file, folder := s.come(s.At("/a/plan.docx")), s.come(s.At("/a")) // minted with the right to edit
	for what, got := range map[string]rooms.Answer{
		"Lock":                 s.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L1"),
		"PutFile":              s.Post(contents(file), wopi.OverridePut, "x", wopi.HeaderLock, "L1"),
		"PutRelativeFile":      s.Post(file, wopi.OverridePutRelative, "x", wopi.HeaderSuggestedTarget, "b.docx"),
		"CreateChildFile":      s.Post(folder, wopi.OverrideCreateChildFile, "", wopi.HeaderSuggestedTarget, "b.docx"),
		"CreateChildContainer": s.Post(folder, wopi.OverrideCreateChildContainer, "", wopi.HeaderSuggestedTarget, "b"),
	} {
		if got.Status != http.StatusNotFound && got.Status != http.StatusNotImplemented {
			t.Errorf("%s: %d", what, got.Status)
		}
	}
	if got := s.Get(contents(file), ""); got.Status != http.StatusOK || got.Body != "hello" {
		t.Errorf("GetFile: %d %q", got.Status, got.Body)
	}
	list, err := s.Servers["main"].View(t).Stat(t.Context(), dav.Path("/a/b.docx"))
	if err == nil {
		t.Errorf("made: %+v", list)
	}
}

// TestNoGuestWithoutAServiceAccount: where everybody has an account of their own, a
// guest has none to come with, even by a link that was made before.
func TestNoGuestWithoutAServiceAccount(t *testing.T) {
	s := newSharing(t, nil, "/a", access.Edit, "a/plan.docx")
	file := s.come(s.At("/a/plan.docx"))
	credentials, err := oauth.NewCredentials(t.Context(), s.DB, s.Upstreams.Sealer)
	s.Must(err)
	s.Upstreams.Credentials, s.Upstreams.List[0].Service = credentials, nil
	if got := s.Get(file, ""); got.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
