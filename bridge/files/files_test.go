package files_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/files"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/test/rooms"
	"davwopi/test/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, h *rooms.House, address string, headers ...string) wopi.CheckFileInfo {
	t.Helper()
	var info wopi.CheckFileInfo
	h.Get(address, "", headers...).Into(t, &info)
	return info
}

func put(h *rooms.House, address, body, lock string) rooms.Answer {
	return h.Post(strings.Replace(address, "?", "/contents?", 1), wopi.OverridePut, body, wopi.HeaderLock, lock)
}

func TestFileURL(t *testing.T) {
	h := rooms.New(t, nil, nil)
	main := h.Servers["main"]
	main.Write(t, "x.docx", "old")
	x := h.At("/x.docx")
	file := h.Open(x, access.Grant{})
	first := check(t, h, file).FileUrl
	if got := h.Get(first, ""); got.Status != 200 || got.Body != "old" || !strings.Contains(got.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%+v", got)
	}
	// It counts as GetFile: a Lock that follows has a base, and a save over what was
	// changed outside meanwhile is found out.
	if got := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if based, err := h.Locks.IsBase(t.Context(), x.ID, x.Revision.Number); err != nil || !based {
		t.Errorf("what FileUrl gave is no base: %v", err)
	}
	// Fresh right after PutFile.
	if got := put(h, file, "new", "L"); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if got := h.Get(first, ""); got.Status != 200 || got.Body != "new" || got.Header.Get(wopi.HeaderItemVersion) != check(t, h, file).Version {
		t.Errorf("after PutFile: %+v", got)
	}
	if got := h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L"); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if got := h.Get(first, ""); got.Status != 200 || got.Body != "new" {
		t.Errorf("after Unlock: %+v", got)
	}
	// Bound to the revision.
	main.Write(t, "x.docx", "from outside")
	if got := h.Get(first, ""); got.Status != 404 {
		t.Errorf("after a change from outside: %d %s", got.Status, got.Body)
	}
	second := check(t, h, file).FileUrl
	if got := h.Get(second, ""); second == first || got.Status != 200 || got.Body != "from outside" {
		t.Errorf("%+v", got)
	}
	// It opens nothing else, and nothing else opens it.
	_, token, _ := strings.Cut(second, "?")
	_, own, _ := strings.Cut(file, "?")
	for _, address := range []string{h.URLs.WOPISrc(x.ID) + "?" + token, h.URLs.WOPISrc(x.ID) + "/contents?" + token, h.URLs.FileURL(x.ID) + "?" + own} {
		if got := h.Get(address, ""); got.Status != 401 {
			t.Errorf("%s: %d", address, got.Status)
		}
	}
	if got := h.Post(second, wopi.OverridePut, "x"); got.Status != 501 && got.Status != 401 {
		t.Errorf("PutFile: %d", got.Status)
	}
	h.Later(access.FileURLLife)
	if got := h.Get(second, ""); got.Status != 401 {
		t.Errorf("after five minutes: %d", got.Status)
	}
}

// It ends with its grant.
func TestFileURLOfARevokedGrant(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "old")
	file := h.Open(h.At("/x.docx"), access.Grant{})
	address := check(t, h, file).FileUrl
	h.Must(h.Tokens.RevokePrincipal(t.Context(), rooms.Anna.Key()))
	if got := h.Get(address, ""); got.Status != 401 {
		t.Errorf("%d", got.Status)
	}
	off := rooms.New(t, nil, func(e *endpoint.Endpoint) { e.Offers.FileURL = false })
	off.Servers["main"].Write(t, "x.docx", "old")
	if info := check(t, off, off.Open(off.At("/x.docx"), access.Grant{})); info.FileUrl != "" {
		t.Errorf("switched off: %s", info.FileUrl)
	}
}

const activity = `{"Type":"comment","Id":"%s","Created":"2017-02-15T13:47:13000000Z",
	"Data":{"ContentId":"c12","ContentAction":"%s","CommentText":"see row 4","NavigationId":"n","IsReply":true,"Bonus":1},
	"People":[{"Name":"Jo","Id":"u","Provider":"p","Mentioned":true,"Bonus":{}}],"Bonus":[]}`

