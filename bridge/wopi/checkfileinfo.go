package wopi

// CheckFileInfo is the answer of the operation of that name: one struct, in the
// words of the specification and of Collabora's extensions. A property that is
// false or empty is left out, which WOPI reads as false or empty; null never
// occurs. The first group is always there, and so are the permissions and the
// two licence properties, whose absence offices read in different ways.
//
// There are no fields for the eight properties of CSPP Plus (SupportsCoauth,
// SequenceNumber, OfficeCollaborationServiceEndpointUrl,
// RealTimeChannelEndpointUrl, AccessTokenExpiry, ServerTime, SharingStatus,
// FileGeoLocationCode): the plain schema forbids them.
type CheckFileInfo struct {
	BaseFileName string `json:"BaseFileName"` // with extension, without path
	OwnerId      string `json:"OwnerId"`
	Size         int64  `json:"Size"` // bytes
	UserId       string `json:"UserId"`
	Version      string `json:"Version"` // changes with every change of the contents, never recurs

	// What may be done by this person. They authorize nothing.
	ReadOnly                bool `json:"ReadOnly"`
	UserCanWrite            bool `json:"UserCanWrite"`
	UserCanNotWriteRelative bool `json:"UserCanNotWriteRelative"`
	UserCanRename           bool `json:"UserCanRename"`
	UserCanReview           bool `json:"UserCanReview,omitempty"`
	UserCanOnlyComment      bool `json:"UserCanOnlyComment,omitempty"`
	UserCanAttend           bool `json:"UserCanAttend,omitempty"`
	UserCanPresent          bool `json:"UserCanPresent,omitempty"`
	RestrictedWebViewOnly   bool `json:"RestrictedWebViewOnly,omitempty"`
	TemporarilyNotWritable  bool `json:"TemporarilyNotWritable,omitempty"`
	WebEditingDisabled      bool `json:"WebEditingDisabled,omitempty"`
	EditingCannotSave       bool `json:"EditingCannotSave,omitempty"`

	IsEduUser                    bool `json:"IsEduUser"`
	LicenseCheckForEditIsEnabled bool `json:"LicenseCheckForEditIsEnabled"`

	Capabilities
	UserMetadata
	URLProperties
	PostMessageFlags
	OtherProperties
	CollaboraProperties
}

// Capabilities are promises: each one set to true promises all the operations
// behind it.
type Capabilities struct {
	SupportsUpdate             bool     `json:"SupportsUpdate,omitempty"` // PutFile, PutRelativeFile
	SupportsLocks              bool     `json:"SupportsLocks,omitempty"`  // Lock, Unlock, RefreshLock, UnlockAndRelock
	SupportsGetLock            bool     `json:"SupportsGetLock,omitempty"`
	SupportsExtendedLockLength bool     `json:"SupportsExtendedLockLength,omitempty"` // [MaxLockID]
	SupportsRename             bool     `json:"SupportsRename,omitempty"`
	SupportsDeleteFile         bool     `json:"SupportsDeleteFile,omitempty"`
	SupportsContainers         bool     `json:"SupportsContainers,omitempty"`
	SupportsEcosystem          bool     `json:"SupportsEcosystem,omitempty"`
	SupportsGetFileWopiSrc     bool     `json:"SupportsGetFileWopiSrc,omitempty"`
	SupportsUserInfo           bool     `json:"SupportsUserInfo,omitempty"` // PutUserInfo
	SupportsFolders            bool     `json:"SupportsFolders,omitempty"`
	SupportsCobalt             bool     `json:"SupportsCobalt,omitempty"`
	SupportsAddActivities      bool     `json:"SupportsAddActivities,omitempty"`
	SupportsReviewing          bool     `json:"SupportsReviewing,omitempty"`
	SupportsScenarioLinks      bool     `json:"SupportsScenarioLinks,omitempty"`
	SupportsSecureStore        bool     `json:"SupportsSecureStore,omitempty"`
	SupportsFileCreation       bool     `json:"SupportsFileCreation,omitempty"`
	SupportsFileUserValue      bool     `json:"SupportsFileUserValue,omitempty"`
	SupportsGetActivities      bool     `json:"SupportsGetActivities,omitempty"`
	SupportsPolicies           bool     `json:"SupportsPolicies,omitempty"`
	SupportsCheckPolicy        bool     `json:"SupportsCheckPolicy,omitempty"`
	SupportsCheckUserAccess    bool     `json:"SupportsCheckUserAccess,omitempty"`
	SupportsGrantUserAccess    bool     `json:"SupportsGrantUserAccess,omitempty"`
	SupportsContactsResolution bool     `json:"SupportsContactsResolution,omitempty"`
	SupportedShareUrlTypes     []string `json:"SupportedShareUrlTypes,omitempty"` // ReadOnly, ReadWrite
	CobaltCapabilities         []string `json:"CobaltCapabilities,omitempty"`     // DownloadStreaming
}

