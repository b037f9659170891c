package wopi

// CollaboraProperties are what Collabora reads in CheckFileInfo beyond
// Microsoft's list; ONLYOFFICE shares some of them.
type CollaboraProperties struct {
	TemplateSource              string            `json:"TemplateSource,omitempty"` // URL fetched before the first PutFile
	TemplateSaveAs              string            `json:"TemplateSaveAs,omitempty"`
	ObfuscatedUserId            string            `json:"ObfuscatedUserId,omitempty"` // in Collabora's logs instead of UserId
	UserExtraInfo               *UserExtraInfo    `json:"UserExtraInfo,omitempty"`
	UserPrivateInfo             map[string]string `json:"UserPrivateInfo,omitempty"`
	ServerPrivateInfo           map[string]string `json:"ServerPrivateInfo,omitempty"`
	UserSettings                *Settings         `json:"UserSettings,omitempty"`
	SharedSettings              *Settings         `json:"SharedSettings,omitempty"`
	WatermarkText               string            `json:"WatermarkText,omitempty"`
	HidePrintOption             bool              `json:"HidePrintOption,omitempty"`
	HideSaveOption              bool              `json:"HideSaveOption,omitempty"`
	HideExportOption            bool              `json:"HideExportOption,omitempty"`
	HideRepairOption            bool              `json:"HideRepairOption,omitempty"`
	DisableExport               bool              `json:"DisableExport,omitempty"`
	DisableCopy                 bool              `json:"DisableCopy,omitempty"`
	DisableInactiveMessages     bool              `json:"DisableInactiveMessages,omitempty"`
	DownloadAsPostMessage       bool              `json:"DownloadAsPostMessage,omitempty"`
	EnableOwnerTermination      bool              `json:"EnableOwnerTermination,omitempty"`
	EnableInsertRemoteImage     bool              `json:"EnableInsertRemoteImage,omitempty"`
	EnableInsertRemoteFile      bool              `json:"EnableInsertRemoteFile,omitempty"`
	DisableInsertLocalImage     bool              `json:"DisableInsertLocalImage,omitempty"`
	EnableRemoteLinkPicker      bool              `json:"EnableRemoteLinkPicker,omitempty"`
	EnableRemoteAIContent       bool              `json:"EnableRemoteAIContent,omitempty"`
	DisableAISettings           bool              `json:"DisableAISettings,omitempty"`
	EnableShare                 bool              `json:"EnableShare,omitempty"`
	HideUserList                string            `json:"HideUserList,omitempty"` // "true", or mobile,tablet,desktop
	IsAdminUser                 bool              `json:"IsAdminUser,omitempty"`
	IsOwner                     bool              `json:"IsOwner,omitempty"`
	IsUserLocked                bool              `json:"IsUserLocked,omitempty"`
	IsUserRestricted            bool              `json:"IsUserRestricted,omitempty"`
	DisableChangeTrackingRecord bool              `json:"DisableChangeTrackingRecord,omitempty"`
	DisableChangeTrackingShow   bool              `json:"DisableChangeTrackingShow,omitempty"`
	HideChangeTrackingControls  bool              `json:"HideChangeTrackingControls,omitempty"`
	DisablePresentation         bool              `json:"DisablePresentation,omitempty"`
	PresentationLeader          string            `json:"PresentationLeader,omitempty"`
	CommentAvatarUrl            string            `json:"CommentAvatarUrl,omitempty"`
	HasContentRange             bool              `json:"HasContentRange,omitempty"` // GetFile answers Range
}

// UserExtraInfo is shown to the other people in the document.
type UserExtraInfo struct {
	Avatar string `json:"avatar,omitempty"` // URL
	Mail   string `json:"mail,omitempty"`
}

// Settings point to a list of a person's, or everybody's, configuration files.
type Settings struct {
	URI   string `json:"uri"`
	Stamp string `json:"stamp"` // changes when the list changes
}

// CoolDocumentChanged is the status code by which Collabora learns that the
// document was changed in storage.
const CoolDocumentChanged = 1010

// CoolStatus is the body of a 409 for Collabora, with the older key for its
// predecessors.
type CoolStatus struct {
	COOLStatusCode int `json:"COOLStatusCode"`
	LOOLStatusCode int `json:"LOOLStatusCode"`
}

// DocumentChanged is the body that says [CoolDocumentChanged] in both keys.
func DocumentChanged() CoolStatus {
	return CoolStatus{COOLStatusCode: CoolDocumentChanged, LOOLStatusCode: CoolDocumentChanged}
}