func TestAddActivities(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "x")
	x := h.At("/x.docx")
	file := h.Open(x, access.Grant{})
	if !check(t, h, file).SupportsAddActivities {
		t.Error("not promised")
	}
	one := fmt.Sprintf(activity, "0000000A-ABCD-0000-0000-000000000000", "created")
	var got wopi.ActivityResponses
	h.Post(file, wopi.OverrideAddActivities, `
		{"Activities":[`+one+`,{"Type":"like","Id":"2"},{"Type":"comment","Id":"3"}]}`).Into(t, &got)
	want := []wopi.ActivityResponse{{Id: "0000000A-ABCD-0000-0000-000000000000"}, {Id: "2", Status: 3}, {Id: "3", Status: 3}}
	for i, r := range got.ActivityResponses {
		if len(got.ActivityResponses) != len(want) || r.Id != want[i].Id || r.Status != want[i].Status {
			t.Fatalf("%+v", got)
		}
	}
	// The other address that hosts accept, and an answer that was lost.
	h.Post(strings.Replace(file, "?", "/activities?", 1), wopi.OverrideAddActivities, `{"Activities":[`+one+`,`+fmt.Sprintf(activity, "4", "update")+`]}`).Into(t, &got)
	if len(got.ActivityResponses) != 2 || got.ActivityResponses[0].Status != 0 || got.ActivityResponses[1].Status != 0 {
		t.Errorf("%+v", got)
	}
	// After a restart.
	again, err := files.NewActivities(t.Context(), h.DB)
	h.Must(err)
	kept, err := again.List(t.Context(), x.ID, 10)
	h.Must(err)
	if len(kept) != 2 || kept[0].Id != "4" || kept[0].Data.ContentAction != "update" || kept[1].Id != want[0].Id {
		t.Fatalf("%+v", kept)
	}
	if c := kept[1]; c.Data.CommentText != "see row 4" || !c.Data.IsReply || c.Name != "Anna" || c.UserID != rooms.Anna.UserID() ||
		c.At() != "2017-02-15T13:47:13000000Z" || len(c.People) != 1 || !c.People[0].Mentioned || c.Kept.IsZero() {
		t.Errorf("%+v", c)
	}
	if other, err := again.List(t.Context(), h.At("/").ID, 10); err != nil || len(other) != 0 {
		t.Errorf("of another file: %+v %v", other, err)
	}
}

