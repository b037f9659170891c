package files

import (
	"context"
	"encoding/base64"
	"strconv"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// checkFileInfo is WOPI's CheckFileInfo.
func (f *Files) checkFileInfo(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, _, err := f.SeenOrWaiting(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	if t.File.Kind != idmap.File {
		return wopi.Response{}, idmap.ErrNotFound
	}
	if q.Rights >= access.Edit && !q.Grant.SaveOnly { // readers, and who has signed out, join nothing
		if err := f.Locks.Joined(ctx, q.File, q.Actor); err != nil {
			return wopi.Response{}, err
		}
	}
	userInfo, err := f.UserInfo.Get(ctx, q.Grant.Principal.Key())
	if err != nil {
		return wopi.Response{}, err
	}
	info := f.describe(q, t)
	info.UserInfo = userInfo
	if err := f.addresses(ctx, q, t, &info); err != nil {
		return wopi.Response{}, err
	}
	adapt(&info, q.Actor.Office, q.Headers.Native, q.Grant.Paged() && !q.Grant.SaveOnly)
	return wopi.Response{JSON: info}, nil
}

// describe is what the file is and what this person may do.
func (f *Files) describe(q *endpoint.Request, t locks.Target) wopi.CheckFileInfo {
	principal, revision := q.Grant.Principal, t.File.Revision
	canWrite := q.Rights >= access.Edit
	canMore := canWrite && !q.Grant.SaveOnly
	_, ext := wopi.SplitExt(t.File.Name)
	info := wopi.CheckFileInfo{
		BaseFileName:            t.File.Name,
		OwnerId:                 ownerID(q.Grant, t.File.Space),
		Size:                    revision.Size,
		UserId:                  principal.UserID(),
		Version:                 revision.Version,
		ReadOnly:                !canWrite,
		UserCanWrite:            canWrite,
		UserCanNotWriteRelative: !canMore || !f.Offers.WriteRelative || f.mayCreate(q, t) != nil,
		UserCanRename:           canMore && !q.Grant.Guest() && t.Seen.May(dav.Rename),

		LicenseCheckForEditIsEnabled: f.Offers.BusinessUsers,
	}
	info.Capabilities = wopi.Capabilities{
		SupportsUpdate:             true,
		SupportsLocks:              true,
		SupportsGetLock:            true,
		SupportsExtendedLockLength: true,
		SupportsRename:             !q.Grant.Guest(),
		SupportsDeleteFile:         !q.Grant.Guest(),
		SupportsUserInfo:           !q.Grant.Guest(),
		SupportsAddActivities:      f.Activities != nil,
		SupportsContainers:         f.Offers.Containers,
		SupportsEcosystem:          f.Offers.Containers,
		SupportsGetFileWopiSrc:     f.Offers.Containers,
		SupportedShareUrlTypes:     f.ShareTypes(q),
	}
	info.UserFriendlyName = principal.Name
	info.IsAnonymousUser = q.Grant.Guest()
	info.FileExtension = ext
	info.FileNameMaxLength = maxStem
	info.LastModifiedTime = revision.LastModified
	if len(revision.SHA256) > 0 {
		info.SHA256 = base64.StdEncoding.EncodeToString(revision.SHA256)
	}
	return info
}

// maxStem is the longest name without extension that is offered for a rename, in
// characters; names of 255 bytes are what the usual file systems hold.
const maxStem = 200

// ownerID is constant per space: a WebDAV server does not tell who owns a file,
// and an owner who seems to change confuses editors.
func ownerID(g access.Grant, s idmap.SpaceID) string {
	return "o" + strconv.FormatInt(int64(s), 10) + "-" + g.Upstream
}

// addresses adds the URLs and the flags of the host page that answers them.
func (f *Files) addresses(ctx context.Context, q *endpoint.Request, t locks.Target, info *wopi.CheckFileInfo) error {
	u := f.URLs.Through(q.Grant.Share)
	info.HostViewUrl = u.HostView(t.File.ID)
	if info.UserCanWrite || f.mayEditElsewhere(q, t) {
		info.HostEditUrl = u.HostEdit(t.File.ID)
	}
	info.DownloadUrl = u.Download(t.File.ID)
	info.PostMessageOrigin = u.Origin()
	info.ClosePostMessage = true
	info.EditNotificationPostMessage = true
	info.EditModePostMessage = info.HostEditUrl != "" && q.Grant.Paged()
	if f.Offers.FileURL {
		token, err := f.Tokens.DeriveFileURL(ctx, q.Grant, t.File.Revision.Number)
		if err != nil {
			return err
		}
		info.FileUrl = endpoint.WithToken(u.FileURL(t.File.ID), token)
	}
	info.FileSharingUrl = f.SharingURL(q)
	info.FileSharingPostMessage = info.FileSharingUrl != "" && q.Grant.Paged()
	info.CloseUrl = u.Home()
	if q.Grant.Share != "" {
		info.CloseUrl = u.Closed() // home may be this very file
	}
	info.BreadcrumbBrandName = f.Brand
	info.BreadcrumbBrandUrl = u.Home()
	info.BreadcrumbDocName, _ = wopi.SplitExt(t.File.Name)
	folder, visible, err := f.folderOf(ctx, q, t)
	if err != nil || !visible {
		return err
	}
	info.CloseUrl = u.Folder(folder.ID)
	info.BreadcrumbFolderUrl = info.CloseUrl
	info.BreadcrumbFolderName = folder.Name
	if folder.Path.IsRoot() {
		info.BreadcrumbFolderName = f.RootName(q.Grant.Upstream)
	}
	return nil
}

// mayEditElsewhere asks whether this person, whose page is for reading, has another one for
// editing. A page that a program has opened for them is all that they have.
func (f *Files) mayEditElsewhere(q *endpoint.Request, t locks.Target) bool {
	return q.Grant.Paged() && q.Grant.Share == "" && !q.Grant.SaveOnly && t.View != nil && t.Seen.Path != "" && t.View.MayWrite(t.Seen) &&
		f.Rules.AllowsGrant(q.Grant, string(t.File.Path)) >= access.Edit
}

// folderOf is the folder of the file, if the grant can see it.
func (f *Files) folderOf(ctx context.Context, q *endpoint.Request, t locks.Target) (idmap.Entry, bool, error) {
	if q.Grant.Scope == q.File {
		return idmap.Entry{}, false, nil
	}
	folder, err := f.IDs.KnownAt(ctx, t.File.Space, t.File.Path.Parent())
	if err != nil {
		return folder, false, err
	}
	allowed := f.Rules.AllowsGrant(q.Grant, string(folder.Path)) >= access.View
	return folder, allowed, nil
}
