//go:build linux

package localdav

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"davwopi/davbackend/dav"
)

func TestBadPathsAreRefused(t *testing.T) {
	long := strings.Repeat("n", 256)
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		h.want(201, "MKCOL", "/d", "")
		before := h.names(".")
		for _, p := range []string{
			"/../f", "/d/../f", "/d/..", "/./f", "/%2e%2e/f", "/d/%2E%2e/f", "/d%2Ff", "/d%2ff", "/..%2ff",
			"/a%00b", "/a%0ab", "/a%1bb", "/a%7fb", "/a%c2%85b", `/a%5cb`, "/%5c..%5cf", "/a%ffb", "/" + long,
			"/" + strings.Repeat("nnnnnnnnnnnnnnn/", 260),
		} {
			for _, method := range []string{"GET", "PUT", "DELETE", "MKCOL", "PROPFIND", "OPTIONS", "PROPPATCH"} {
				h.want(400, method, p, "", "Depth: 0")
			}
			h.want(400, "LOCK", p, fmt.Sprintf(lockBody, "exclusive", "x"))
			h.want(400, "MOVE", "/f", "", "Destination: URL"+p)
			h.want(400, "COPY", "/f", "", "Destination: "+p)
		}
		if got := h.names("."); !slices.Equal(got, before) {
			t.Error(got)
		}
	})
}

func TestDestination(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		h.want(201, "PUT", "/f", "x")
		h.want(201, "MKCOL", "/d", "")
		for _, c := range []struct {
			destination string
			status      int
		}{
			{"", 400},
			{"http://[bad", 400},
			{"http://elsewhere.invalid/g", 502},
			{"mailto:x", 502},
			{"URL/g?x=1", 502},
			{"g", 400},
			{"URL/f", 403},
			{"URL", 403},
			{"URL/", 403},
			{"/none/g", 409},
			{"/f/g", 409},
			{"URL/g", 201},
		} {
			h.want(c.status, "COPY", "/f", "", "Destination: "+c.destination)
		}
		// A proxy that ends TLS in front changes the scheme, not the host.
		h.want(204, "COPY", "/f", "", "Destination: "+strings.Replace(h.url, "http:", "https:", 1)+"/g")
		h.want(400, "COPY", "/f", "", "Destination: /x", "Overwrite: maybe")
		h.want(400, "COPY", "/d", "", "Destination: /x", "Depth: 1")
		h.want(400, "MOVE", "/d", "", "Destination: /x", "Depth: 0")
		h.want(400, "COPY", "/d", "", "Destination: /x", "Depth: two")
		h.want(404, "COPY", "/none", "", "Destination: /x")
		h.want(403, "MOVE", "/", "", "Destination: /x")
		h.want(403, "DELETE", "/", "")
		h.absent("x")
	})
}

// Behind StripPrefix hrefs, Destination and If have the prefix.
func TestPrefix(t *testing.T) {
	h := newHouse(t)
	h.s.Prefix = "/dav"
	h.want(201, "PUT", "/a b", "x")
	a := h.want(207, "PROPFIND", "/", "", "Depth: 1")
	if !strings.Contains(a.body, "<D:href>/dav/</D:href>") || !strings.Contains(a.body, "<D:href>/dav/a%20b</D:href>") {
		t.Error(a.body)
	}
	h.want(502, "MOVE", "/a%20b", "", "Destination: URL/c")
	h.want(502, "MOVE", "/a%20b", "", "Destination: URL/davc")
	h.want(403, "MOVE", "/a%20b", "", "Destination: URL/dav")
	h.want(412, "PUT", "/a%20b", "y", "If: <URL/a%20b> (["+"\"x\""+"])")
	h.want(204, "PUT", "/a%20b", "y", "If: <URL/dav/a%20b> (["+h.etag("/a%20b")+"])")
	h.want(200, "GET", "/a%20b", "")
	h.want(207, "PROPPATCH", "/a%20b", setProperty("n", "x", "1"))
	a = h.want(200, "LOCK", "/a%20b", fmt.Sprintf(lockBody, "exclusive", "x"))
	if !strings.Contains(a.body, "<D:lockroot><D:href>/dav/a%20b</D:href>") {
		t.Error(a.body)
	}
}

func TestNamesComeBackAsTheyWere(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		for _, name := range []string{
			"a b", "100%", "a#b", "a?b", "a+b", "a;b", "a&b", "<a>", `"a"`, "a:b", "a|b", "a*b", "[a]", "a,b", "(a)", "@a", "~$a.docx",
			".hidden", "trailing.", "trailing ", "Grüße", "e\u0301", "é", "日本", "🦆", "CON", ".~lock.a.odt#", ".localdav-x", "x.part",
		} {
			p := "/" + url.PathEscape(name)
			h.want(201, "PUT", p, name)
			if a := h.want(200, "GET", p, ""); a.body != name || h.read(name) != name {
				t.Errorf("%q: %q", name, a.body)
			}
			a := h.want(207, "PROPFIND", "/", "", "Depth: 1")
			if !strings.Contains(a.body, "<D:href>"+dav.Path("/"+name).Escaped()+"</D:href>") {
				t.Errorf("%q: %s", name, a.body)
			}
			h.want(204, "DELETE", p, "")
		}
	})
}

