package wopi

import "encoding/json"

// PutFileInfo is the answer of PutFile. Microsoft needs none; Collabora and
// ONLYOFFICE need the very string that the next CheckFileInfo will have.
type PutFileInfo struct {
	LastModifiedTime string `json:"LastModifiedTime"`
}

// PutRelativeFileInfo is the answer of PutRelativeFile.
type PutRelativeFileInfo struct {
	Name             string `json:"Name"` // of the new file, with extension
	Url              string `json:"Url"`  // WOPISrc of the new file with its own access_token
	HostViewUrl      string `json:"HostViewUrl,omitempty"`
	HostEditUrl      string `json:"HostEditUrl,omitempty"`
	HostEditNewUrl   string `json:"HostEditNewUrl,omitempty"`
	LastModifiedTime string `json:"LastModifiedTime,omitempty"`
}

// RenameFileInfo is the answer of RenameFile. Name is without path and
// extension, but with its extension for Collabora.
type RenameFileInfo struct {
	Name             string `json:"Name"`
	LastModifiedTime string `json:"LastModifiedTime,omitempty"`
}

// ContainerInfo is the answer of CheckContainerInfo. The two licence
// properties must equal those of the files and containers inside.
type ContainerInfo struct {
	Name                         string   `json:"Name"`
	HostUrl                      string   `json:"HostUrl,omitempty"`
	SharingUrl                   string   `json:"SharingUrl,omitempty"`
	SupportedShareUrlTypes       []string `json:"SupportedShareUrlTypes,omitempty"` // ReadOnly, ReadWrite
	UserCanCreateChildContainer  bool     `json:"UserCanCreateChildContainer"`
	UserCanCreateChildFile       bool     `json:"UserCanCreateChildFile"`
	UserCanDelete                bool     `json:"UserCanDelete"`
	UserCanRename                bool     `json:"UserCanRename"`
	IsAnonymousUser              bool     `json:"IsAnonymousUser,omitempty"`
	IsEduUser                    bool     `json:"IsEduUser"`
	LicenseCheckForEditIsEnabled bool     `json:"LicenseCheckForEditIsEnabled"`
}

// Ancestors is the answer of EnumerateAncestors, for files and containers.
type Ancestors struct {
	AncestorsWithRootFirst []Pointer `json:"AncestorsWithRootFirst"`
}

// A Pointer names a container and gives its URL with its own access_token.
type Pointer struct {
	Name string `json:"Name"`
	Url  string `json:"Url"`
}

// MarshalJSON writes an empty array where there are no ancestors: null is not
// among WOPI's values.
func (a Ancestors) MarshalJSON() ([]byte, error) {
	type plain Ancestors
	if a.AncestorsWithRootFirst == nil {
		a.AncestorsWithRootFirst = []Pointer{}
	}
	return json.Marshal(plain(a))
}

// ShareURL is the answer of GetShareUrl.
type ShareURL struct {
	ShareUrl string `json:"ShareUrl"`
}
