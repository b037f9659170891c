package wopi

import (
	"net/http"
	"strings"
)

// ReadContainerOperation is [ReadOperation] for what follows /wopi/containers/{id}.
func ReadContainerOperation(method, suffix string, h http.Header) Operation {
	suffix = strings.TrimPrefix(suffix, "/")
	switch {
	case method == http.MethodGet:
		switch suffix {
		case "":
			return OpCheckContainerInfo
		case "children":
			return OpEnumerateChildren
		case "ancestry":
			return OpEnumerateAncestors
		case "ecosystem_pointer":
			return OpGetEcosystem
		}
	case method == http.MethodPost && suffix == "":
		switch h.Get(HeaderOverride) {
		case OverrideCreateChildContainer:
			return OpCreateChildContainer
		case OverrideCreateChildFile:
			return OpCreateChildFile
		case OverrideDeleteContainer:
			return OpDeleteContainer
		case OverrideRenameContainer:
			return OpRenameContainer
		case OverrideGetShareURL:
			return OpGetShareUrl
		}
	}
	return OpUnsupported
}

// ReadEcosystemOperation is [ReadOperation] for what follows /wopi/ecosystem.
func ReadEcosystemOperation(method, suffix string, h http.Header) Operation {
	suffix = strings.TrimPrefix(suffix, "/")
	switch {
	case method == http.MethodGet && suffix == "":
		return OpCheckEcosystem
	case method == http.MethodGet && suffix == "root_container_pointer":
		return OpGetRootContainer
	case method == http.MethodPost && suffix == "" && h.Get(HeaderOverride) == OverrideGetWopiSrc:
		return OpGetFileWopiSrc
	}
	return OpUnsupported
}
