package files

import (
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// reservedPrefixes begin the names that mean something to us and to desktop
// programs: a lock file of LibreOffice or Microsoft Office says that a document is
// open, and a temp of ours holds somebody's save.
var reservedPrefixes = []string{".~lock.", "~$", ".davwopi-"}

const reasonReserved = "names like this mark open documents"

// isReserved reports whether no editor may give a file that name. Upper case does
// not make it another one: many file servers ignore it.
func isReserved(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// checkName is [wopi.CheckName] for names that editors give.
func checkName(name string) (reason string) {
	if isReserved(name) {
		return reasonReserved
	}
	return wopi.CheckName(name)
}

// repairName is [wopi.RepairName] for names that editors give.
func repairName(name string) string {
	if name = wopi.RepairName(name); isReserved(name) {
		name = wopi.RepairName("_" + name)
	}
	return name
}

// mayName asks our own rules about one name in folder. What they hide and what is
// not there are answered alike.
func (f *Files) mayName(q *endpoint.Request, folder dav.Path, name string) bool {
	p, err := folder.Join(name)
	return err == nil && f.Rules.Allows(q.Grant.Principal, q.Grant.Upstream, string(p)) >= access.Edit
}

// allowed leaves out of next the names that the rules keep from this person.
func (f *Files) allowed(q *endpoint.Request, folder dav.Path, next func(int) (string, bool)) func(int) (string, bool) {
	skipped := 0
	return func(attempt int) (string, bool) {
		for {
			name, ok := next(attempt + skipped)
			if !ok || f.mayName(q, folder, name) {
				return name, ok
			}
			skipped++
		}
	}
}
