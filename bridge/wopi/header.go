package wopi

import (
	"strconv"
	"strings"
)

// Headers of WOPI requests and answers. Names of headers are compared without
// regard to case, values of X-WOPI-Override exactly.
const (
	HeaderOverride                = "X-WOPI-Override"
	HeaderLock                    = "X-WOPI-Lock"
	HeaderOldLock                 = "X-WOPI-OldLock"
	HeaderLockFailureReason       = "X-WOPI-LockFailureReason"
	HeaderItemVersion             = "X-WOPI-ItemVersion"
	HeaderMaxExpectedSize         = "X-WOPI-MaxExpectedSize"
	HeaderEditors                 = "X-WOPI-Editors"
	HeaderSize                    = "X-WOPI-Size"
	HeaderSuggestedTarget         = "X-WOPI-SuggestedTarget"
	HeaderRelativeTarget          = "X-WOPI-RelativeTarget"
	HeaderOverwriteRelativeTarget = "X-WOPI-OverwriteRelativeTarget"
	HeaderValidRelativeTarget     = "X-WOPI-ValidRelativeTarget"
	HeaderFileConversion          = "X-WOPI-FileConversion"
	HeaderRequestedName           = "X-WOPI-RequestedName"
	HeaderInvalidFileNameError    = "X-WOPI-InvalidFileNameError"
	HeaderInvalidContainerName    = "X-WOPI-InvalidContainerNameError"
	HeaderUrlType                 = "X-WOPI-UrlType"
	HeaderExtensionFilter         = "X-WOPI-FileExtensionFilterList"
	HeaderEnumerationIncomplete   = "X-WOPI-EnumerationIncomplete"
	HeaderHostNativeFileName      = "X-WOPI-HostNativeFileName"
	HeaderEcosystemOperation      = "X-WOPI-EcosystemOperation"
	HeaderWopiSrc                 = "X-WOPI-WopiSrc"
	HeaderServerError             = "X-WOPI-ServerError"
	HeaderServerVersion           = "X-WOPI-ServerVersion"
	HeaderMachineName             = "X-WOPI-MachineName"
	HeaderHostEndpoint            = "X-WOPI-HostEndpoint"
	HeaderProof                   = "X-WOPI-Proof"
	HeaderProofOld                = "X-WOPI-ProofOld"
	HeaderTimeStamp               = "X-WOPI-TimeStamp"
	HeaderSessionContext          = "X-WOPI-SessionContext"
	HeaderSessionID               = "X-WOPI-SessionId"
	HeaderCorrelationID           = "X-WOPI-CorrelationId"
	HeaderClientVersion           = "X-WOPI-ClientVersion"
	HeaderRequestID               = "X-Request-ID"

	// Collabora's own, and the older spelling that ONLYOFFICE uses too.
	HeaderCoolTimestamp        = "X-COOL-WOPI-Timestamp"
	HeaderCoolIsModifiedByUser = "X-COOL-WOPI-IsModifiedByUser"
	HeaderCoolIsAutosave       = "X-COOL-WOPI-IsAutosave"
	HeaderCoolIsExitSave       = "X-COOL-WOPI-IsExitSave"
	HeaderCoolExtendedData     = "X-COOL-WOPI-ExtendedData"
	HeaderCoolServerID         = "X-COOL-WOPI-ServerId"
	HeaderLoolTimestamp        = "X-LOOL-WOPI-Timestamp"
	HeaderLoolIsModifiedByUser = "X-LOOL-WOPI-IsModifiedByUser"
	HeaderLoolIsAutosave       = "X-LOOL-WOPI-IsAutosave"
	HeaderLoolIsExitSave       = "X-LOOL-WOPI-IsExitSave"
	HeaderLoolExtendedData     = "X-LOOL-WOPI-ExtendedData"

	// HeaderBase is ours: our text editor names in it the Version that the
	// person chose to overwrite.
	HeaderBase = "X-Davwopi-Base"
	// HeaderSaid is ours: what our text editor says of a refusal, as a key of the catalogue
	// (bridge/words) and, behind a "?", what it speaks of.
	HeaderSaid = "X-Davwopi-Said"
)

// DefaultMaxExpectedSize is what an office that sends no X-WOPI-MaxExpectedSize
// can take: 2^31-1 bytes.
const DefaultMaxExpectedSize int64 = 1<<31 - 1

// ParseMaxExpectedSize returns the number of bytes that the office is ready to
// take in GetFile. A missing, negative or unreadable value is
// [DefaultMaxExpectedSize], as the description of GetFile says.
func ParseMaxExpectedSize(header string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64)
	if err != nil || n < 0 {
		return DefaultMaxExpectedSize
	}
	return n
}

// MaxHeaderText is the number of bytes to which [HeaderText] cuts.
const MaxHeaderText = 512

// HeaderText makes s fit for the value of a header that is read by people or
// logs, X-WOPI-LockFailureReason above all: printable ASCII, "?" for
// everything else, at most [MaxHeaderText] bytes.
func HeaderText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == MaxHeaderText {
			break
		}
		if r < 0x20 || r > 0x7e {
			r = '?'
		}
		b.WriteByte(byte(r))
	}
	return strings.TrimSpace(b.String())
}
