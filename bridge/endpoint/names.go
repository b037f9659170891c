package endpoint

import (
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/davbackend/dav"
)

// reservedPrefixes begin the names that mean something to us and to desktop
// programs: a lock file of LibreOffice or Microsoft Office says that a document is
// open, and a temp of ours holds somebody's save.
var reservedPrefixes = []string{".~lock.", "~$", ".davwopi-"}

const reasonReserved = "names like this mark open documents"

// IsReserved reports whether no editor may give a file or container that name. Upper
// case does not make it another one: many file servers ignore it.
func IsReserved(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// CheckName is [wopi.CheckName] for names that editors give.
func CheckName(name string) (reason string) {
	if IsReserved(name) {
		return reasonReserved
	}
	return wopi.CheckName(name)
}

// NameFault says to people what is wrong with a name that [CheckName] refuses; nil nothing
// is.
func NameFault(name string) words.Text {
	switch {
	case name == "":
		return words.Say("name.empty")
	case name == "." || name == "..":
		return words.Say("name.dots")
	case len(name) > wopi.MaxName:
		return words.Say("name.long")
	case IsReserved(name):
		return words.Say("name.reserved")
	case CheckName(name) != "":
		return words.Say("name.characters")
	}
	return nil
}

// RepairName is [wopi.RepairName] for names that editors give.
func RepairName(name string) string {
	if name = wopi.RepairName(name); IsReserved(name) {
		name = wopi.RepairName("_" + name)
	}
	return name
}

// MayName asks our own rules about one name in folder. What they hide and what is
// not there are answered alike.
func (e *Endpoint) MayName(q *Request, folder dav.Path, name string) bool {
	p, err := folder.Join(name)
	return err == nil && e.Rules.AllowsGrant(q.Grant, string(p)) >= access.Edit
}

// Allowed leaves out of next the names that the rules keep from this person.
func (e *Endpoint) Allowed(q *Request, folder dav.Path, next func(int) (string, bool)) func(int) (string, bool) {
	skipped := 0
	return func(attempt int) (string, bool) {
		for {
			name, ok := next(attempt + skipped)
			if !ok || e.MayName(q, folder, name) {
				return name, ok
			}
			skipped++
		}
	}
}

// maxCandidates ends the search for a free name.
const maxCandidates = 1000

// Numbered yields name, then "stem (1).ext", "stem (2).ext"...
func Numbered(name string) func(int) (string, bool) {
	return func(attempt int) (string, bool) {
		if attempt == 0 {
			return name, true
		}
		return wopi.NumberedName(name, attempt), attempt < maxCandidates
	}
}
