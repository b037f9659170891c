package files

import "davwopi/bridge/wopi"

// What differs between editors stands here and nowhere else.

// adapt gives the answer of CheckFileInfo the properties that only office reads,
// or reads in its own way. native is true for an Office app (iOS, Android), paged if there
// is a host page that can ask its person something.
func adapt(info *wopi.CheckFileInfo, office wopi.Office, native, paged bool) {
	switch office {
	case wopi.Collabora:
		info.EnableInsertRemoteImage = paged && info.UserCanWrite
		info.EnableOwnerTermination = true
		info.EnableShare = info.FileSharingUrl != "" // its button, which the host page answers
		info.BreadcrumbDocName = info.BaseFileName   // it is the title that Collabora shows
	case wopi.OnlyOffice:
		info.EnableInsertRemoteImage = paged && info.UserCanWrite
		info.SupportsReviewing = true
		info.UserCanReview = info.UserCanWrite
	}
	if native {
		info.BaseFileName = wopi.SanitizeNative(info.BaseFileName)
		info.UserId = wopi.SanitizeNative(info.UserId)
		info.OwnerId = wopi.SanitizeNative(info.OwnerId)
	}
}

// renamedAs is the Name in RenameFile's answer: Microsoft wants it without the
// extension; Collabora takes it for the title as it is.
func renamedAs(office wopi.Office, name string) string {
	if office == wopi.Collabora {
		return name
	}
	stem, _ := wopi.SplitExt(name)
	return stem
}