// UserMetadata is about the person who asks.
type UserMetadata struct {
	UserFriendlyName         string `json:"UserFriendlyName,omitempty"`
	IsAnonymousUser          bool   `json:"IsAnonymousUser,omitempty"`
	UserInfo                 string `json:"UserInfo,omitempty"` // what PutUserInfo stored last for this person
	TenantId                 string `json:"TenantId,omitempty"`
	UserPrincipalName        string `json:"UserPrincipalName,omitempty"`
	HostAuthenticationId     string `json:"HostAuthenticationId,omitempty"`
	HostAuthenticationIdType string `json:"HostAuthenticationIdType,omitempty"`
	AADUserObjectId          string `json:"AADUserObjectId,omitempty"`
	PresenceProvider         string `json:"PresenceProvider,omitempty"`
	PresenceUserId           string `json:"PresenceUserId,omitempty"`
	LicensedOrganization     string `json:"LicensedOrganization,omitempty"`
}

// URLProperties are absolute URLs of ours, never of the office.
type URLProperties struct {
	HostEditUrl               string   `json:"HostEditUrl,omitempty"`
	HostViewUrl               string   `json:"HostViewUrl,omitempty"`
	HostEmbeddedViewUrl       string   `json:"HostEmbeddedViewUrl,omitempty"`
	HostEmbeddedEditUrl       string   `json:"HostEmbeddedEditUrl,omitempty"`
	CloseUrl                  string   `json:"CloseUrl,omitempty"`
	DownloadUrl               string   `json:"DownloadUrl,omitempty"`
	FileUrl                   string   `json:"FileUrl,omitempty"` // used as it is, without token or proof
	FileSharingUrl            string   `json:"FileSharingUrl,omitempty"`
	FileVersionUrl            string   `json:"FileVersionUrl,omitempty"`
	FileEmbedCommandUrl       string   `json:"FileEmbedCommandUrl,omitempty"`
	SignoutUrl                string   `json:"SignoutUrl,omitempty"`
	SignInUrl                 string   `json:"SignInUrl,omitempty"`
	WorkflowUrl               string   `json:"WorkflowUrl,omitempty"`
	WorkflowType              []string `json:"WorkflowType,omitempty"` // Assign, Submit
	ClientUrl                 string   `json:"ClientUrl,omitempty"`
	DirectInvokeDAVUrl        string   `json:"DirectInvokeDAVUrl,omitempty"`
	HostRestUrl               string   `json:"HostRestUrl,omitempty"`
	EditAndReplyUrl           string   `json:"EditAndReplyUrl,omitempty"`
	HostDivSyndicationViewUrl string   `json:"HostDivSyndicationViewUrl,omitempty"`
	PrivacyUrl                string   `json:"PrivacyUrl,omitempty"`
	TermsOfUseUrl             string   `json:"TermsOfUseUrl,omitempty"`
	ReportAbuseUrl            string   `json:"ReportAbuseUrl,omitempty"`
	OpenInClientCommandUrl    string   `json:"OpenInClientCommandUrl,omitempty"`
	AppCatalogUrl             string   `json:"AppCatalogUrl,omitempty"`

	BreadcrumbBrandName  string `json:"BreadcrumbBrandName,omitempty"`
	BreadcrumbBrandUrl   string `json:"BreadcrumbBrandUrl,omitempty"`
	BreadcrumbDocName    string `json:"BreadcrumbDocName,omitempty"`
	BreadcrumbDocUrl     string `json:"BreadcrumbDocUrl,omitempty"`
	BreadcrumbFolderName string `json:"BreadcrumbFolderName,omitempty"`
	BreadcrumbFolderUrl  string `json:"BreadcrumbFolderUrl,omitempty"`
}

