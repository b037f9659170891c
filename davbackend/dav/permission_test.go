package dav

import (
	"strings"
	"testing"
)

// set is a PROPFIND's answer about one resource.
func set(t *testing.T, props string) Resource {
	t.Helper()
	var found Resource
	text := `<D:multistatus xmlns:D="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:X="urn:x"><D:response><D:href>/a</D:href>` + props + `</D:response></D:multistatus>`
	err := DecodeMultistatus(strings.NewReader(text), Limits{}, func(r Response) error {
		found = r.At("/a")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func propstat200(prop string) string {
	return `<D:propstat><D:prop>` + prop + `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>`
}

func privilegeSet(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString("<D:privilege><" + n + "/></D:privilege>")
	}
	return "<D:current-user-privilege-set>" + b.String() + "</D:current-user-privilege-set>"
}

func TestPermissionsOfAResource(t *testing.T) {
	for _, tt := range []struct {
		name, props string
		said        bool
		denied      string // W write, N rename, D delete, C create a file, K create a container
	}{
		{"nothing is said", "", false, ""},
		{"RFC 3744, 5.4: read alone", propstat200(privilegeSet("D:read")), true, "WCK"},
		{"read and what does not matter", propstat200(privilegeSet("D:read", "D:read-acl", "D:write-properties", "D:unlock", "X:write")), true, "WCK"},
		{"RFC 3744, 3.1: write-content is for files", propstat200(privilegeSet("D:read", "D:write-content")), true, "CK"},
		{"RFC 3744, 3.9: bind is for members", propstat200(privilegeSet("D:read", "D:bind", "D:unbind")), true, "W"},
		{"RFC 3744, 3.12: write is an aggregate", propstat200(privilegeSet("D:read", "D:write")), true, ""},
		{"RFC 3744, 3.11: all is one of everything", propstat200(privilegeSet("D:all")), true, ""},
		{"several in one privilege element", propstat200("<D:current-user-privilege-set><D:privilege><D:read/><D:write-content/></D:privilege></D:current-user-privilege-set>"), true, "CK"},
		{"an empty set says nothing", propstat200(privilegeSet()), false, ""},
		{"a set without read cannot be true", propstat200(privilegeSet("D:read-current-user-privilege-set")), false, ""},
		{"nor one of another name space", propstat200(privilegeSet("X:read")), false, ""},
		{"text is no privilege", propstat200("<D:current-user-privilege-set>read</D:current-user-privilege-set>"), false, ""},
		{"404 is no set", strings.ReplaceAll(propstat200(privilegeSet("D:read")), "200 OK", "404 Not Found"), false, ""},
		{"oc:permissions", propstat200("<oc:permissions>RGD</oc:permissions>"), false, "WNCK"},
		{"each may refuse", propstat200("<oc:permissions>RGDNVWCK</oc:permissions>" + privilegeSet("D:read")), true, "WCK"},
		{"the other one, too", propstat200("<oc:permissions>R</oc:permissions>" + privilegeSet("D:all")), true, "WNDCK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := set(t, tt.props)
			denied := ""
			for _, p := range []Permission{WriteContents, Rename, Delete, CreateFile, CreateContainer} {
				if !res.May(p) {
					denied += letters[p]
				}
			}
			if denied != tt.denied || res.Privileges.Said != tt.said || res.MayWrite() == strings.Contains(tt.denied, "W") {
				t.Errorf("denies %q, want %q; said %v", denied, tt.denied, res.Privileges.Said)
			}
			if res.Collection = true; !res.MayWrite() {
				t.Error("a collection has no contents to write")
			}
		})
	}
}
