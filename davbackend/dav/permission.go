package dav

import "strings"

// PropPrivileges is what a server with access control says that this person may do
// (RFC 3744, 5.4).
var PropPrivileges = PropName{"DAV:", "current-user-privilege-set"}

// A Permission is something that a server may let a person do with a resource.
type Permission int

// The permissions that are asked about.
const (
	WriteContents   Permission = iota // of a file
	Rename                            // the resource itself
	Delete                            // the resource itself
	CreateFile                        // in a collection
	CreateContainer                   // in a collection
)

// letters are those of oc:permissions, by which ownCloud and its kin say it.
var letters = [...]string{WriteContents: "W", Rename: "N", Delete: "D", CreateFile: "C", CreateContainer: "K"}

// May reports whether the server lets this person do that, as far as it says: by
// oc:permissions and by privileges, of which each may refuse.
func (res Resource) May(p Permission) bool {
	if res.MayKnown && !strings.Contains(res.Permissions, letters[p]) {
		return false
	}
	return res.Privileges.allow(p)
}

// MayWrite reports whether the server lets this person write the contents of the file,
// as far as it says. Collections have none.
func (res Resource) MayWrite() bool { return res.Collection || res.May(WriteContents) }

// Privileges are what current-user-privilege-set says of one resource, as far as we ask.
// The zero value says nothing.
type Privileges struct {
	// Said is true if there is a set that can be true: whoever sees it may read.
	Said  bool
	Write bool // the contents
	Bind  bool // new members of this collection
}

// allow knows of the resource itself only: what is renamed or deleted is asked of the
// collection above (RFC 3744, appendix B), whose set is another one.
func (s Privileges) allow(p Permission) bool {
	switch {
	case !s.Said:
		return true
	case p == WriteContents:
		return s.Write
	case p == CreateFile, p == CreateContainer:
		return s.Bind
	}
	return true
}

// privileges reads a set. An aggregate may stand in it alone (RFC 3744, 3.12).
func privileges(e Element) Privileges {
	var s Privileges
	for _, c := range e.Children {
		if c.Name != (PropName{"DAV:", "privilege"}) {
			continue
		}
		for _, p := range c.Children {
			if p.Name.Space != "DAV:" {
				continue
			}
			switch p.Name.Local {
			case "all":
				s = Privileges{Said: true, Write: true, Bind: true}
			case "read":
				s.Said = true
			case "write":
				s.Write, s.Bind = true, true
			case "write-content":
				s.Write = true
			case "bind":
				s.Bind = true
			}
		}
	}
	return s
}