// PostMessageFlags say which messages the host page answers.
type PostMessageFlags struct {
	PostMessageOrigin           string `json:"PostMessageOrigin,omitempty"` // scheme, host, port of the host page; never "*"
	ClosePostMessage            bool   `json:"ClosePostMessage,omitempty"`
	EditModePostMessage         bool   `json:"EditModePostMessage,omitempty"`
	EditNotificationPostMessage bool   `json:"EditNotificationPostMessage,omitempty"`
	FileSharingPostMessage      bool   `json:"FileSharingPostMessage,omitempty"`
	FileVersionPostMessage      bool   `json:"FileVersionPostMessage,omitempty"`
	FileEmbedCommandPostMessage bool   `json:"FileEmbedCommandPostMessage,omitempty"`
	WorkflowPostMessage         bool   `json:"WorkflowPostMessage,omitempty"`
	AppStateHistoryPostMessage  bool   `json:"AppStateHistoryPostMessage,omitempty"`
	InsertImagePostMessage      bool   `json:"InsertImagePostMessage,omitempty"`
	OpenInClientPostMessage     bool   `json:"OpenInClientPostMessage,omitempty"`
	PermissionsPostMessage      bool   `json:"PermissionsPostMessage,omitempty"`
	PolicyCheckPostMessage      bool   `json:"PolicyCheckPostMessage,omitempty"`
	ReportAbusePostMessage      bool   `json:"ReportAbusePostMessage,omitempty"`
	UserMentionPostMessage      bool   `json:"UserMentionPostMessage,omitempty"`
}

// OtherProperties are the rest of Microsoft's.
type OtherProperties struct {
	FileExtension                      string   `json:"FileExtension,omitempty"`     // with its dot
	FileNameMaxLength                  int      `json:"FileNameMaxLength,omitempty"` // without extension; absent: 250
	LastModifiedTime                   string   `json:"LastModifiedTime,omitempty"`  // as [TimeFormat]
	SHA256                             string   `json:"SHA256,omitempty"`            // base64
	UniqueContentId                    string   `json:"UniqueContentId,omitempty"`
	DisablePrint                       bool     `json:"DisablePrint,omitempty"`
	DisableTranslation                 bool     `json:"DisableTranslation,omitempty"`
	CopyPasteRestrictions              string   `json:"CopyPasteRestrictions,omitempty"` // BlockAll, CurrentDocumentOnly
	CloseButtonClosesWindow            bool     `json:"CloseButtonClosesWindow,omitempty"`
	AllowAdditionalMicrosoftServices   bool     `json:"AllowAdditionalMicrosoftServices,omitempty"`
	AllowErrorReportPrompt             bool     `json:"AllowErrorReportPrompt,omitempty"`
	AllowExternalMarketplace           bool     `json:"AllowExternalMarketplace,omitempty"`
	AllowEarlyFeatures                 bool     `json:"AllowEarlyFeatures,omitempty"`
	AllowAddActivitiesUserBatching     bool     `json:"AllowAddActivitiesUserBatching,omitempty"`
	RequestedCallThrottling            string   `json:"RequestedCallThrottling,omitempty"`    // Normal, Minor, Medium, Major, Critical
	ClientThrottlingProtection         string   `json:"ClientThrottlingProtection,omitempty"` // MostProtected ... LeastProtected
	TimeZone                           string   `json:"TimeZone,omitempty"`
	HostName                           string   `json:"HostName,omitempty"`
	HostNotes                          string   `json:"HostNotes,omitempty"`
	DisableBrowserCachingOfUserContent bool     `json:"DisableBrowserCachingOfUserContent,omitempty"`
	ComplianceDomainPrefix             string   `json:"ComplianceDomainPrefix,omitempty"`
	AppliedPolicyId                    string   `json:"AppliedPolicyId,omitempty"`
	EmbeddingPageOrigin                string   `json:"EmbeddingPageOrigin,omitempty"`
	EmbeddingPageSessionInfo           string   `json:"EmbeddingPageSessionInfo,omitempty"`
	EnabledApplicationFeatures         []string `json:"EnabledApplicationFeatures,omitempty"`
	IsYammerEnabled                    bool     `json:"IsYammerEnabled,omitempty"`
	SafeLinksStatus                    string   `json:"SafeLinksStatus,omitempty"`
	ProtectedFile                      bool     `json:"ProtectedFile,omitempty"`
	ProtectInClient                    bool     `json:"ProtectInClient,omitempty"`
	IrmPolicyTitle                     string   `json:"IrmPolicyTitle,omitempty"`
	IrmPolicyDescription               string   `json:"IrmPolicyDescription,omitempty"`
}