func TestAddActivitiesRefuses(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "x")
	x := h.At("/x.docx")
	file := h.Open(x, access.Grant{})
	long := strings.Repeat("x", 9<<10)
	for name, body := range map[string]string{
		"nothing":           "",
		"no JSON":           "{",
		"not an object":     "[]",
		"no activities":     `{"Activities":[]}`,
		"no Id":             `{"Activities":[{"Type":"comment"}]}`,
		"no Type":           `{"Activities":[{"Id":"1"}]}`,
		"a wrong type":      `{"Activities":[{"Id":1,"Type":"comment"}]}`,
		"too many":          `{"Activities":[` + strings.Repeat(`{"Id":"1","Type":"x"},`, 101) + `{"Id":"1","Type":"x"}]}`,
		"a long text":       `{"Activities":[{"Id":"1","Type":"comment","Data":{"ContentId":"` + long + `"}}]}`,
		"more than we read": `{"Activities":[{"Id":"1","Type":"` + strings.Repeat(long, 20) + `"}]}`,
	} {
		if got := h.Post(file, wopi.OverrideAddActivities, body); got.Status != 400 {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	body := `{"Activities":[` + fmt.Sprintf(activity, "1", "created") + `]}`
	if got := h.Post(h.Open(x, access.Grant{Rights: access.View}), wopi.OverrideAddActivities, body); got.Status != 501 {
		t.Errorf("a reader: %d", got.Status)
	}
	if kept, err := h.Activities.List(t.Context(), x.ID, 10); err != nil || len(kept) != 0 {
		t.Errorf("%+v %v", kept, err)
	}
}

// A file cannot fill the database: the newest activities are kept.
func TestActivitiesAreBounded(t *testing.T) {
	h := rooms.New(t, nil, nil)
	for i := range 12 {
		var list []wopi.Activity
		for j := range 100 {
			list = append(list, wopi.Activity{Type: "comment", Id: fmt.Sprint(i*100 + j), Data: &wopi.ActivityData{ContentId: "c"}})
		}
		h.Must(h.Activities.Add(t.Context(), "f", "u", "n", list))
	}
	h.Must(h.Activities.Add(t.Context(), "g", "u", "n", []wopi.Activity{{Type: "comment", Id: "1"}}))
	kept, err := h.Activities.List(t.Context(), "f", 5000)
	if h.Must(err); len(kept) != 1000 || kept[0].Id != "1199" || kept[999].Id != "200" {
		t.Errorf("%d kept", len(kept))
	}
	if other, err := h.Activities.List(t.Context(), "g", 5000); err != nil || len(other) != 1 {
		t.Errorf("of another file: %d %v", len(other), err)
	}
}

// What Office's apps are told has no character that makes them fail; the file keeps
// its name.
func TestNamesForOfficeApps(t *testing.T) {
	h := rooms.New(t, nil, nil)
	const bad = "a:b*c?d\"e<f>g|h#i{j}k^l[m]n`o%p.docx"
	h.Servers["main"].Write(t, "d#1/"+bad, "x")
	file := h.Open(h.At("/d#1/"+bad), access.Grant{})
	const app = "Microsoft Office Excel Android"
	info := check(t, h, file, "User-Agent", app)
	if info.BaseFileName != "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p.docx" || strings.ContainsAny(info.UserId+info.OwnerId, "\\/:*?\"<>|#{}^[]`%") {
		t.Errorf("%q %q %q", info.BaseFileName, info.UserId, info.OwnerId)
	}
	var above wopi.Ancestors
	h.Get(file, "ancestry", "User-Agent", app).Into(t, &above)
	if n := len(above.AncestorsWithRootFirst); n != 2 || above.AncestorsWithRootFirst[1].Name != "d-1" {
		t.Errorf("%+v", above)
	}
	if got := h.Get(file, "contents", "User-Agent", app); got.Status != 200 || got.Body != "x" {
		t.Errorf("%+v", got)
	}
	if info := check(t, h, file); info.BaseFileName != bad {
		t.Errorf("for others: %q", info.BaseFileName)
	}
}

// X-WOPI-ItemVersion is on PutFile, Lock and Unlock, and is CheckFileInfo's Version.
func TestItemVersion(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "x")
	file := h.Open(h.At("/x.docx"), access.Grant{})
	before := check(t, h, file).Version
	lock := h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L")
	saved := put(h, file, "y", "L")
	unlock := h.Post(file, wopi.OverrideUnlock, "", wopi.HeaderLock, "L")
	after := check(t, h, file).Version
	for name, c := range map[string]struct {
		got  rooms.Answer
		want string
	}{"Lock": {lock, before}, "PutFile": {saved, after}, "Unlock": {unlock, after}, "GetFile": {h.Get(file, "contents"), after}} {
		if got := c.got.Header.Get(wopi.HeaderItemVersion); c.got.Status != 200 || got != c.want || before == after {
			t.Errorf("%s: %d %q, want %q", name, c.got.Status, got, c.want)
		}
	}
}

// X-WOPI-MaxExpectedSize: a file of exactly so many bytes is given.
func TestMaxExpectedSize(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "12345")
	file := h.Open(h.At("/x.docx"), access.Grant{})
	for header, want := range map[string]int{"": 200, "5": 200, "4": 412, "0": 412, "-1": 200, "nonsense": 200} {
		if got := h.Get(file, "contents", wopi.HeaderMaxExpectedSize, header); got.Status != want {
			t.Errorf("%q: %d, want %d", header, got.Status, want)
		}
	}
}

