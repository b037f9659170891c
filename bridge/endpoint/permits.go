package endpoint

import (
	"strings"

	"davwopi/davbackend/dav"
)

// Letters of oc:permissions, by which some servers say what a person may do.
const (
	MayDelete          = "D"
	MayRename          = "N"
	MayCreateFile      = "C" // in a collection
	MayCreateContainer = "K" // in a collection
)

// Permits reports whether the server lets this person do that, as far as it says.
func Permits(res dav.Resource, letter string) bool {
	return !res.MayKnown || strings.Contains(res.Permissions, letter)
}
