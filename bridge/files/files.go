package files

import (
	"net/http"

	"github.com/gorilla/mux"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// Files serves /wopi/files/{id}. All fields are set before use; it may be used
// concurrently.
type Files struct {
	*endpoint.Endpoint
	UserInfo *UserInfo
	// Activities keeps comments; nil: AddActivities is not offered.
	Activities *Activities

	// Brand is the name of the installation in breadcrumbs.
	Brand string
	// RootName gives the display name of an upstream's root folder.
	RootName func(upstream string) string
}

// Mount adds the routes of the files endpoint to r.
func (f *Files) Mount(r *mux.Router) {
	table := f.operations()
	id := func(r *http.Request) string { return mux.Vars(r)["id"] }
	for _, suffix := range []string{"", "contents", "ancestry", "ecosystem_pointer", "activities"} {
		path := "/wopi/files/{id}"
		if suffix != "" {
			path += "/" + suffix
		}
		r.Handle(path, f.Handler(table, suffix, id))
	}
	// Where it is not offered for documents, pictures are put into them by it all the same.
	r.Handle("/wopi/fileurl/{id}", f.FileURLHandler(f.getFileURL, id))
}

// operations is the table of what this endpoint can do. Operations that exist on
// paper only, and those whose endpoints are not offered, are not in it: 501.
func (f *Files) operations() endpoint.Table {
	const hidden, refused = http.StatusNotFound, http.StatusNotImplemented
	return endpoint.Table{
		wopi.OpCheckFileInfo:      {Run: f.checkFileInfo, Sleeper: true},
		wopi.OpGetFile:            {Run: f.getFile},
		wopi.OpLock:               {Run: f.lock, Edit: true, Denied: hidden, Sleeper: true},
		wopi.OpGetLock:            {Run: f.getLock, Sleeper: true},
		wopi.OpRefreshLock:        {Run: f.refreshLock, Edit: true, Denied: hidden, Sleeper: true},
		wopi.OpUnlock:             {Run: f.unlock, Edit: true, Denied: hidden, Sleeper: true},
		wopi.OpUnlockAndRelock:    {Run: f.unlockAndRelock, Edit: true, Denied: hidden, Sleeper: true},
		wopi.OpPutFile:            {Run: f.putFile, Edit: true, Denied: hidden, Sleeper: true, Bytes: true},
		wopi.OpPutRelativeFile:    {Run: f.putRelativeFile, Edit: true, Denied: refused, Bytes: true},
		wopi.OpRenameFile:         {Run: f.renameFile, Edit: true, Denied: refused, Bytes: true, Account: true},
		wopi.OpDeleteFile:         {Run: f.deleteFile, Edit: true, Denied: refused, Account: true},
		wopi.OpPutUserInfo:        {Run: f.putUserInfo, Account: true},
		wopi.OpEnumerateAncestors: {Run: f.enumerateAncestors},
		wopi.OpGetShareUrl:        {Run: f.ShareURL, Account: true},
		wopi.OpGetEcosystem:       {Run: f.getEcosystem},
		wopi.OpAddActivities:      {Run: f.addActivities, Edit: true, Denied: refused},
	}
}
