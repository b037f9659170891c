package web

import (
	"net/url"
	"regexp"
	"strings"

	"davwopi/bridge/wopi"
)

// A launch is a link that starts an Office app with a document, in the form of Microsoft's "Office URI schemes". An app
// on a computer takes Address for a WebDAV file and needs no more; one on a phone takes it for a WOPISrc if Provider is
// there, and finds by Provider and User the account under which the person has added this place.
type launch struct {
	Scheme  string // of the app: "ms-word"
	Edit    bool   // ofe instead of ofv
	Address string // u: http or https, without query or fragment
	Name    string // n: of the document, for people

	Provider string // d: as registered with Microsoft
	User     string // e: WOPI's UserId
	From     string // a: "Web" or "App", where the link is followed

	Passback string // p: the scheme by which Office goes back to the app that called it, "" none
	Context  string // c: what that app is told then
}

// The bounds of what an app may want back, in bytes.
const (
	maxPassback = 64
	maxContext  = 512
)

var (
	officeScheme = regexp.MustCompile(`^ms-[a-z]+$`)
	passback     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	fromWord     = regexp.MustCompile(`^(Web|App)$`)
)

// String is the link, "" if it cannot be made. Whatever comes from a name or a person is percent-encoded down to the
// unreserved characters, so that no "|" of theirs begins another part and nothing ends the link.
func (l launch) String() string {
	address := launchAddress(l.Address)
	if address == "" || !officeScheme.MatchString(l.Scheme) {
		return ""
	}
	command := "ofv"
	if l.Edit {
		command = "ofe"
	}
	out := l.Scheme + ":" + command + "|u|" + address
	if l.Provider != "" {
		if !fromWord.MatchString(l.From) || l.User == "" {
			return ""
		}
		out += "|d|" + unreserved(l.Provider) + "|e|" + unreserved(l.User) + "|n|" + unreserved(wopi.SanitizeNative(l.Name)) + "|a|" + l.From
	}
	switch {
	case l.Passback == "" && l.Context == "":
		return out
	case len(l.Passback) > maxPassback, len(l.Context) > maxContext, !passback.MatchString(l.Passback):
		return ""
	}
	out += "|p|" + l.Passback
	if l.Context != "" {
		out += "|c|" + unreserved(l.Context)
	}
	return out
}

// launchAddress is an address as a link holds it: ":" and "/" as they are, the rest as unreserved does it. "" if it is
// none that Office opens.
func launchAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		strings.ContainsAny(u.Host, "|%") || strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' }) {
		return ""
	}
	parts := strings.Split(u.EscapedPath(), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return ""
		}
		parts[i] = unreserved(plain)
	}
	return u.Scheme + "://" + u.Host + strings.Join(parts, "/")
}

// unreserved percent-encodes every byte that is not an unreserved character (RFC 3986 section 2.3).
func unreserved(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// An officeApp is one that links can start. Extensions have blanks between them.
type officeApp struct {
	Name, Scheme string
	Modern       string // edited by WOPI (reference 15.9)
	Legacy       string // by WOPI only shown: its editing makes a copy
	Desktop      string // further ones that a computer's app edits
}

var officeApps = []officeApp{
	{"Word", "ms-word", "docx docm dotm dotx", "doc dot odt", "rtf"},
	{"Excel", "ms-excel", "xlsx xltx xlsb xlsm", "xls csv ods", "xlt xltm"},
	{"PowerPoint", "ms-powerpoint", "pptx ppsx potm potx ppsm pptm thmx", "ppt pps pot odp", ""},
	{"Visio", "ms-visio", "", "", "vsdx vsdm vstx vstm vssx vssm vsd vst vss"},
	{"Project", "ms-project", "", "", "mpp mpt"},
	{"Publisher", "ms-publisher", "", "", "pub"},
}

// How an app opens a kind of file.
type opens int

const (
	opensNot opens = iota
	opensView
	opensEdit
)

// launchApp is the app for files with that extension, and what a phone's and a computer's can do with them.
func launchApp(ext string) (app officeApp, phone, desktop opens) {
	for _, a := range officeApps {
		switch {
		case ext == "":
		case has(a.Modern, ext):
			return a, opensEdit, opensEdit
		case has(a.Legacy, ext):
			return a, opensView, opensEdit
		case has(a.Desktop, ext):
			return a, opensNot, opensEdit
		}
	}
	return officeApp{}, opensNot, opensNot
}

// has reports whether a list with blanks holds a word.
func has(list, word string) bool { return strings.Contains(" "+list+" ", " "+word+" ") }

// The longest addresses that Office's apps for Windows open, in characters before encoding.
const (
	maxDesktop      = 259
	maxDesktopExcel = 218
)

// forWindows reports whether Office on a computer opens a file at that decoded address: no part of its path may have a
// name that Windows does not know, because Office keeps a copy under it.
func forWindows(scheme, base, path string) bool {
	limit := maxDesktop
	if scheme == "ms-excel" {
		limit = maxDesktopExcel
	}
	if len([]rune(base+path)) > limit {
		return false
	}
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if strings.ContainsAny(part, `\:*?"<>|`) || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }) {
			return false
		}
	}
	return true
}
