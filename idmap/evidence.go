package idmap

import (
	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A verdict says whether what was seen at a place is what we knew there.
type verdict int

const (
	unsure verdict = iota // no evidence that both sides have: the place speaks for it
	same
	other
)

// compare weighs evidence, best first. Contents are no evidence here: at its own
// place a file may change.
func (r *resource) compare(res dav.Resource) verdict {
	switch {
	case r.kind != kindOf(res):
		return other
	case r.native != "" && res.NativeID != "":
		return verdictOf(r.native == res.NativeID)
	case r.rid != "" && res.ResourceID != "":
		return verdictOf(r.rid == res.ResourceID)
	case r.hasInode(res):
		return same // another inode says little: programs save by replacing the file
	}
	return unsure
}

func verdictOf(equal bool) verdict {
	if equal {
		return same
	}
	return other
}

// changed reports whether res shows other contents than the present revision.
// Apache calls an ETag weak for a second and then strong; that is no change. An
// ETag that only one side has says nothing, nor does the time where both have
// ETags.
func (r *resource) changed(res dav.Resource) bool {
	if r.size >= 0 && res.Size >= 0 && r.size != res.Size {
		return true
	}
	if r.etag != "" && res.ETag != "" {
		return !r.etag.Same(res.ETag)
	}
	return r.mtime != 0 && !res.Modified.IsZero() && r.mtime != sqldb.Millis(res.Modified)
}

// learn takes over evidence that r lacks or that was renewed, and reports whether
// there was any. What res does not say is kept. The contents are those of the
// present revision. Evidence is never recorded for a root.
func (r *resource) learn(res dav.Resource, root bool) bool {
	before := *r
	if !root {
		if res.NativeID != "" {
			r.native = res.NativeID
		}
		if res.ResourceID != "" {
			r.rid = res.ResourceID
		}
		if res.Inode != "" {
			r.inode = res.Inode
		}
	}
	if r.kind == File {
		if res.ETag != "" {
			r.etag = res.ETag.Strong()
		}
		if res.Size >= 0 {
			r.size = res.Size
		}
		if !res.Modified.IsZero() {
			r.mtime = sqldb.Millis(res.Modified)
		}
	}
	if res.StampKnown && res.Stamp != r.stamp {
		r.stamp = "" // it was taken off, or another's is there
	}
	return r.native != before.native || r.rid != before.rid || r.inode != before.inode || r.stamp != before.stamp ||
		r.etag != before.etag || r.size != before.size || r.mtime != before.mtime
}

// provisional reports whether a container was only made because something below it was
// seen.
func (r *resource) provisional() bool { return r.native == "" && r.rid == "" && r.inode == "" }