// A read-only person's PutFile, Lock and Rename are refused and nothing changes: the
// grant, our rules, or the server says so.
func TestReadOnlyPeople(t *testing.T) {
	for name, c := range map[string]struct {
		rights  access.Rights
		rules   access.Rules
		server  string   // oc:permissions
		set     []string // of privileges
		profile davbackend.Profile
	}{
		"grant":      {rights: access.View},
		"rules":      {rules: access.Rules{{Who: []string{"anna"}, Path: "/x.docx", Rights: access.View}}},
		"server":     {server: "RG"},
		"privileges": {set: []string{"read", "read-acl"}, profile: davbackend.Profile{Privileges: true}},
		"everything": {profile: davbackend.Profile{ReadOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			h := rooms.New(t, nil, func(e *endpoint.Endpoint) { e.Rules = c.rules })
			main := h.Servers["main"]
			main.Write(t, "x.docx", "x")
			if c.server != "" {
				_, err := main.View(t).SetProps(t.Context(), "/x.docx", map[dav.PropName]string{dav.PropOCPermissions: c.server}, davbackend.Condition{})
				h.Must(err)
			}
			if c.set != nil {
				main.Quirks.Set(func(q *upstream.Quirks) { q.Privileges = func(string, dav.Path) []string { return c.set } })
			}
			if c.profile != (davbackend.Profile{}) {
				h.Upstreams.List[0].Client.Learn(c.profile)
			}
			file := h.Open(h.At("/x.docx"), access.Grant{Rights: c.rights})
			info := check(t, h, file)
			if info.UserCanWrite || info.UserCanRename || !info.ReadOnly || !info.UserCanNotWriteRelative || info.HostEditUrl != "" {
				t.Errorf("%+v", info)
			}
			main.Forget()
			for want, got := range map[int]rooms.Answer{
				404: h.Post(file, wopi.OverrideLock, "", wopi.HeaderLock, "L"),
				409: put(h, file, "y", "L"), // 404 where it is known without a look
				501: h.Post(file, wopi.OverrideRenameFile, "", wopi.HeaderRequestedName, "y"),
				502: h.Post(file, wopi.OverrideDelete, ""),
			} {
				if got.Status != want && !(want == 409 && got.Status == 404) && !(want == 502 && got.Status == 501) {
					t.Errorf("%d, want %d: %v", got.Status, want, got.Header)
				}
			}
			for _, method := range []string{"PUT", "LOCK", "MOVE", "DELETE", "MKCOL"} {
				if main.Count(method) != 0 {
					t.Errorf("%s was sent", method)
				}
			}
			if content, _ := main.Read(t, "x.docx"); content != "x" {
				t.Errorf("holds %q", content)
			}
		})
	}
}

// A lock runs out by the database's clock, whatever nobody refreshes.
func TestLockExpiry(t *testing.T) {
	h := rooms.New(t, nil, nil)
	h.Servers["main"].Write(t, "x.docx", "x")
	x := h.At("/x.docx")
	anna, ben := h.Open(x, access.Grant{}), h.Open(x, access.Grant{Principal: rooms.Ben})
	h.Post(anna, wopi.OverrideLock, "", wopi.HeaderLock, "L")
	h.Later(29 * time.Minute)
	if got := h.Post(ben, wopi.OverrideLock, "", wopi.HeaderLock, "M"); got.Status != 409 || got.Header.Get(wopi.HeaderLock) != "L" {
		t.Errorf("after 29 minutes: %d %v", got.Status, got.Header)
	}
	h.Later(2 * time.Minute)
	if got := h.Post(ben, wopi.OverrideGetLock, ""); got.Status != 200 || got.Header.Get(wopi.HeaderLock) != "" {
		t.Errorf("GetLock after 31 minutes: %d %v", got.Status, got.Header)
	}
}

// Links are made by whoever builds them, for the types that the grant allows.
func TestGetShareUrl(t *testing.T) {
	shared := rooms.New(t, nil, func(e *endpoint.Endpoint) {
		e.Share = func(_ context.Context, q *endpoint.Request, edit bool) (string, error) {
			return fmt.Sprintf("https://docs.example/s/%s-%v", q.File, edit), nil
		}
	})
	for _, h := range []*rooms.House{shared, rooms.New(t, nil, nil)} {
		h.Servers["main"].Write(t, "a/x.docx", "x")
		for _, e := range []idmap.Entry{h.At("/a/x.docx"), h.At("/a")} {
			for _, rights := range []access.Rights{access.Edit, access.View} {
				address := h.Open(e, access.Grant{Rights: rights})
				offered := ""
				if h == shared {
					offered = map[access.Rights]string{access.Edit: `["ReadOnly","ReadWrite"]`, access.View: `["ReadOnly"]`}[rights]
				}
				if body := h.Get(address, "").Body; offered != "" && !strings.Contains(body, `"SupportedShareUrlTypes":`+offered) ||
					offered == "" && strings.Contains(body, "SupportedShareUrlTypes") {
					t.Errorf("%s, %s: offers %s", e.Path, rights, body)
				}
				for _, kind := range []string{"ReadOnly", "ReadWrite", "readonly", "UnknownType", ""} {
					got := h.Post(address, wopi.OverrideGetShareURL, "", wopi.HeaderUrlType, kind)
					want := 501
					if kind != "" && strings.Contains(offered, `"`+kind+`"`) {
						want = 200
					}
					link := fmt.Sprintf(`{"ShareUrl":"https://docs.example/s/%s-%v"}`, e.ID, kind == "ReadWrite")
					if got.Status != want || want == 200 && got.Body != link {
						t.Errorf("%s, %s, %q: %d %s", e.Path, rights, kind, got.Status, got.Body)
					}
				}
			}
		}
	}
}