// What cannot be asked for is not listed, and the server's own files cannot be asked for.
func TestHiddenNames(t *testing.T) {
	h := newHouse(t)
	mine := stagedPrefix + "x" + stagedSuffix
	for _, name := range []string{mine, `a\b`, "a\nb", "a\xffb"} {
		h.write(name, "x")
	}
	h.write("shown", "x")
	a := h.want(207, "PROPFIND", "/", "", "Depth: 1")
	if strings.Count(a.body, "<D:response>") != 2 {
		t.Error(a.body)
	}
	h.want(404, "GET", "/"+mine, "")
	h.want(404, "PROPFIND", "/"+mine, "", "Depth: 0")
	h.want(404, "HEAD", "/"+mine+"/x", "")
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "MOVE", "COPY", "LOCK", "PROPPATCH"} {
		h.want(403, method, "/"+mine, "", "Destination: URL/x")
	}
	h.want(403, "MOVE", "/shown", "", "Destination: URL/"+mine)
	if h.read(mine) != "x" {
		t.Error("changed")
	}
}

func TestSymbolicLinks(t *testing.T) {
	both(t, func(t *testing.T, h *house) {
		outside := t.TempDir()
		if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(h.dir, "d/sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		h.write("d/f", "text")
		for link, target := range map[string]string{
			"in": "d/f", "indir": "d", "d/up": "../d/f", "d/sub/deep": "../../indir/f", "dangling": "d/none",
			"abs": outside + "/secret", "out": "../" + filepath.Base(outside) + "/secret", "outdir": outside,
			"loop": "loop", "d/outdir": "../../" + filepath.Base(outside), "absin": filepath.Join(h.dir, "d/f"),
		} {
			if err := os.Symlink(target, filepath.Join(h.dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		t.Run("out of the folder: nothing goes", func(t *testing.T) {
			for _, p := range []string{"/abs", "/out", "/outdir", "/outdir/secret", "/d/outdir/secret", "/outdir/new", "/loop", "/absin"} {
				h.want(403, "GET", p, "")
				h.want(403, "PROPFIND", p, "", "Depth: 1")
				h.want(403, "PUT", p, "evil")
				h.want(403, "DELETE", p, "")
				h.want(403, "MKCOL", p, "")
				h.want(403, "MOVE", p, "", "Destination: URL/stolen")
				h.want(403, "COPY", p, "", "Destination: URL/stolen")
				h.want(403, "COPY", "/d/f", "", "Destination: URL"+p)
				h.want(403, "MOVE", "/d/f", "", "Destination: URL"+p)
				h.want(403, "LOCK", p, fmt.Sprintf(lockBody, "exclusive", "x"))
				h.want(403, "PROPPATCH", p, setProperty("n", "x", "1"))
			}
			if data, _ := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" {
				t.Errorf("%q", data)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Error(entries)
			}
		})
		t.Run("inside: as what they show", func(t *testing.T) {
			for _, p := range []string{"/in", "/indir/f", "/d/up", "/d/sub/deep"} {
				if a := h.want(200, "GET", p, ""); a.body != "text" {
					t.Error(p, a.body)
				}
				if h.etag(p) != h.etag("/d/f") || h.id(p) != h.id("/d/f") {
					t.Error(p)
				}
			}
			a := h.want(207, "PROPFIND", "/", "", "Depth: 1")
			if n := strings.Count(a.body, "<D:response>"); n != 4 { // root, d, in, indir
				t.Error(n, a.body)
			}
			h.want(204, "PUT", "/in", "written")
			if fi, _ := os.Lstat(filepath.Join(h.dir, "in")); h.read("d/f") != "written" || fi.Mode()&os.ModeSymlink == 0 {
				t.Error("a PUT writes to where the link leads")
			}
			h.want(201, "PUT", "/dangling", "made")
			if h.read("d/none") != "made" {
				t.Error("a PUT makes what the link names")
			}
		})
		t.Run("a lock is found under every name", func(t *testing.T) {
			token := h.take("/in")
			h.want(423, "PUT", "/d/f", "x")
			h.want(423, "PUT", "/indir/f", "x")
			h.want(423, "PROPPATCH", "/d/sub/deep", setProperty("n", "x", "1"))
			h.want(204, "PUT", "/d/up", "x", "If: (<"+token+">)")
			h.want(204, "UNLOCK", "/d/f", "", "Lock-Token: <"+token+">")
		})
		t.Run("DELETE and MOVE take the link itself", func(t *testing.T) {
			h.want(201, "MOVE", "/in", "", "Destination: URL/in2")
			h.want(204, "DELETE", "/in2", "")
			h.want(204, "DELETE", "/indir", "")
			if h.read("d/f") == "" {
				t.Error("the target went")
			}
		})
	})
}

// A pipe or socket is not there, and nobody waits at its other end.
func TestSpecialFiles(t *testing.T) {
	h := newHouse(t)
	mkfifo(t, filepath.Join(h.dir, "pipe"))
	h.want(403, "GET", "/pipe", "")
	h.want(403, "PUT", "/pipe", "x")
	if a := h.want(207, "PROPFIND", "/", "", "Depth: 1"); strings.Contains(a.body, "pipe") {
		t.Error(a.body)
	}
	h.want(201, "MKCOL", "/d", "")
	mkfifo(t, filepath.Join(h.dir, "d/pipe"))
	h.want(201, "COPY", "/d", "", "Destination: URL/e")
	if got := h.names("e"); len(got) != 0 {
		t.Error(got)
	}
}

func FuzzURLPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/%2e%2e/x", "/a%2fb", "//x", "/a%00", "/ü", "*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		p, _, err := urlPath(u)
		if err != nil {
			return
		}
		for _, name := range p.Segments() {
			if name == ".." || name == "." || strings.ContainsAny(name, "/\\\x00") {
				t.Fatalf("%q -> %q", raw, p)
			}
		}
		s := &Server{}
		again, err := url.ParseRequestURI(s.href(p, false))
		if err != nil {
			t.Fatal(err)
		}
		if q, _, err := urlPath(again); err != nil || q != p {
			t.Fatalf("%q -> %q -> %q %v", raw, p, q, err)
		}
	})
}
