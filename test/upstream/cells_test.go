package upstream_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"davwopi/test/upstream"
)

// A bench is one server on which a cell is tried. It has files "a" and "b", folders
// "d" and "e" with a file "f" each.
type bench struct {
	*testing.T
	s    *upstream.Server
	at   string // folder in which it all is, with a slash, or ""
	url  string // of that
	path string // of that URL
}

func newBench(t *testing.T, s *upstream.Server, at string) *bench {
	t.Helper()
	u, err := url.Parse(s.URL + at)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, s, at, s.URL + at, u.Path}
	for _, name := range []string{"a", "b", "d/f", "e/f"} {
		b.write(name, "one")
	}
	return b
}

func (b *bench) write(name, content string) { b.s.Write(b.T, b.at+name, content) }

func (b *bench) do(method, name, body string, headers ...string) *http.Response {
	b.Helper()
	if strings.HasPrefix(body, "<") {
		headers = append([]string{"Content-Type", "application/xml"}, headers...)
	}
	return do(b.T, b.s, method, b.at+name, body, headers...)
}

// status sends a request and returns its status.
func (b *bench) status(method, name, body string, headers ...string) string {
	b.Helper()
	return strconv.Itoa(b.do(method, name, body, headers...).StatusCode)
}

// text sends a request and returns the answer's body.
func (b *bench) text(method, name, body string, headers ...string) string {
	b.Helper()
	got, err := io.ReadAll(b.do(method, name, body, headers...).Body)
	if err != nil {
		b.Fatal(err)
	}
	return string(got)
}

// prop is the text of a property, "-" if the server has none.
func (b *bench) prop(name, space, local string) string {
	b.Helper()
	text := b.text("PROPFIND", name, `<propfind xmlns="DAV:"><prop><x:`+local+` xmlns:x="`+space+`"/></prop></propfind>`, "Depth", "0")
	m := regexp.MustCompile(`(?s)<(?:\w+:)?` + local + `(?: [^>]*)?>(.*?)</(?:\w+:)?` + local + `>`).FindStringSubmatch(text)
	if m == nil || m[1] == "" {
		return "-"
	}
	return strings.NewReplacer("&quot;", `"`, "&#34;", `"`).Replace(m[1])
}

func (b *bench) etag(name string) string {
	b.Helper()
	if tag := b.prop(name, "DAV:", "getetag"); tag != "-" {
		return tag
	}
	return b.do("GET", name, "").Header.Get("ETag")
}

const stamped = `<propertyupdate xmlns="DAV:"><set><prop><x:stamp xmlns:x="urn:x">mine</x:stamp></prop></set></propertyupdate>`

// stamp keeps a dead property, or reports false.
func (b *bench) stamp(name string) bool {
	b.Helper()
	b.status("PROPPATCH", name, stamped)
	return b.has(name) == "yes"
}

func (b *bench) has(name string) string {
	b.Helper()
	if b.prop(name, "urn:x", "stamp") == "mine" {
		return "yes"
	}
	return "no"
}

func lockBody(scope string) string {
	return `<lockinfo xmlns="DAV:"><lockscope><` + scope + `/></lockscope><locktype><write/></locktype><owner>me</owner></lockinfo>`
}

// locked takes a lock and returns its token, "" if there is none to be had.
func (b *bench) locked(name string, headers ...string) string {
	b.Helper()
	headers = append([]string{"Depth", "0", "Timeout", "Second-1800"}, headers...)
	return strings.Trim(b.do("LOCK", name, lockBody("exclusive"), headers...).Header.Get("Lock-Token"), "<>")
}

// timeout is what LOCK says that it grants.
func (b *bench) timeout(asked string) string {
	b.Helper()
	text := b.text("LOCK", "a", lockBody("exclusive"), "Depth", "0", "Timeout", asked)
	if m := regexp.MustCompile(`timeout>([^<]*)<`).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "-"
}

func (b *bench) move(from, to string, headers ...string) string {
	b.Helper()
	return b.status("MOVE", from, "", append([]string{"Destination", b.url + to, "Overwrite", "T"}, headers...)...)
}

// columns are the order in which the cells below stand.
var columns = []string{"apache", "nginx", "lighttpd", "sabre", "wsgidav", "xnet", "rclone", "sftpgo", "nextcloud", "nextcloud-plain", "opencloud"}

