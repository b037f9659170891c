package wopi

import (
	"net/http"
	"strings"
)

// Values of X-WOPI-Override (and of X-WOPI-EcosystemOperation, the last three).
const (
	OverrideLock                 = "LOCK"
	OverrideGetLock              = "GET_LOCK"
	OverrideRefreshLock          = "REFRESH_LOCK"
	OverrideUnlock               = "UNLOCK"
	OverridePut                  = "PUT"
	OverridePutRelative          = "PUT_RELATIVE"
	OverrideRenameFile           = "RENAME_FILE"
	OverrideDelete               = "DELETE"
	OverridePutUserInfo          = "PUT_USER_INFO"
	OverrideGetShareURL          = "GET_SHARE_URL"
	OverrideAddActivities        = "ADD_ACTIVITIES"
	OverrideReadSecureStore      = "READ_SECURE_STORE"
	OverrideGetRestrictedLink    = "GET_RESTRICTED_LINK"
	OverrideRevokeRestrictedLink = "REVOKE_RESTRICTED_LINK"
	OverrideCobalt               = "COBALT"
	OverrideGetFileUserValue     = "GET_FILE_USER_VALUE"
	OverrideGetCoauthLock        = "GET_COAUTH_LOCK"
	OverrideRefreshCoauthLock    = "REFRESH_COAUTH_LOCK"
	OverrideUnlockCoauthLock     = "UNLOCK_COAUTH_LOCK"
	OverrideGetCoauthTable       = "GET_COAUTH_TABLE"
	OverrideGetChunkedFile       = "GET_CHUNKED_FILE"
	OverridePutChunkedFile       = "PUT_CHUNKED_FILE"
	OverrideGetSequenceNumber    = "GET_SEQUENCE_NUMBER"
	OverrideCreateChildContainer = "CREATE_CHILD_CONTAINER"
	OverrideCreateChildFile      = "CREATE_CHILD_FILE"
	OverrideDeleteContainer      = "DELETE_CONTAINER"
	OverrideRenameContainer      = "RENAME_CONTAINER"
	OverrideGetRootContainer     = "GET_ROOT_CONTAINER"
	OverrideGetNewAccessToken    = "GET_NEW_ACCESS_TOKEN"
	OverrideGetWopiSrc           = "GET_WOPI_SRC_WITH_ACCESS_TOKEN"
)

// An Operation is one verb of WOPI on one resource, by the name that the
// specification gives it.
type Operation string

// The operations, those on a file first. Those after OpUnsupported are known by name only:
// the documents list them, no office that a host of ours meets sends them, and
// the answer to each is 501.
const (
	OpCheckFileInfo      Operation = "CheckFileInfo"
	OpGetFile            Operation = "GetFile"
	OpPutFile            Operation = "PutFile"
	OpLock               Operation = "Lock"
	OpUnlockAndRelock    Operation = "UnlockAndRelock"
	OpGetLock            Operation = "GetLock"
	OpRefreshLock        Operation = "RefreshLock"
	OpUnlock             Operation = "Unlock"
	OpPutRelativeFile    Operation = "PutRelativeFile"
	OpRenameFile         Operation = "RenameFile"
	OpDeleteFile         Operation = "DeleteFile"
	OpPutUserInfo        Operation = "PutUserInfo"
	OpGetShareUrl        Operation = "GetShareUrl"
	OpEnumerateAncestors Operation = "EnumerateAncestors"
	OpGetEcosystem       Operation = "GetEcosystem"
	OpAddActivities      Operation = "AddActivities"

	// On containers, besides GetShareUrl, EnumerateAncestors and GetEcosystem.
	OpCheckContainerInfo   Operation = "CheckContainerInfo"
	OpCreateChildContainer Operation = "CreateChildContainer"
	OpCreateChildFile      Operation = "CreateChildFile"
	OpDeleteContainer      Operation = "DeleteContainer"
	OpRenameContainer      Operation = "RenameContainer"
	OpEnumerateChildren    Operation = "EnumerateChildren"

	// On the ecosystem.
	OpCheckEcosystem   Operation = "CheckEcosystem"
	OpGetRootContainer Operation = "GetRootContainer"
	OpGetFileWopiSrc   Operation = "GetFileWopiSrc"

	// OpUnsupported is whatever we cannot name: an unknown or missing
	// override, method or path. The answer is 501.
	OpUnsupported Operation = "Unsupported"

	OpReadSecureStore                   Operation = "ReadSecureStore"
	OpGetRestrictedLink                 Operation = "GetRestrictedLink"
	OpRevokeRestrictedLink              Operation = "RevokeRestrictedLink"
	OpExecuteCellStorageRequest         Operation = "ExecuteCellStorageRequest"
	OpExecuteCellStorageRelativeRequest Operation = "ExecuteCellStorageRelativeRequest"
	OpGetFileUserValue                  Operation = "GetFileUserValue"
	OpGetCoauthLock                     Operation = "GetCoauthLock"
	OpRefreshCoauthLock                 Operation = "RefreshCoauthLock"
	OpUnlockCoauthLock                  Operation = "UnlockCoauthLock"
	OpGetCoauthTable                    Operation = "GetCoauthTable"
	OpGetChunkedFile                    Operation = "GetChunkedFile"
	OpPutChunkedFile                    Operation = "PutChunkedFile"
	OpGetSequenceNumber                 Operation = "GetSequenceNumber"
)

