package discovery

import (
	"net/url"
	"strings"

	"davwopi/bridge/wopi"
)

// Params fill the template's placeholders. What is empty is left out.
type Params struct {
	WOPISrc     string // always needed
	UI          string // language of the surface, en-US for example
	Data        string // language of data and calculation; as UI if empty
	Session     string // comes back as X-WOPI-SessionContext
	HostSession string // for support
	Theme       string // 1 light, 2 dark
	Activity    string // a comment to go to
	Category    string // of the validator: All, OfficeOnline, OfficeNativeClient

	Business, NoChat, Embedded, Fullscreen, Recording bool
	NoAsync, NoBroadcast, PerfStats                   bool
}

// value returns what a placeholder stands for, and whether it is one at all. A
// placeholder with the value "" is left out together with its name.
func (p Params) value(placeholder string) (string, bool) {
	switch placeholder {
	case "UI_LLCC":
		return p.UI, true
	case "DC_LLCC":
		if p.Data == "" {
			return p.UI, true
		}
		return p.Data, true
	case "WOPI_SOURCE":
		return p.WOPISrc, true
	case "HOST_SESSION_ID":
		return p.HostSession, true
	case "SESSION_CONTEXT":
		return p.Session, true
	case "THEME_ID":
		return p.Theme, true
	case "ACTIVITY_NAVIGATION_ID":
		return p.Activity, true
	case "VALIDATOR_TEST_CATEGORY":
		return p.Category, true
	case "DISABLE_CHAT":
		return flag(p.NoChat, "1"), true
	case "BUSINESS_USER":
		return flag(p.Business, "1"), true
	case "EMBEDDED":
		return flag(p.Embedded, "true"), true
	case "FULLSCREEN":
		return flag(p.Fullscreen, "true"), true
	case "RECORDING":
		return flag(p.Recording, "true"), true
	case "DISABLE_ASYNC":
		return flag(p.NoAsync, "true"), true
	case "DISABLE_BROADCAST":
		return flag(p.NoBroadcast, "true"), true
	case "PERFSTATS":
		return flag(p.PerfStats, "true"), true
	}
	return "", false
}

func flag(on bool, value string) string {
	if on {
		return value
	}
	return ""
}

// URL returns the address to which the host page posts its form. WOPISrc is
// always in it, under the template's name for it or as WOPISrc. Collabora, whose
// templates have no placeholders, gets the language as lang.
func (a Action) URL(p Params) string {
	filled := map[string]bool{}
	address := replace(a.URLSrc, func(name, placeholder, end string) string {
		value, known := p.value(placeholder)
		if !known || value == "" {
			return ""
		}
		filled[placeholder] = true
		return name + "=" + escape(value) + end
	})
	add := func(name, value string) {
		switch {
		case !strings.Contains(address, "?"):
			address += "?"
		case !strings.HasSuffix(address, "?") && !strings.HasSuffix(address, "&"):
			address += "&"
		}
		address += name + "=" + escape(value)
	}
	if !filled["WOPI_SOURCE"] {
		add("WOPISrc", p.WOPISrc)
	}
	if a.Office == wopi.Collabora && p.UI != "" && !filled["UI_LLCC"] {
		add("lang", p.UI)
	}
	if a.Office != wopi.Collabora && p.Session != "" && !filled["SESSION_CONTEXT"] {
		add("sc", p.Session)
	}
	return address
}

// escape percent-encodes; a space is %20, since not everybody reads "+" as one.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// Origin returns scheme, host and port of the editor's frame, for CSP's
// frame-src and postMessage; "" if URLSrc is not an address.
func (a Action) Origin() string {
	o, _ := origin(a.URLSrc)
	return o
}

// replace calls fill for each optional parameter <name=PLACEHOLDER&> of a
// template; end is "&" or "".
func replace(template string, fill func(name, placeholder, end string) string) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(template, "<")
		b.WriteString(before)
		if !open {
			return b.String()
		}
		inside, after, closed := strings.Cut(rest, ">")
		if !closed {
			return b.String()
		}
		template = after
		body, end := inside, ""
		if strings.HasSuffix(body, "&") {
			body, end = strings.TrimSuffix(body, "&"), "&"
		}
		if name, placeholder, ok := strings.Cut(body, "="); ok {
			b.WriteString(fill(name, placeholder, end))
		}
	}
}

// plain is the template without its optional parameters.
func plain(template string) string {
	return replace(template, func(string, string, string) string { return "" })
}

// unbracketed is plain for templates of others: it is false if a bracket is open,
// nested or stray, so that nothing but whole parameters is ever filled in.
func unbracketed(template string) (string, bool) {
	depth := 0
	for _, c := range template {
		switch c {
		case '<':
			depth++
		case '>':
			depth--
		}
		if depth < 0 || depth > 1 {
			return "", false
		}
	}
	return plain(template), depth == 0
}

// origin returns the origin of a template, and whether the template is an
// address that may become the action of a form: absolute, http or https, with
// a host, without user or fragment, nothing in it but printable ASCII.
func origin(template string) (string, bool) {
	for _, c := range []byte(template) {
		if c <= 0x20 || c > 0x7e || c == '"' || c == '\'' || c == '\\' || c == '`' || c == '#' {
			return "", false
		}
	}
	bare, ok := unbracketed(template)
	if !ok {
		return "", false
	}
	u, err := url.Parse(bare)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "" || u.User != nil {
		return "", false
	}
	// a host that is more than a name and a port could add words to a policy
	if strings.ContainsAny(u.Host, ";,*<>") {
		return "", false
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), true
}
