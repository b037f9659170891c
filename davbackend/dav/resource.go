package dav

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ownCloud is the namespace of ownCloud's, Nextcloud's and OpenCloud's properties.
const ownCloud = "http://owncloud.org/ns"

// Properties that [Resource] has fields for.
var (
	PropResourceType   = PropName{"DAV:", "resourcetype"}
	PropContentLength  = PropName{"DAV:", "getcontentlength"}
	PropETag           = PropName{"DAV:", "getetag"}
	PropLastModified   = PropName{"DAV:", "getlastmodified"}
	PropContentType    = PropName{"DAV:", "getcontenttype"}
	PropDisplayName    = PropName{"DAV:", "displayname"}
	PropLockDiscovery  = PropName{"DAV:", "lockdiscovery"}
	PropResourceID     = PropName{"DAV:", "resource-id"}
	PropQuotaAvailable = PropName{"DAV:", "quota-available-bytes"}
	PropOCID           = PropName{ownCloud, "id"}
	PropOCFileID       = PropName{ownCloud, "fileid"}
	PropOCPermissions  = PropName{ownCloud, "permissions"}
)

// Other properties that are asked for by name.
var (
	PropCurrentUserPrincipal = PropName{"DAV:", "current-user-principal"} // RFC 5397
	PropOCMetaPathForUser    = PropName{ownCloud, "meta-path-for-user"}   // ownCloud, OpenCloud
)

// A Resource is what one PROPFIND told about one resource.
type Resource struct {
	Path           Path
	Collection     bool
	Size           int64 // bytes; -1 unknown, always for collections
	ETag           ETag  // "" unknown
	Modified       time.Time
	ContentType    string
	NativeID       string // oc:id, else oc:fileid; "" none
	ResourceID     string // DAV:resource-id's href, "" none
	Inode          string // what the disk knows it by, where it is mounted here: inode and birth; "" unknown
	DisplayName    string
	Locks          []ActiveLock
	LocksKnown     bool                // lockdiscovery was answered with 200
	QuotaAvailable int64               // bytes; -1 unknown or unlimited
	Permissions    string              // oc:permissions: a letter for each thing that this person may do
	MayKnown       bool                // oc:permissions was answered with 200; "" is nothing then
	Privileges     Privileges          // current-user-privilege-set, where it was asked for
	Stamp          string              // what davwopi has written on it to know it again; "" nothing
	StampKnown     bool                // it was asked for
	Props          map[PropName]string // other properties: text inside, trimmed
}

// Resource reads r as the answer about one resource whose href lies at or below
// base. Only properties with status 200 count. An href that is none is [ErrBadPath].
// The caller looks at r.Status first.
func (r Response) Resource(base *url.URL) (Resource, error) {
	if len(r.Hrefs) == 0 {
		return Resource{}, fmt.Errorf("%w: response without href", ErrBadPath)
	}
	p, err := ParseHref(r.Hrefs[0], base)
	if err != nil {
		return Resource{}, err
	}
	return r.At(p), nil
}

// At reads r as the answer about the resource at p, whatever its href says.
func (r Response) At(p Path) Resource {
	res := Resource{Path: p, Size: -1, QuotaAvailable: -1}
	for _, ps := range r.Propstats {
		if ps.Status != http.StatusOK {
			continue
		}
		for _, e := range ps.Props {
			res.take(e)
		}
	}
	if res.Collection {
		res.Size = -1
	}
	return res
}

func (res *Resource) take(e Element) {
	switch e.Name {
	case PropResourceType:
		_, res.Collection = e.Child("DAV:", "collection")
	case PropContentLength:
		res.Size = count(e.AllText())
	case PropETag:
		res.ETag, _ = ParseETag(e.AllText())
	case PropLastModified:
		res.Modified = parseTime(e.AllText())
	case PropContentType:
		res.ContentType = e.AllText()
	case PropDisplayName:
		res.DisplayName = e.AllText()
	case PropLockDiscovery:
		res.Locks, res.LocksKnown = activeLocks(e), true
	case PropResourceID:
		res.ResourceID = e.AllText()
	case PropQuotaAvailable:
		res.QuotaAvailable = count(e.AllText())
	case PropOCID:
		if id := e.AllText(); id != "" {
			res.NativeID = id
		}
	case PropOCFileID:
		if res.NativeID == "" {
			res.NativeID = e.AllText()
		}
	case PropOCPermissions:
		res.Permissions, res.MayKnown = e.AllText(), true
	case PropPrivileges:
		res.Privileges = privileges(e)
	default:
		if res.Props == nil {
			res.Props = make(map[PropName]string)
		}
		res.Props[e.Name] = e.AllText()
	}
}

// count reads a number of bytes; -1 for everything else (Nextcloud says -3 for an
// unlimited quota).
func count(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func parseTime(s string) time.Time {
	if t, err := http.ParseTime(s); err == nil {
		return t.UTC()
	}
	for _, layout := range []string{time.RFC1123Z, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
