package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap"
)

// A Request is everything an operation may know. It is read once.
type Request struct {
	Operation wopi.Operation
	File      idmap.FileID
	Known     idmap.Entry   // where the file was last, from the database
	Grant     access.Grant  // Space and Upstream are those of the file
	Floor     int64         // of a FileUrl: the revision that it was given out for
	Rights    access.Rights // the grant's, cut by our own rules as of now
	Actor     locks.Actor
	Headers   Headers
	Body      io.Reader
	Length    int64 // of Body in bytes; -1 unknown

	// Lent is asked for a pinned credential of the person's, with the blob that it was
	// sealed in, where none of their own is kept any more; nil: there is none.
	Lent func(context.Context) (*davbackend.View, []byte, error)

	entry Entry
	top   bool // File is the container above all upstreams
}

// Headers are the request headers that operations look at.
type Headers struct {
	Lock            *wopi.LockID // X-WOPI-Lock; nil if absent or empty
	OldLock         *wopi.LockID // X-WOPI-OldLock; a pointer to "" if empty
	MaxExpectedSize int64        // X-WOPI-MaxExpectedSize, 2^31-1 if absent
	Size            int64        // X-WOPI-Size; -1 absent
	SuggestedTarget *string      // decoded
	RelativeTarget  *string      // decoded
	RequestedName   *string      // decoded
	Overwrite       bool         // X-WOPI-OverwriteRelativeTarget
	URLType         string       // X-WOPI-UrlType
	Extensions      string       // X-WOPI-FileExtensionFilterList
	NativeName      string       // X-WOPI-HostNativeFileName
	Timestamp       string       // X-COOL-WOPI-Timestamp or its older name
	Base            string       // X-Davwopi-Base
	Native          bool         // the request comes from an Office app
	Correlation     string
	Session         string
}

// readHeaders reads the headers of r once. The error wraps [wopi.ErrMalformed].
func readHeaders(r *http.Request) (Headers, error) {
	get := r.Header.Get
	h := Headers{
		MaxExpectedSize: wopi.ParseMaxExpectedSize(get(wopi.HeaderMaxExpectedSize)),
		Size:            -1,
		Overwrite:       strings.EqualFold(get(wopi.HeaderOverwriteRelativeTarget), "true"),
		Timestamp:       firstOf(get(wopi.HeaderCoolTimestamp), get(wopi.HeaderLoolTimestamp)),
		Base:            get(wopi.HeaderBase),
		URLType:         get(wopi.HeaderUrlType),
		Extensions:      get(wopi.HeaderExtensionFilter),
		NativeName:      get(wopi.HeaderHostNativeFileName),
		Native:          strings.HasPrefix(r.UserAgent(), "Microsoft Office"),
		Correlation:     clip(firstOf(get(wopi.HeaderCorrelationID), get(wopi.HeaderRequestID))),
		Session:         clip(get(wopi.HeaderSessionID)),
	}
	var err error
	if h.Lock, err = wopi.ReadLock(r.Header, wopi.HeaderLock); err != nil {
		return h, err
	}
	if h.OldLock, err = wopi.ReadLock(r.Header, wopi.HeaderOldLock); err != nil {
		return h, err
	}
	if _, ok := r.Header[http.CanonicalHeaderKey(wopi.HeaderOldLock)]; ok && h.OldLock == nil {
		h.OldLock = new(wopi.LockID) // present and empty: an ID that matches nothing
	}
	if n, err := strconv.ParseInt(get(wopi.HeaderSize), 10, 64); err == nil && n >= 0 {
		h.Size = n
	}
	for _, name := range []struct {
		header string
		into   **string
	}{
		{wopi.HeaderSuggestedTarget, &h.SuggestedTarget},
		{wopi.HeaderRelativeTarget, &h.RelativeTarget},
		{wopi.HeaderRequestedName, &h.RequestedName},
	} {
		*name.into, err = nameHeader(r.Header, name.header)
		switch {
		case err == nil:
		case name.header == wopi.HeaderSuggestedTarget && errors.Is(err, errName):
			*name.into = leftOf(r.Header.Get(name.header))
		case errors.Is(err, errName):
			return h, &wopi.Error{Status: http.StatusBadRequest, Reason: unreadable, InvalidName: unreadable, Err: err}
		default:
			return h, err
		}
	}
	return h, nil
}

// unreadable is said of a name that is no UTF-7.
const unreadable = "the name cannot be read"

var errName = errors.New("endpoint: no name")

// leftOf is what is taken from a suggested name that cannot be read: its extension, if
// it has one. Nothing that is suggested is refused.
func leftOf(text string) *string {
	_, ext := wopi.SplitExt(text)
	if strings.Trim(strings.ToLower(ext), ".abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		ext = ""
	}
	return &ext
}

// maxNameHeader bounds a name header; 530 characters of UTF-7 must fit.
const maxNameHeader = 8 << 10

func nameHeader(h http.Header, name string) (*string, error) {
	if _, ok := h[http.CanonicalHeaderKey(name)]; !ok {
		return nil, nil
	}
	text := h.Get(name)
	if len(h.Values(name)) > 1 {
		return nil, fmt.Errorf("endpoint: %s is given twice: %w", name, wopi.ErrMalformed)
	}
	if len(text) > maxNameHeader {
		return nil, fmt.Errorf("endpoint: %s: %d bytes: %w", name, len(text), wopi.ErrMalformed)
	}
	decoded, err := wopi.DecodeUTF7(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errName, name, err)
	}
	return &decoded, nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// clip bounds a text of the editor that only goes to the log.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128]
	}
	return s
}

// overrideWord is an unknown override for the log, if it has the form of one: a
// client may put anything there, a token as well.
func overrideWord(s string) string {
	if len(s) > 40 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
		return "(no override)"
	}
	return s
}

// readToken finds the access token: the query parameter, decoded and as it stands
// in the URL, or else the Authorization header.
func readToken(r *http.Request) (decoded, raw string) {
	for _, pair := range strings.Split(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(name, "access_token") || value == "" {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			return plain, value
		}
		return "", ""
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(value), ""
	}
	return "", ""
}
