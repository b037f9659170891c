package conform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"davwopi/bridge/wopi"
)

// A request is one element under Requests or CleanupRequests.
type request struct {
	kind       string
	attrs      map[string]string
	body       []byte
	mutators   mutators
	validators []validator
	states     []savedState
}

type savedState struct {
	name, source string
	header       bool
}

// A state holds what was saved in one case; nil stands for null.
type state map[string]*string

// A verb is what a kind of request sends.
type verb struct {
	method, suffix, override string
	header                   func(*request, *player, map[string]string)
	hasBody                  bool
}

func kinds() []string {
	list := []string{"GetFromFileUrl", "Delay"}
	for kind := range verbs() {
		list = append(list, kind)
	}
	return list
}

// coauthKinds are requests of CSPP Plus: known, and never played.
func coauthKinds() []string {
	return []string{"GetCoauthLock", "RefreshCoauthLock", "UnlockCoauthLock", "GetCoauthTable", "GetChunkedFile", "PutChunkedFile"}
}

// verbs is the table of requests.
func verbs() map[string]verb {
	return map[string]verb{
		"CheckFileInfo":        {method: "GET"},
		"GetFile":              {method: "GET", suffix: "/contents", header: attrHeader("NewLock", wopi.HeaderLock)},
		"PutFile":              {method: "POST", suffix: "/contents", override: wopi.OverridePut, header: attrHeader("Lock", wopi.HeaderLock), hasBody: true},
		"Lock":                 {method: "POST", override: wopi.OverrideLock, header: attrHeader("Lock", wopi.HeaderLock)},
		"Unlock":               {method: "POST", override: wopi.OverrideUnlock, header: attrHeader("Lock", wopi.HeaderLock)},
		"RefreshLock":          {method: "POST", override: wopi.OverrideRefreshLock, header: attrHeader("Lock", wopi.HeaderLock)},
		"UnlockAndRelock":      {method: "POST", override: wopi.OverrideLock, header: attrHeader("NewLock", wopi.HeaderLock, "OldLock", wopi.HeaderOldLock)},
		"GetLock":              {method: "POST", override: wopi.OverrideGetLock},
		"PutRelativeFile":      {method: "POST", override: wopi.OverridePutRelative, header: putRelativeHeader, hasBody: true},
		"RenameFile":           {method: "POST", override: wopi.OverrideRenameFile, header: renameFileHeader},
		"DeleteFile":           {method: "POST", override: wopi.OverrideDelete},
		"PutUserInfo":          {method: "POST", override: wopi.OverridePutUserInfo, hasBody: true},
		"AddActivities":        {method: "POST", override: wopi.OverrideAddActivities, hasBody: true},
		"GetShareUrl":          {method: "POST", override: wopi.OverrideGetShareURL, header: attrHeader("UrlType", wopi.HeaderUrlType)},
		"EnumerateAncestors":   {method: "GET", suffix: "/ancestry"},
		"GetEcosystem":         {method: "GET", suffix: "/ecosystem_pointer"},
		"CheckContainerInfo":   {method: "GET"},
		"EnumerateChildren":    {method: "GET", suffix: "/children", header: attrHeader("FileExtensionFilterList", wopi.HeaderExtensionFilter)},
		"CreateChildContainer": {method: "POST", override: wopi.OverrideCreateChildContainer, header: targetHeader("FolderName")},
		"CreateChildFile":      {method: "POST", override: wopi.OverrideCreateChildFile, header: targetHeader("Name")},
		"DeleteContainer":      {method: "POST", override: wopi.OverrideDeleteContainer},
		"RenameContainer":      {method: "POST", override: wopi.OverrideRenameContainer, header: requestedName},
		"CheckEcosystem":       {method: "GET"}, // its attribute EcosystemUrl is not read by Microsoft's runner either
		"GetRootContainer":     {method: "GET", suffix: "/root_container_pointer"},
		"GetNewAccessToken": {method: "POST", override: wopi.OverrideGetNewAccessToken, header: func(_ *request, p *player, h map[string]string) {
			h[wopi.HeaderWopiSrc] = p.options.WOPISrc
		}},
		"GetSequenceNumber": {method: "POST", override: wopi.OverrideGetSequenceNumber},
	}
}

// attrHeader sends attributes as headers, those that are missing or empty not.
func attrHeader(pairs ...string) func(*request, *player, map[string]string) {
	return func(q *request, _ *player, h map[string]string) {
		for i := 0; i < len(pairs); i += 2 {
			if value := q.attrs[pairs[i]]; value != "" {
				h[pairs[i+1]] = value
			}
		}
	}
}

func requestedName(q *request, _ *player, h map[string]string) {
	h[wopi.HeaderRequestedName] = wopi.EncodeUTF7(q.attrs["Name"])
}

// renameFileHeader sends its lock headers always, empty ones too.
func renameFileHeader(q *request, p *player, h map[string]string) {
	requestedName(q, p, h)
	h[wopi.HeaderLock] = q.attrs["Lock"]
	h["X-WOPI-CoauthLockId"] = q.attrs["CoauthLockId"]
}

