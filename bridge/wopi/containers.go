package wopi

import "strings"

// RootContainer is the answer of GetRootContainer, and of CreateChildContainer:
// where the container is, and what CheckContainerInfo says of it.
type RootContainer struct {
	ContainerPointer Pointer        `json:"ContainerPointer"`
	ContainerInfo    *ContainerInfo `json:"ContainerInfo,omitempty"`
}

// A ChildFile is an entry of EnumerateChildren's ChildFiles; its values are those of
// CheckFileInfo. The entries of ChildContainers are each a [Pointer].
type ChildFile struct {
	Name             string `json:"Name"`
	Url              string `json:"Url"`
	Size             int64  `json:"Size"` // bytes
	Version          string `json:"Version"`
	LastModifiedTime string `json:"LastModifiedTime,omitempty"`
}

// RenameContainerInfo is the answer of RenameContainer.
type RenameContainerInfo struct {
	Name string `json:"Name"`
}

// EcosystemInfo is the answer of CheckEcosystem.
type EcosystemInfo struct {
	SupportsContainers bool `json:"SupportsContainers"`
}

// A URLInfo is an answer that is an address with its own access_token: GetEcosystem,
// GetFileWopiSrc.
type URLInfo struct {
	Url string `json:"Url"`
}

// maxExtensions bounds the list of an [ExtensionFilter].
const maxExtensions = 256

// An ExtensionFilter is what X-WOPI-FileExtensionFilterList lets through: lower case
// extensions with their dots; nil lets everything through.
type ExtensionFilter map[string]bool

// ParseExtensionFilter reads the header: extensions with leading dots, separated by
// commas. It takes spaces, a comma at the end and a missing dot as they are meant;
// of an overlong list the rest is left out.
func ParseExtensionFilter(header string) ExtensionFilter {
	var f ExtensionFilter
	for _, ext := range strings.Split(header, ",") {
		if ext = strings.ToLower(strings.TrimSpace(ext)); ext == "" {
			continue
		}
		if f == nil {
			f = make(ExtensionFilter)
		}
		if len(f) == maxExtensions {
			break
		}
		f["."+strings.TrimPrefix(ext, ".")] = true
	}
	return f
}

// Allows reports whether the file of that name is let through.
func (f ExtensionFilter) Allows(name string) bool {
	if f == nil {
		return true
	}
	_, ext := SplitExt(name)
	return f[strings.ToLower(ext)]
}
