package upstream

import (
	"fmt"
	"net/http"
	"time"
)

// A Preset makes Strict one column of the matrix of upstreams.md.
type Preset struct {
	Name string
	Set  func(*Quirks)
}

// Presets are all columns. What Strict cannot play of them stands in doc.go.
func Presets() []Preset {
	return []Preset{
		{"apache", asApache}, {"nginx", asNginx}, {"lighttpd", asLighttpd}, {"sabre", asSabre}, {"wsgidav", asWsgiDAV}, {"xnet", asXNet},
		{"rclone", asRclone}, {"sftpgo", asSFTPGo}, {"nextcloud", asNextcloud}, {"nextcloud-plain", asPlainNextcloud}, {"opencloud", asOpenCloud},
	}
}

// As returns the preset of that name, to be given to [Quirks.Set].
func As(name string) func(*Quirks) {
	for _, p := range Presets() {
		if p.Name == name {
			return p.Set
		}
	}
	panic(fmt.Sprintf("upstream: no preset %q", name)) // a test's own mistake
}

// asApache is mod_dav_fs 2.4.71.
func asApache(q *Quirks) {
	q.Headers = map[string]string{"Server": "Apache/2.4.71 (Debian)", "DAV": "1,2,<http://apache.org/dav/propset/fs/1>"}
	q.TimeETags, q.WeakFor, q.NoPutETag, q.FolderETag = true, 2*time.Second, true, "own"
	q.NoResourceID, q.MoveLosesProps = true, true
	q.EndlessSays, q.UnlockWrong, q.LockNull = "Infinite", http.StatusBadRequest, true
	q.MoveUntagged, q.ParentLocked, q.PutRefused207 = http.StatusFailedDependency, http.StatusFailedDependency, true
	q.PutRange = http.StatusPartialContent
	q.SlashStatus, q.PropfindSlash = http.StatusMovedPermanently, http.StatusMovedPermanently
	q.PathDestination, q.MissingParent, q.Quota = http.StatusBadRequest, http.StatusInternalServerError, "none"
	q.Refuse = map[string]int{"REPORT": http.StatusNotImplemented, "SEARCH": http.StatusMethodNotAllowed}
	q.HTMLErrors = true
}

// asNginx is nginx 1.22.1 with dav-ext 3.0.0.
func asNginx(q *Quirks) {
	q.Headers = map[string]string{"Server": "nginx/1.22.1", "DAV": "2"}
	q.NoPropfindETag, q.NoPutETag, q.SecondETags, q.CopyKeepsETag = true, true, true, true
	q.IgnoreConditions = true
	q.NoResourceID, q.NoContentType, q.NoDeadProps, q.Quota = true, true, http.StatusMethodNotAllowed, "none"
	q.TokenFormat, q.LockFixed, q.HideOwner = "urn:%08[2]x", time.Hour, true
	q.SharedLocks, q.RefreshMakes, q.UnlockWrong = http.StatusOK, true, http.StatusNoContent
	q.WrongToken423, q.TagNotDecoded, q.ParentMoves = true, true, true
	q.PutRange = http.StatusNotImplemented
	q.SlashStatus, q.PathDestination, q.OtherHost = http.StatusBadRequest, http.StatusNotFound, http.StatusBadRequest
	q.MissingParent, q.MoveStatus, q.HideDotfiles = http.StatusNoContent, http.StatusNoContent, true
	q.Refuse = map[string]int{"REPORT": http.StatusMethodNotAllowed, "SEARCH": http.StatusMethodNotAllowed}
	q.HTMLErrors = true
}

// asLighttpd is lighttpd 1.4.69.
func asLighttpd(q *Quirks) {
	q.Headers = map[string]string{"Server": "lighttpd/1.4.69", "DAV": "1,2,3"}
	q.TimeETags, q.CopyKeepsETag, q.FolderETag = true, true, "own"
	q.NoResourceID, q.QuietProppatch, q.Quota = true, true, "none"
	q.TokenFormat, q.LockCap, q.EndlessSays, q.HideOwner = "urn:uuid:%[1]s", 600*time.Second, "Second-600", true
	q.TimeoutHangs, q.RefreshLies, q.WrongToken423, q.MoveLocked412, q.ParentMoves = true, true, true, true, true
	q.SlashStatus, q.XMLType415 = http.StatusPermanentRedirect, true
	q.LongestName, q.LongName = 245, http.StatusInternalServerError
	q.Refuse = map[string]int{"REPORT": http.StatusNotImplemented, "SEARCH": http.StatusNotImplemented}
	q.HTMLErrors = true
}

// asSabre is sabre/dav 4.4.0 over FSExt with locks and properties in PDO, behind
// php-fpm.
func asSabre(q *Quirks) {
	q.Headers = map[string]string{"X-Sabre-Version": "4.4.0", "DAV": "1, 2, 3, extended-mkcol"}
	q.FileETags = true
	q.NoResourceID, q.NoContentType, q.CopyLosesProps, q.MoveLosesProps = true, true, true, true
	q.LockFixed, q.EndlessSays = 1800*time.Second, "Second-1800"
	q.WrongToken423, q.MoveLosesLock = true, true
	q.PartialWrites, q.HalfWritten, q.ChunkedEmpty = true, "piece", true
	q.DepthInfinity, q.OtherHost = 1, http.StatusCreated
	q.Refuse = map[string]int{"REPORT": http.StatusUnsupportedMediaType, "SEARCH": http.StatusNotImplemented}
}