func putRelativeHeader(q *request, p *player, h map[string]string) {
	h[wopi.HeaderSize] = strconv.Itoa(len(q.body))
	targetHeader("Name")(q, p, h)
}

// targetHeader sends the name of a new child in the mode that the case asks for.
func targetHeader(attr string) func(*request, *player, map[string]string) {
	return func(q *request, _ *player, h map[string]string) {
		// the other runner's URL-encoding of UTF-7 turns spaces into plus signs
		name := strings.ReplaceAll(wopi.EncodeUTF7(q.attrs[attr]), " ", "+")
		mode := q.attrs["PutRelativeFileMode"]
		if mode == "Suggested" || mode == "Conflicting" {
			h[wopi.HeaderSuggestedTarget] = name
		}
		if mode == "ExactName" || mode == "Conflicting" {
			h[wopi.HeaderRelativeTarget] = name
		}
		if overwrite, ok := q.attrs["OverwriteRelative"]; ok && mode == "ExactName" {
			h[wopi.HeaderOverwriteRelativeTarget] = "False"
			if strings.EqualFold(overwrite, "true") || overwrite == "1" {
				h[wopi.HeaderOverwriteRelativeTarget] = "True"
			}
		}
	}
}

// An exchange is a request that was sent and what came back.
type exchange struct {
	status int
	header http.Header
	body   []byte
	err    error // no answer, or one that was cut
}

// maxAnswer bounds the body of an answer.
const maxAnswer = 64 << 20

// send sends one request of a case. An error means that it could not be made at
// all; that there was no answer is in the exchange.
func (p *player) send(ctx context.Context, q *request, saved state) (*exchange, error) {
	address, token, err := p.target(q, saved)
	if err != nil {
		return nil, err
	}
	header := map[string]string{}
	method, body := "GET", io.Reader(http.NoBody)
	if v, ok := verbs()[q.kind]; ok {
		method = v.method
		if v.hasBody && len(q.body) > 0 {
			body = bytes.NewReader(q.body)
		}
		if v.header != nil {
			v.header(q, p, header)
		}
		if v.override != "" {
			header[wopi.HeaderOverride] = v.override
		}
		if address, token, err = q.mutators.token(address, token); err != nil {
			return nil, err
		}
		p.sign(q, header, address, token)
		header["Authorization"] = "Bearer " + token
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	req.Header["User-Agent"] = nil // none, unless the category has one
	if p.native {
		req.Header["User-Agent"] = []string{"Microsoft Office WOPI Validator/1.0"}
	}
	for name, value := range header {
		req.Header[name] = []string{value}
	}
	return p.exchange(req), nil
}

func (p *player) exchange(req *http.Request) *exchange {
	x := &exchange{}
	res, err := p.client.Do(req)
	if err != nil {
		x.err = err
		var failure *url.Error
		if errors.As(err, &failure) { // its text has the whole address, token included
			x.err = failure.Err
		}
		return x
	}
	defer res.Body.Close()
	x.status, x.header = res.StatusCode, res.Header
	if x.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		x.err = fmt.Errorf("conform: answer of %d bytes is cut: %w", len(x.body), err)
	}
	if len(x.body) > maxAnswer {
		x.err = errors.New("conform: answer is too long")
	}
	return x
}

// target returns the address of a request and the token that goes with it.
func (p *player) target(q *request, saved state) (address, token string, err error) {
	override, given := q.attrs["OverrideUrl"]
	if key, ok := strings.CutPrefix(override, "$State:"); ok {
		value, known := saved[key]
		if !known {
			return "", "", fmt.Errorf("conform: %s needs the state %s, which was never saved", q.kind, key)
		}
		override = ""
		if value != nil {
			override = *value
		}
		if override == "" && (q.kind == "DeleteFile" || q.kind == "DeleteContainer" || q.kind == "GetFromFileUrl") {
			return "", "", fmt.Errorf("conform: %s needs the state %s, which is empty", q.kind, key)
		}
	}
	suffix := verbs()[q.kind].suffix
	if !given || override == "" {
		token = p.options.Token
		return p.options.WOPISrc + suffix + "?access_token=" + encodeToken(token) +
			"&access_token_ttl=" + strconv.FormatInt(p.options.TTL, 10), token, nil
	}
	if q.kind == "GetFromFileUrl" {
		return override, "", nil
	}
	base, query, _ := strings.Cut(override, "?")
	if query != "" {
		query = "?" + query
	}
	return base + suffix + query, tokenOf(override), nil
}

// encodeToken percent-encodes everything but letters and digits.
func encodeToken(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// tokenOf returns the decoded access_token of an address, "" if there is none.
func tokenOf(address string) string {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(name, "access_token") {
			if decoded, err := url.QueryUnescape(value); err == nil {
				return decoded
			}
			return value
		}
	}
	return ""
}
