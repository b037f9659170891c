package profile

import (
	"slices"
	"strings"

	"davwopi/davbackend"
)

// A known is a server of which we know, by breaking off uploads in the laboratory,
// that it replaces a file in one step. It is recognised by what it calls itself and
// by what was measured, both.
type known struct {
	kind     string
	called   func(f Facts, propset string) bool
	measured func(Facts) bool
}

// inPlace are the servers of reference 5.3 that are saved to in place. One that is
// not recognised gets a temporary file and MOVE, which is right everywhere.
var inPlace = []known{
	{
		"apache",
		func(f Facts, propset string) bool { return strings.Contains(propset, "apache.org/dav/propset/fs") },
		func(f Facts) bool {
			return f.NativeID == "none" && f.ETagOfPut == "none" && f.PropfindSlash == 301 && f.DeadProps == "stored"
		},
	},
	{
		"nginx",
		func(f Facts, _ string) bool { return strings.HasPrefix(f.Server, "nginx") },
		func(f Facts) bool {
			return f.NativeID == "none" && f.ETag == "none" && f.DeadProps == "refused" && f.IfETag == "ignored"
		},
	},
	{
		"lighttpd",
		func(f Facts, _ string) bool { return strings.HasPrefix(f.Server, "lighttpd") },
		func(f Facts) bool { return f.NativeID == "none" && f.MoveSlash == 308 && f.DeadProps == "stored" },
	},
	{
		"opencloud",
		func(f Facts, _ string) bool { return f.NativeID != "none" },
		func(f Facts) bool { return f.TokenHeader && !f.TokenUntagged && !f.TokenTagged },
	},
}

// kindOf names the known server that f is, "" none.
func kindOf(f Facts, propset string) string {
	for _, k := range inPlace {
		if k.called(f, propset) && k.measured(f) {
			return k.kind
		}
	}
	if f.chunked() {
		return "nextcloud"
	}
	return ""
}

// replaces reports whether f is a server that replaces a file in one step, and was
// seen not to show half of it.
func (f Facts) replaces() bool {
	known := slices.ContainsFunc(inPlace, func(k known) bool { return k.kind == f.Kind })
	return (known || f.Kind == "embedded") && f.HalfWritten == "old contents"
}

// chunked reports whether saves go in chunks: only a cloud with IDs of its own keeps
// the file's when they are put together.
func (f Facts) chunked() bool { return f.Chunks && f.NativeID != "none" && f.NativeID != "" }

// Profile is how saves and locks treat the upstream: for whatever is not proven, the
// careful way.
func (f Facts) Profile() davbackend.Profile {
	p := davbackend.Profile{
		Name:                f.Kind,
		InPlace:             f.replaces(),
		Form:                f.form(),
		OverwriteF:          f.OverwriteF == "honoured",
		IfNoneMatch:         f.IfNoneMatch == "honoured",
		MoveKeepsTargetLock: f.MoveOntoLocked == "keeps the lock",
		MoveCarriesLock:     f.MoveOfLocked == "carries the lock",
	}
	p.Conditions = f.IfETag == "honoured"
	if p.Form == davbackend.FormLockToken {
		p.Conditions = f.IfMatch == "honoured"
	}
	p.Stamps = f.DeadProps == "stored" && f.NativeID == "none" && !f.ResourceID
	p.Privileges = f.Privileges == "right"
	p.Chunked = f.chunked() && !p.InPlace
	if p.Name == "" {
		p.Name = "measured"
	}
	return p
}

// form is the way to show a lock token that every request can use. Untagged comes
// first: a tag is compared with the URL, which a proxy may have changed.
func (f Facts) form() davbackend.LockForm {
	switch {
	case f.TokenUntagged:
		return davbackend.FormUntagged
	case f.TokenTagged:
		return davbackend.FormTagged
	case f.TokenHeader:
		return davbackend.FormLockToken
	}
	return davbackend.Unknown.Form
}
