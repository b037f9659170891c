package dav

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePath(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct {
		name, in string
		want     Path // "" refused
	}{
		{"root", "/", "/"},
		{"trailing slash is dropped", "/a/b/", "/a/b"},
		{"doubled slashes count once", "//a///b", "/a/b"},
		{"percent is a character", "/100%/a%2Fb", "/100%/a%2Fb"},
		{"query and fragment signs are characters", "/a?b#c", "/a?b#c"},
		{"255 bytes", "/" + long, Path("/" + long)},
		{"256 bytes", "/" + long + "x", ""},
		{"names are bytes: NFD stays NFD", "/e\u0301", "/e\u0301"},
		{"not absolute", "a", ""},
		{"empty", "", ""},
		{"dot", "/a/./b", ""},
		{"dot dot", "/a/../b", ""},
		{"three dots are a name", "/...", "/..."},
		{"backslash", `/a\b`, ""},
		{"NUL", "/a\x00", ""},
		{"newline", "/a\nb", ""},
		{"C1 control", "/a\u0085", ""},
		{"not UTF-8", "/a\xff", ""},
		{"over 4096 bytes", strings.Repeat("/"+long, 17), ""},
	} {
		got, err := ParsePath(c.in)
		if c.want == "" {
			if !errors.Is(err, ErrBadPath) {
				t.Errorf("%s: got %q, %v; want ErrBadPath", c.name, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestParseHref(t *testing.T) {
	base := "https://nas.example:8443/dav/f%C3%BCr%20alle"
	for _, c := range []struct {
		name, href string
		want       Path // "" refused
	}{
		{"the collection itself, with slash", "/dav/f%C3%BCr%20alle/", "/"},
		{"and without", "/dav/f%C3%BCr%20alle", "/"},
		{"RFC 4918 8.3: absolute path", "/dav/f%C3%BCr%20alle/a/b.docx", "/a/b.docx"},
		{"RFC 4918 8.3: absolute URL", "https://nas.example:8443/dav/f%C3%BCr%20alle/a", "/a"},
		{"inner host behind a proxy", "http://10.0.0.7/dav/f%C3%BCr%20alle/a", "/a"},
		{"lower-case hex", "/dav/f%c3%bcr%20alle/%3f%23", "/?#"},
		{"less escaped", "/dav/für alle/(a)+b;c", "/(a)+b;c"},
		{"more escaped", "/dav/f%C3%BCr%20alle/%28a%29%2Bb%3B%63", "/(a)+b;c"},
		{"plus is plus", "/dav/f%C3%BCr%20alle/a+b", "/a+b"},
		{"doubled slashes (Caddy)", "//dav/f%C3%BCr%20alle//a//b/", "/a/b"},
		{"mount point in another case (Mailfence)", "/DAV/F%C3%BCr%20alle/A", "/A"},
		{"query is cut", "/dav/f%C3%BCr%20alle/a?x=y", "/a"},
		{"spaces around", " \n/dav/f%C3%BCr%20alle/a\n", "/a"},
		{"outside of base", "/dav/other/a", ""},
		{"base as a prefix of a name", "/dav/f%C3%BCr%20allexx/a", ""},
		{"above base", "/dav/", ""},
		{"encoded slash", "/dav/f%C3%BCr%20alle/a%2Fb", ""},
		{"encoded dot dot", "/dav/f%C3%BCr%20alle/%2e%2e/a", ""},
		{"encoded NUL", "/dav/f%C3%BCr%20alle/a%00", ""},
		{"bad percent", "/dav/f%C3%BCr%20alle/100%", ""},
		{"relative", "a", ""},
		{"relative with dot (OpenCloud's lockroot)", "./pr/x", ""},
		{"other scheme", "ftp://nas.example/dav/f%C3%BCr%20alle/a", ""},
		{"empty", "", ""},
		{"endless", "/dav/f%C3%BCr%20alle/" + strings.Repeat("a/", 20000), ""},
	} {
		got, err := ParseHref(c.href, parseURL(t, base))
		if c.want == "" {
			if !errors.Is(err, ErrBadPath) {
				t.Errorf("%s: got %q, %v; want ErrBadPath", c.name, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if p, err := ParseHref("/a", nil); p != "/a" || err != nil {
		t.Errorf("no base: %q, %v", p, err)
	}
}

func parseURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestPathRelations(t *testing.T) {
	for _, c := range []struct {
		p, parent Path
		base      string
		segments  int
	}{
		{"/", "/", "", 0},
		{"/a", "/", "a", 1},
		{"/a/b c", "/a", "b c", 2},
	} {
		if got := c.p.Parent(); got != c.parent {
			t.Errorf("%s: parent %q", c.p, got)
		}
		if got := c.p.Base(); got != c.base {
			t.Errorf("%s: base %q", c.p, got)
		}
		if got := c.p.Segments(); len(got) != c.segments {
			t.Errorf("%s: segments %q", c.p, got)
		}
	}
	for _, c := range []struct {
		p, q Path
		want bool
	}{
		{"/", "/", true}, {"/", "/a/b", true}, {"/a", "/a", true}, {"/a", "/a/b", true},
		{"/a", "/ab", false}, {"/a/b", "/a", false}, {"/a", "/", false},
	} {
		if got := c.p.Contains(c.q); got != c.want {
			t.Errorf("%s contains %s: %v", c.p, c.q, got)
		}
	}
	if _, err := Path("/a").Join("b/c"); !errors.Is(err, ErrBadPath) {
		t.Errorf("Join of a slash: %v", err)
	}
}

// Whatever name a path is made of, its escaped form reads back as the same path.
func TestEscapedReadsBack(t *testing.T) {
	base := parseURL(t, "http://nas/dav/x")
	rapid.Check(t, func(t *rapid.T) {
		p := Root
		for _, name := range rapid.SliceOfN(rapid.StringN(1, 20, 80), 0, 5).Draw(t, "names") {
			q, err := p.Join(name)
			if err != nil {
				continue
			}
			p = q
		}
		for _, href := range []string{"/dav/x" + p.Escaped(), "http://nas/dav/x" + strings.ToLower(p.Escaped()[:1]) + p.Escaped()[1:] + "/"} {
			got, err := ParseHref(href, base)
			if err != nil || got != p {
				t.Fatalf("%q: got %q, %v; want %q", href, got, err, p)
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "//a/", "/%2e%2e", "/a/../b", "/\xff", "/e\u0301~$x#?", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			if !errors.Is(err, ErrBadPath) {
				t.Fatalf("error is not ErrBadPath: %v", err)
			}
			return
		}
		if again, err := ParsePath(string(p)); err != nil || again != p {
			t.Fatalf("not idempotent: %q -> %q, %v", p, again, err)
		}
		if back, err := ParseHref(p.Escaped(), nil); err != nil || back != p {
			t.Fatalf("escaped form %q reads as %q, %v", p.Escaped(), back, err)
		}
		if u, err := url.Parse("http://h" + p.Escaped()); err != nil || u.Path != string(p) || u.RawQuery != "" {
			t.Fatalf("escaped form %q is another URL: %v, %v", p.Escaped(), u, err)
		}
		if !p.IsRoot() {
			if joined, err := p.Parent().Join(p.Base()); err != nil || joined != p {
				t.Fatalf("parent and base of %q join to %q, %v", p, joined, err)
			}
		}
	})
}

func FuzzParseHref(f *testing.F) {
	for _, s := range []string{"/dav/x", "http://h/dav/x/%2F", "//dav//x", "/DAV/%zz", "/dav/a?b#c", "ftp://dav/x", "/dav/%2e%2e/x"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "http", Host: "h", Path: "/dav"}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseHref(s, base)
		if err != nil {
			if !errors.Is(err, ErrBadPath) {
				t.Fatalf("error is not ErrBadPath: %v", err)
			}
			return
		}
		if q, err := ParsePath(string(p)); err != nil || q != p {
			t.Fatalf("%q gave %q, which is no Path: %v", s, p, err)
		}
	})
}