const wrong = "urn:uuid:11111111-2222-3333-4444-555555555555"

// cells are rows of the matrix: what is tried, and what each column answers.
var cells = []struct {
	name string
	try  func(*bench) string
	want string // in the order of columns; "-" is not asked
}{
	// 3.1
	{"DAV", func(b *bench) string {
		return strings.ReplaceAll(strings.Join(b.do("OPTIONS", "", "").Header.Values("DAV"), ","), " ", "")
	}, "1,2,<http://apache.org/dav/propset/fs/1> 2 1,2,3 1,2,3,extended-mkcol 1,2 1,2 1,2 1,2 1,2,3,extended-mkcol 1,3,extended-mkcol 1,2"},
	{"native ID", func(b *bench) string { return present(b.prop("a", "http://owncloud.org/ns", "fileid")) }, "no no no no no no no no yes yes yes"},
	{"DAV:resource-id", func(b *bench) string { return present(b.prop("a", "DAV:", "resource-id")) }, "no no no no no no no no no no no"},
	{"ID after MOVE over", func(b *bench) string {
		source := b.prop("b", "http://owncloud.org/ns", "fileid")
		b.move("b", "a")
		if source == "-" {
			return "-"
		}
		return match(b.prop("a", "http://owncloud.org/ns", "fileid"), source)
	}, "- - - - - - - - same same same"},
	{"ETag in PROPFIND", func(b *bench) string {
		b.status("PUT", "a", "two")
		switch tag := b.prop("a", "DAV:", "getetag"); {
		case tag == "-":
			return "none"
		case strings.HasPrefix(tag, "W/"):
			return "weak"
		case !strings.HasPrefix(tag, `"`):
			return "unquoted"
		}
		return "strong"
	}, "weak none strong strong unquoted strong strong strong strong strong strong"},
	{"ETag of PUT", func(b *bench) string {
		tag := b.do("PUT", "a", "two").Header.Get("ETag")
		if tag == "" {
			return "none"
		}
		return match(strings.Trim(tag, `"`), strings.Trim(b.etag("a"), `"`))
	}, "none none same same same same same another same same same"},
	{"ETag kept by MOVE", func(b *bench) string {
		before := strings.TrimPrefix(b.etag("a"), "W/")
		b.move("a", "c")
		return match(strings.TrimPrefix(b.etag("c"), "W/"), before)
	}, "same same same same same same same same same same same"},
	{"ETag of a COPY", func(b *bench) string {
		before := strings.TrimPrefix(b.etag("a"), "W/")
		b.status("COPY", "a", "", "Destination", b.url+"c")
		return match(strings.TrimPrefix(b.etag("c"), "W/"), before)
	}, "another same same another another another another another another another another"},
	{"ETag of a folder", func(b *bench) string { return present(b.prop("d/", "DAV:", "getetag")) }, "yes no yes no no no no no yes yes yes"},
	// 3.2
	{"PROPPATCH", func(b *bench) string { return b.status("PROPPATCH", "a", stamped) }, "207 405 204 207 207 207 207 207 207 207 207"},
	{"PROPPATCH stored", func(b *bench) string { b.stamp("a"); return b.has("a") }, "yes no yes yes yes no no no yes yes yes"},
	{"props after PUT and MOVE", func(b *bench) string {
		if !b.stamp("a") {
			return "-"
		}
		b.status("PUT", "a", "two")
		b.move("a", "c")
		return b.has("c")
	}, "yes - yes yes yes - - - yes yes yes"},
	{"props when the parent moves", func(b *bench) string {
		if !b.stamp("d/f") {
			return "-"
		}
		b.move("d/", "g/")
		return b.has("g/f")
	}, "yes - yes yes yes - - - no no yes"},
	{"props of a COPY", func(b *bench) string {
		if !b.stamp("a") {
			return "-"
		}
		b.status("COPY", "a", "", "Destination", b.url+"c")
		return b.has("c")
	}, "yes - yes no yes - - - no no no"},
	{"props of children of a COPY", func(b *bench) string {
		if !b.stamp("d/f") {
			return "-"
		}
		b.status("COPY", "d/", "", "Destination", b.url+"g/")
		return b.has("g/f")
	}, "yes - yes no yes - - - no no no"},
	{"props after MOVE over", func(b *bench) string {
		if !b.stamp("a") {
			return "-"
		}
		b.move("b", "a")
		return b.has("a")
	}, "no - yes no no - - - no no no"},
	// 3.3
	{"If-Match wrong", func(b *bench) string { return b.status("PUT", "a", "x", "If-Match", `"w"`) }, "412 204 412 412 412 201 201 201 412 412 409"},
	{"If-Match right", func(b *bench) string {
		b.status("PUT", "a", "x")
		return b.status("PUT", "a", "x", "If-Match", quoted(b.etag("a")))
	}, "412 204 204 204 204 201 201 201 204 204 204"},
	{"If-Match on nothing", func(b *bench) string { return b.status("PUT", "c", "x", "If-Match", `"w"`) }, "412 201 412 412 201 201 201 201 412 412 409"},
	{"If-None-Match: *", func(b *bench) string { return b.status("PUT", "a", "x", "If-None-Match", "*") }, "412 204 412 412 412 201 201 201 412 412 204"},
	{"ETag in If wrong", func(b *bench) string { return b.status("PUT", "a", "x", "If", `(["w"])`) }, "412 204 412 412 412 412 412 412 412 412 204"},
	{"ETag in If right", func(b *bench) string { return b.status("PUT", "a", "x", "If", `([`+quoted(b.etag("a"))+`])`) },
		"204 204 204 204 204 412 412 412 204 204 204"},
	{"If-Match on DELETE", func(b *bench) string { return b.status("DELETE", "a", "", "If-Match", `"w"`) }, "412 204 412 412 412 204 204 204 412 412 204"},
	{"If-Match on MOVE", func(b *bench) string { return b.move("a", "c", "If-Match", `"w"`) }, "412 204 412 412 412 201 201 201 412 412 201"},
	{"Overwrite: F", func(b *bench) string { return b.move("a", "b", "Overwrite", "F") }, "412 412 412 412 412 412 412 412 412 412 412"},
	// 3.4
	{"token", func(b *bench) string {
		return regexp.MustCompile(`[0-9a-f-]{8,}.*|^[0-9]+$`).ReplaceAllString(b.locked("a"), "*")
	},
		"opaquelocktoken:* urn:* urn:uuid:* opaquelocktoken:* opaquelocktoken:0x* * * * opaquelocktoken:*  urn:uuid:*"},
	{"timeout", func(b *bench) string { return b.timeout("Second-1800") },
		"Second-1800 Second-3600 Second-600 Second-1800 Second-1800 Second-1800 Second-1800 Second-1800 Second-1800 - Second-1800"},
	{"timeout without end", func(b *bench) string { return b.timeout("Infinite") },
		"Infinite Second-3600 Second-600 Second-1800 Second-604799 Second-0 Second-0 Second-3600 Infinite - Infinite"},
	{"lock shown", func(b *bench) string {
		token := b.locked("a")
		shown := b.text("PROPFIND", "a", `<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>`, "Depth", "0")
		return present(yes(token != "" && strings.Contains(shown, token))) + "/" + present(yes(strings.Contains(shown, ">me<")))
	}, "yes/yes yes/no yes/no yes/yes yes/yes no/no no/no yes/yes yes/yes no/no yes/no"},
	{"refresh with a wrong token", func(b *bench) string {
		b.locked("a")
		return b.status("LOCK", "a", "", "If", "(<"+wrong+">)")
	}, "412 423 200 412 412 412 412 412 412 501 500"},
	{"refresh of a lost lock", func(b *bench) string { return b.status("LOCK", "a", "", "If", "(<"+wrong+">)") }, "412 200 200 412 412 412 412 412 412 501 500"},
	{"PUT without token", func(b *bench) string { b.locked("a"); return b.status("PUT", "a", "x") }, "423 423 423 423 423 423 423 423 423 204 423"},
	{"PUT with a wrong token", func(b *bench) string {
		b.locked("a")
		return b.status("PUT", "a", "x", "If", "(<"+wrong+">)")
	}, "412 423 423 423 412 412 412 412 423 412 423"},
	{"PUT, If", func(b *bench) string { return b.status("PUT", "a", "x", "If", "(<"+b.locked("a")+">)") }, "204 204 204 204 204 201 201 201 204 - 423"},
	{"PUT, tagged If", func(b *bench) string {
		return b.status("PUT", "a", "x", "If", "<"+b.url+"a> (<"+b.locked("a")+">)")
	}, "204 204 204 204 204 201 201 201 204 - 423"},
	{"PUT, tagged If with a space", func(b *bench) string {
		b.write("a b", "one")
		return b.status("PUT", "a%20b", "x", "If", "<"+b.url+"a%20b> (<"+b.locked("a%20b")+">)")
	}, "204 423 204 204 204 201 201 201 204 - 423"},
	{"PUT, If tagged by path", func(b *bench) string {
		return b.status("PUT", "a", "x", "If", "<"+b.path+"a> (<"+b.locked("a")+">)")
	}, "204 204 204 204 204 412 412 412 204 - 423"},
	{"PUT, Lock-Token", func(b *bench) string {
		return b.status("PUT", "a", "x", "Lock-Token", "<"+b.locked("a")+">")
	}, "423 423 423 423 423 423 423 423 423 204 204"},
	{"PUT, both", func(b *bench) string {
		token := b.locked("a")
		return b.status("PUT", "a", "x", "Lock-Token", "<"+token+">", "If", "(<"+token+">)")
	}, "204 204 204 204 412 201 201 201 204 - -"},
	{"token, and a wrong ETag", func(b *bench) string {
		return b.status("PUT", "a", "x", "If", "(<"+b.locked("a")+`> ["w"])`)
	}, "412 204 412 412 412 201 201 201 412 - 423"},
	{"shared lock", func(b *bench) string { return b.status("LOCK", "a", lockBody("shared"), "Depth", "0") }, "200 200 200 200 200 501 501 501 501 501 501"},
	{"MOVE of a locked file", func(b *bench) string { return b.move("a", "c", "If", "(<"+b.locked("a")+">)") },
		"424 204 201 201 201 412 412 201 201 - 423"},
	{"MOVE of a locked file, tagged", func(b *bench) string {
		return b.move("a", "c", "If", "<"+b.url+"a> (<"+b.locked("a")+">)")
	}, "201 204 - - 201 412 412 - - - 423"},
	{"lock follows MOVE", func(b *bench) string {
		token := b.locked("a")
		b.move("a", "c", "If", "<"+b.url+"a> (<"+token+">)", "Lock-Token", "<"+token+">")
		b.move("a", "c", "Lock-Token", "<"+token+">")
		if b.status("PUT", "c", "x") == "423" {
			return "yes"
		}
		return "no"
	}, "no no no no - - - no yes - yes"},
	{"MOVE onto a locked file", func(b *bench) string {
		token := b.locked("a")
		got := b.move("b", "a", "If", "<"+b.url+"a> (<"+token+">)")
		return got + "/" + b.status("PUT", "a", "x")
	}, "204/423 204/423 412/423 204/204 204/204 204/423 204/423 204/423 204/204 - 423/423"},
	{"MOVE of the parent", func(b *bench) string { b.locked("d/f"); return b.move("d/", "g/") },
		"424 201 201 423 423 201 201 201 201 201 201"},
	{"LOCK on nothing", func(b *bench) string {
		return b.status("LOCK", "c", lockBody("exclusive"), "Depth", "0") + "/" + b.status("GET", "c", "")
	}, "200/404 201/200 201/200 201/200 201/200 201/200 201/200 201/200 201/200 501/404 500/404"},
	{"PUT into a locked folder", func(b *bench) string {
		b.status("LOCK", "d/", lockBody("exclusive"), "Depth", "infinity")
		return b.status("PUT", "d/new", "x") + "/" + b.status("PUT", "d/f", "x")
	}, "207/423 423/423 423/423 423/423 423/423 423/423 423/423 423/423 423/204 201/204 423/204"},
	{"UNLOCK with a wrong token", func(b *bench) string {
		b.locked("a")
		got := b.status("UNLOCK", "a", "", "Lock-Token", "<"+wrong+">")
		return got + "/" + b.status("PUT", "a", "x")
	}, "400/423 204/423 409/423 409/423 409/423 409/423 409/423 409/423 500/423 501/204 423/423"},
	// 3.5
	{"PUT without a length", func(b *bench) string {
		r, err := http.NewRequestWithContext(b.Context(), "PUT", b.url+"c", io.MultiReader(strings.NewReader("chunked")))
		if err != nil {
			b.Fatal(err)
		}
		r.SetBasicAuth(b.s.User, b.s.Password)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		got, _ := b.s.Read(b.T, b.at+"c")
		return strconv.Itoa(resp.StatusCode) + "/" + strconv.Itoa(len(got))
	}, "201/7 201/7 201/7 201/0 201/7 201/7 201/7 201/7 201/0 201/0 400/0"},
	{"PUT of a part", func(b *bench) string {
		got := b.status("PUT", "a", "X", "Content-Range", "bytes 1-1/3")
		is, _ := b.s.Read(b.T, b.at+"a")
		return got + "/" + is
	}, "204/oXe 501/one 400/one 400/one 400/one 201/X 201/X 201/X 400/one 400/one 501/one"},
	{"PUT over a file", func(b *bench) string { return b.status("PUT", "a", "x") }, "204 204 204 204 204 201 201 201 204 204 204"},
	// 3.6
	{"Depth: infinity", func(b *bench) string {
		text := b.text("PROPFIND", "", "", "Depth", "infinity")
		status := b.status("PROPFIND", "", "", "Depth", "infinity")
		if status == "207" && strings.Contains(text, "/d/f<") {
			return "all"
		}
		return status
	}, "403 403 403 207 all all all 403 207 207 400"},
	{"PROPFIND of d", func(b *bench) string { return b.status("PROPFIND", "d", "", "Depth", "0") }, "301 207 207 207 207 207 207 207 207 207 207"},
	{"MOVE of d", func(b *bench) string { return b.move("d", "g") }, "301 400 308 201 201 201 201 201 201 201 201"},
	{"PROPFIND with another type", func(b *bench) string {
		return b.status("PROPFIND", "a", ` <propfind xmlns="DAV:"><allprop/></propfind>`, "Depth", "0", "Content-Type", "text/plain")
	}, "- 207 415 - - - - - 207 207 -"},
	{"Destination without a host", func(b *bench) string { return b.status("MOVE", "a", "", "Destination", b.path+"c") },
		"400 404 201 201 201 201 201 201 201 201 201"},
	{"Destination on another host", func(b *bench) string {
		return b.status("MOVE", "a", "", "Destination", "http://other.example"+b.path+"c")
	}, "502 400 502 201 502 502 502 502 201 201 201"},
	{"MOVE into a missing folder", func(b *bench) string { return b.move("a", "none/a") }, "500 204 409 409 409 403 403 403 409 409 409"},
	{"PUT into a missing folder", func(b *bench) string { return b.status("PUT", "none/a", "x") }, "409 - 409 409 409 409 409 409 404 404 409"},
	{"quota", func(b *bench) string {
		if q := b.prop("", "DAV:", "quota-available-bytes"); strings.HasPrefix(q, "-") && q != "-" {
			return q
		} else {
			return present(q)
		}
	}, "no no no yes yes no no no -3 -3 -2"},
	{"NFC and NFD", func(b *bench) string {
		b.status("PUT", "caf%C3%A9", "x")
		return b.status("GET", "cafe%CC%81", "")
	}, "404 404 404 404 404 404 200 404 200 200 404"},
	{"name of 254 bytes", func(b *bench) string { return b.status("PUT", strings.Repeat("n", 254), "x") },
		"201 201 500 201 201 201 201 201 400 400 201"},
	{"dotfiles listed", func(b *bench) string {
		b.write(".hidden", "x")
		return present(yes(strings.Contains(b.text("PROPFIND", "", "", "Depth", "1"), ".hidden")))
	}, "yes no yes yes yes yes yes yes yes yes yes"},
	{"SEARCH", func(b *bench) string { return b.status("SEARCH", "", "") }, "405 405 501 501 405 400 405 400 405 405 405"},
	{"REPORT", func(b *bench) string {
		return b.status("REPORT", "", `<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop/></sync-collection>`)
	}, "501 405 501 415 405 400 405 400 415 415 400"},
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

func present(s string) string {
	if s == "-" {
		return "no"
	}
	return "yes"
}

func match(a, b string) string {
	if a == b {
		return "same"
	}
	return "another"
}

func quoted(tag string) string {
	if !strings.Contains(tag, `"`) {
		return `"` + tag + `"`
	}
	return tag
}