// asWsgiDAV is WsgiDAV 4.3.6.
func asWsgiDAV(q *Quirks) {
	q.Headers = map[string]string{"Server": "WsgiDAV/4.3.6", "DAV": "1,2"}
	q.FileETags, q.UnquotedETags, q.IfMatchCreates = true, true, true
	q.NoResourceID, q.MoveLosesProps = true, true
	q.TokenFormat, q.EndlessSays, q.RefuseBoth, q.MoveLosesLock = "opaquelocktoken:0x%[1]s", "Second-604799", true, true
	q.PartialWrites, q.HalfWritten = true, "piece"
	q.DepthInfinity = http.StatusMultiStatus
	q.Refuse = map[string]int{"REPORT": http.StatusMethodNotAllowed, "SEARCH": http.StatusMethodNotAllowed}
	q.HTMLErrors = true
}

// asXNet is golang.org/x/net/webdav 0.62.0, and hacdias/webdav.
func asXNet(q *Quirks) {
	q.Headers = map[string]string{"DAV": "1, 2"}
	q.TimeETags, q.IgnoreConditions, q.IfETagFails = true, true, true
	q.NoResourceID, q.RefusesProps, q.Quota = true, true, "none"
	q.TokenFormat, q.EndlessSays, q.SharedLocks = "%[2]d", "Second-0", http.StatusNotImplemented
	q.NoLockDiscovery, q.RefuseTagPath, q.MoveOfLocked, q.ParentMoves = true, true, http.StatusPreconditionFailed, true
	q.PartialWrites, q.HalfWritten, q.PutStatus, q.PutRange = true, "piece", http.StatusCreated, http.StatusCreated
	q.DepthInfinity, q.MissingParent = http.StatusMultiStatus, http.StatusForbidden
	q.Refuse = map[string]int{"REPORT": http.StatusBadRequest, "SEARCH": http.StatusBadRequest}
}

// asRclone is rclone 1.75.1.
func asRclone(q *Quirks) {
	asXNet(q)
	q.RefusesProps, q.ForgetProps = false, true
	q.GzipAsked, q.NFDIsNFC = true, true
	q.Refuse = map[string]int{"REPORT": http.StatusMethodNotAllowed, "SEARCH": http.StatusMethodNotAllowed}
}

// asSFTPGo is SFTPGo 2.7.5 in upload mode 0.
func asSFTPGo(q *Quirks) {
	asXNet(q)
	q.OtherPutETag, q.GzipAsked = true, true
	q.EndlessSays, q.LockCap, q.NoLockDiscovery, q.MoveOfLocked = "Second-3600", time.Hour, false, 0
	q.DepthInfinity = 0
}

// asNextcloud is Nextcloud 24.0.5 with files_lock, behind php-fpm.
func asNextcloud(q *Quirks) {
	asPlainNextcloud(q)
	q.NoLock = false
	q.Headers = map[string]string{"X-Powered-By": "PHP/8.1.0", "DAV": "1, 2, 3, extended-mkcol"}
	q.EndlessSays, q.LockDepth0, q.SharedLocks, q.UnlockWrong = "Infinite", true, http.StatusNotImplemented, http.StatusInternalServerError
	q.WrongToken423, q.MoveLosesLock, q.MoveCarriesLock, q.ParentMoves = true, true, true, true
}

// asPlainNextcloud is the same without files_lock.
func asPlainNextcloud(q *Quirks) {
	q.Headers = map[string]string{"X-Powered-By": "PHP/8.1.0", "DAV": "1, 3, extended-mkcol"}
	q.NoLock = true
	q.NativeIDs, q.MoveTakesID, q.NoResourceID, q.FolderETag = true, true, true, "tree"
	q.CopyLosesProps, q.MoveLosesProps, q.FolderLosesProps, q.Quota = true, true, true, "-3"
	q.PartialWrites, q.NewPutGone, q.HalfWritten, q.ChunkedEmpty = true, true, "423", true
	q.DepthInfinity, q.OtherHost, q.PutMissingParent = 1, http.StatusCreated, http.StatusNotFound
	q.NFDIsNFC, q.LongestName = true, 250
	q.Refuse = map[string]int{"REPORT": http.StatusUnsupportedMediaType, "SEARCH": http.StatusMethodNotAllowed}
}

// asOpenCloud is OpenCloud of February 2025.
func asOpenCloud(q *Quirks) {
	q.Headers = map[string]string{"DAV": "1, 2"}
	q.NativeIDs, q.MoveTakesID, q.NoResourceID, q.FolderETag = true, true, true, "tree"
	q.ETagConflict, q.PutConditionsOnly, q.IgnoreIfNoneMatch = true, true, true
	q.CopyLosesProps, q.MoveLosesProps, q.Quota = true, true, "-2"
	q.TokenFormat, q.EndlessSays, q.RefreshSays, q.HideOwner = "urn:uuid:%[1]s", "Infinite", "Infinity", true
	q.OnlyLockToken, q.LockUnmapped500, q.LockDepth0, q.EchoOwner = true, true, true, true
	q.SharedLocks, q.RefreshWrong, q.UnlockWrong = http.StatusNotImplemented, http.StatusInternalServerError, http.StatusLocked
	q.MoveLocked423, q.MoveCarriesLock, q.ParentMoves = true, true, true
	q.RefuseChunked, q.PutRange = http.StatusBadRequest, http.StatusNotImplemented
	q.DepthInfinity, q.OtherHost = http.StatusBadRequest, http.StatusCreated
	q.Refuse = map[string]int{"REPORT": http.StatusBadRequest, "SEARCH": http.StatusMethodNotAllowed}
}
