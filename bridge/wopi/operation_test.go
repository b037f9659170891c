package wopi_test

import (
	"net/http"
	"testing"

	"davwopi/bridge/wopi"
)

// The rows are those of the routing table for /wopi/files/{id}.
func TestReadOperation(t *testing.T) {
	for _, tt := range []struct {
		name, method, suffix string
		header               []string
		want                 wopi.Operation
	}{
		{"GET is CheckFileInfo", "GET", "", nil, wopi.OpCheckFileInfo},
		{"GET is CheckFileInfo whatever the override says", "GET", "", []string{"X-WOPI-Override", "DELETE"}, wopi.OpCheckFileInfo},
		{"GET contents is GetFile", "GET", "contents", nil, wopi.OpGetFile},
		{"a slash before the suffix makes no difference", "GET", "/contents", nil, wopi.OpGetFile},
		{"GET ancestry is EnumerateAncestors", "GET", "ancestry", nil, wopi.OpEnumerateAncestors},
		{"GET ecosystem_pointer is GetEcosystem", "GET", "ecosystem_pointer", nil, wopi.OpGetEcosystem},
		{"GET of another suffix is nothing", "GET", "children", nil, wopi.OpUnsupported},
		{"POST contents PUT is PutFile", "POST", "contents", []string{"X-WOPI-Override", "PUT"}, wopi.OpPutFile},
		{"PUT without contents is nothing", "POST", "", []string{"X-WOPI-Override", "PUT"}, wopi.OpUnsupported},
		{"contents with another override is nothing", "POST", "contents", []string{"X-WOPI-Override", "LOCK"}, wopi.OpUnsupported},
		{"LOCK without X-WOPI-OldLock is Lock", "POST", "", []string{"X-WOPI-Override", "LOCK"}, wopi.OpLock},
		{"LOCK with X-WOPI-OldLock is UnlockAndRelock", "POST", "", []string{"X-WOPI-Override", "LOCK", "X-WOPI-OldLock", "a"}, wopi.OpUnlockAndRelock},
		{"LOCK with an empty X-WOPI-OldLock is UnlockAndRelock", "POST", "", []string{"X-WOPI-Override", "LOCK", "X-WOPI-OldLock", ""}, wopi.OpUnlockAndRelock},
		{"names of headers have no case", "POST", "", []string{"x-wopi-override", "GET_LOCK"}, wopi.OpGetLock},
		{"overrides have case", "POST", "", []string{"X-WOPI-Override", "get_lock"}, wopi.OpUnsupported},
		{"REFRESH_LOCK", "POST", "", []string{"X-WOPI-Override", "REFRESH_LOCK"}, wopi.OpRefreshLock},
		{"UNLOCK", "POST", "", []string{"X-WOPI-Override", "UNLOCK"}, wopi.OpUnlock},
		{"PUT_RELATIVE", "POST", "", []string{"X-WOPI-Override", "PUT_RELATIVE"}, wopi.OpPutRelativeFile},
		{"RENAME_FILE", "POST", "", []string{"X-WOPI-Override", "RENAME_FILE"}, wopi.OpRenameFile},
		{"DELETE", "POST", "", []string{"X-WOPI-Override", "DELETE"}, wopi.OpDeleteFile},
		{"PUT_USER_INFO", "POST", "", []string{"X-WOPI-Override", "PUT_USER_INFO"}, wopi.OpPutUserInfo},
		{"GET_SHARE_URL", "POST", "", []string{"X-WOPI-Override", "GET_SHARE_URL"}, wopi.OpGetShareUrl},
		{"ADD_ACTIVITIES", "POST", "", []string{"X-WOPI-Override", "ADD_ACTIVITIES"}, wopi.OpAddActivities},
		{"ADD_ACTIVITIES to activities", "POST", "activities", []string{"X-WOPI-Override", "ADD_ACTIVITIES"}, wopi.OpAddActivities},
		{"activities without override is nothing", "POST", "activities", nil, wopi.OpUnsupported},
		{"READ_SECURE_STORE", "POST", "", []string{"X-WOPI-Override", "READ_SECURE_STORE"}, wopi.OpReadSecureStore},
		{"GET_RESTRICTED_LINK", "POST", "", []string{"X-WOPI-Override", "GET_RESTRICTED_LINK"}, wopi.OpGetRestrictedLink},
		{"REVOKE_RESTRICTED_LINK", "POST", "", []string{"X-WOPI-Override", "REVOKE_RESTRICTED_LINK"}, wopi.OpRevokeRestrictedLink},
		{"COBALT", "POST", "", []string{"X-WOPI-Override", "COBALT"}, wopi.OpExecuteCellStorageRequest},
		{"COBALT with X-WOPI-RelativeTarget", "POST", "", []string{"X-WOPI-Override", "COBALT", "X-WOPI-RelativeTarget", "a"}, wopi.OpExecuteCellStorageRelativeRequest},
		{"GET_FILE_USER_VALUE", "POST", "", []string{"X-WOPI-Override", "GET_FILE_USER_VALUE"}, wopi.OpGetFileUserValue},
		{"GET_COAUTH_LOCK", "POST", "", []string{"X-WOPI-Override", "GET_COAUTH_LOCK"}, wopi.OpGetCoauthLock},
		{"REFRESH_COAUTH_LOCK", "POST", "", []string{"X-WOPI-Override", "REFRESH_COAUTH_LOCK"}, wopi.OpRefreshCoauthLock},
		{"UNLOCK_COAUTH_LOCK", "POST", "", []string{"X-WOPI-Override", "UNLOCK_COAUTH_LOCK"}, wopi.OpUnlockCoauthLock},
		{"GET_COAUTH_TABLE", "POST", "", []string{"X-WOPI-Override", "GET_COAUTH_TABLE"}, wopi.OpGetCoauthTable},
		{"GET_CHUNKED_FILE", "POST", "", []string{"X-WOPI-Override", "GET_CHUNKED_FILE"}, wopi.OpGetChunkedFile},
		{"PUT_CHUNKED_FILE to contents", "POST", "contents", []string{"X-WOPI-Override", "PUT_CHUNKED_FILE"}, wopi.OpPutChunkedFile},
		{"PUT_CHUNKED_FILE", "POST", "", []string{"X-WOPI-Override", "PUT_CHUNKED_FILE"}, wopi.OpPutChunkedFile},
		{"GET_SEQUENCE_NUMBER", "POST", "", []string{"X-WOPI-Override", "GET_SEQUENCE_NUMBER"}, wopi.OpGetSequenceNumber},
		{"a missing override is unsupported", "POST", "", nil, wopi.OpUnsupported},
		{"an unknown override is unsupported", "POST", "", []string{"X-WOPI-Override", "DANCE"}, wopi.OpUnsupported},
		{"an unknown method is unsupported", "PUT", "contents", []string{"X-WOPI-Override", "PUT"}, wopi.OpUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				h.Set(tt.header[i], tt.header[i+1])
			}
			if got := wopi.ReadOperation(tt.method, tt.suffix, h); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