// ReadOperation returns which operation on a file a request asks for. Suffix is
// what follows /wopi/files/{id} in the path, "" or "contents" for example, with
// or without a slash before it. The result is [OpUnsupported] for everything
// unknown, a missing override included; never an error, because the answer to
// it is an ordinary 501.
//
// LOCK is [OpUnlockAndRelock] as soon as the header X-WOPI-OldLock is there,
// even if it is empty: an office that meant to exchange a lock must not get
// one by accident.
func ReadOperation(method, suffix string, h http.Header) Operation {
	suffix = strings.TrimPrefix(suffix, "/")
	switch method {
	case http.MethodGet:
		return readGet(suffix)
	case http.MethodPost:
		return readPost(suffix, h)
	}
	return OpUnsupported
}

func readGet(suffix string) Operation {
	switch suffix {
	case "":
		return OpCheckFileInfo
	case "contents":
		return OpGetFile
	case "ancestry":
		return OpEnumerateAncestors
	case "ecosystem_pointer":
		return OpGetEcosystem
	}
	return OpUnsupported
}

func readPost(suffix string, h http.Header) Operation {
	override := h.Get(HeaderOverride)
	switch suffix {
	case "contents":
		switch override {
		case OverridePut:
			return OpPutFile
		case OverridePutChunkedFile:
			return OpPutChunkedFile
		}
	case "activities":
		if override == OverrideAddActivities {
			return OpAddActivities
		}
	case "":
		return readOverride(override, h)
	}
	return OpUnsupported
}

func readOverride(override string, h http.Header) Operation {
	switch override {
	case OverrideLock:
		if len(h.Values(HeaderOldLock)) > 0 {
			return OpUnlockAndRelock
		}
		return OpLock
	case OverrideGetLock:
		return OpGetLock
	case OverrideRefreshLock:
		return OpRefreshLock
	case OverrideUnlock:
		return OpUnlock
	case OverridePutRelative:
		return OpPutRelativeFile
	case OverrideRenameFile:
		return OpRenameFile
	case OverrideDelete:
		return OpDeleteFile
	case OverridePutUserInfo:
		return OpPutUserInfo
	case OverrideGetShareURL:
		return OpGetShareUrl
	case OverrideAddActivities:
		return OpAddActivities
	}
	return readPaper(override, h)
}

// readPaper names what exists on paper only, so that a log says what was asked.
func readPaper(override string, h http.Header) Operation {
	switch override {
	case OverrideReadSecureStore:
		return OpReadSecureStore
	case OverrideGetRestrictedLink:
		return OpGetRestrictedLink
	case OverrideRevokeRestrictedLink:
		return OpRevokeRestrictedLink
	case OverrideCobalt:
		if len(h.Values(HeaderRelativeTarget)) > 0 {
			return OpExecuteCellStorageRelativeRequest
		}
		return OpExecuteCellStorageRequest
	case OverrideGetFileUserValue:
		return OpGetFileUserValue
	case OverrideGetCoauthLock:
		return OpGetCoauthLock
	case OverrideRefreshCoauthLock:
		return OpRefreshCoauthLock
	case OverrideUnlockCoauthLock:
		return OpUnlockCoauthLock
	case OverrideGetCoauthTable:
		return OpGetCoauthTable
	case OverrideGetChunkedFile:
		return OpGetChunkedFile
	case OverridePutChunkedFile:
		return OpPutChunkedFile
	case OverrideGetSequenceNumber:
		return OpGetSequenceNumber
	}
	return OpUnsupported
}
