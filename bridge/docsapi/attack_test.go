package docsapi_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"davwopi/bridge/access"
	"davwopi/test/docserver"
	"davwopi/test/rooms"
)

// An attack is on a document that Anna has open: nothing of it may come to the file, the
// lock, or anything else of the state.
type attack struct {
	*rig
	editor *docserver.Editor
	said   map[string]any // a good save
}

func newAttack(t testing.TB, change func(*docserver.Server)) *attack {
	t.Helper()
	r := newRig(t, change)
	r.write(doc, "one")
	e := r.open(doc, rooms.Anna)
	r.good(e.Joined, nil)
	return &attack{r, e, map[string]any{
		"key": e.Key, "status": 6, "url": r.DS.Result([]byte("forged"), "docx"), "filetype": "docx", "users": []string{e.ID},
	}}
}

// with is the save with something else in it.
func (a *attack) with(name string, value any) map[string]any {
	said := maps.Clone(a.said)
	said[name] = value
	return said
}

// refused sends a callback that must do nothing, with that status.
func (a *attack) refused(t *testing.T, address string, c docserver.Callback, status int) {
	t.Helper()
	before, revision := a.StateSum(), a.At(doc).Revision.Number
	told, err := a.DS.Send(address, c)
	if err != nil || told.HTTP != status || told.Answer != 1 {
		t.Errorf("answered %+v, %v; want %d", told, err, status)
	}
	if got := a.read(doc); got != "one" || a.At(doc).Revision.Number != revision || a.StateSum() != before {
		t.Errorf("it did something: %q", got)
	}
	if n := a.names(); len(n) != 1 {
		t.Errorf("it made a file: %v", n)
	}
}

func TestForgedCallbacks(t *testing.T) {
	a := newAttack(t, nil)
	sign := docserver.Sign
	payload := func(said map[string]any) map[string]any { return map[string]any{"payload": said} }
	good := docserver.SignFor(docserver.Secret, a.said, time.Minute)
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(good, ".")[1] + "."
	in := func(token string, said map[string]any) docserver.Callback {
		body := maps.Clone(said)
		body["token"] = token
		return docserver.Callback{Body: body}
	}
	for name, c := range map[string]docserver.Callback{
		"unsigned":                        {Body: a.said},
		"unsigned, with an empty token":   in("", a.said),
		"alg none in the body":            in(none, a.said),
		"alg none in the header":          {Header: none, Body: a.said},
		"another secret in the body":      in(sign("another-secret-0123456789abcdefgh", a.said), a.said),
		"another secret in the header":    {Header: sign("another-secret-0123456789abcdefgh", payload(a.said)), Body: a.said},
		"expired in the body":             in(docserver.SignFor(docserver.Secret, a.said, -2*time.Minute), a.said),
		"expired in the header":           {Header: docserver.SignFor(docserver.Secret, payload(a.said), -2*time.Minute), Body: a.said},
		"a good body, a bad header":       {Header: sign("another-secret-0123456789abcdefgh", payload(a.said)), Body: in(good, a.said).Body},
		"a bad body, a good header":       {Header: sign(docserver.Secret, payload(a.said)), Body: in(none, a.said).Body},
		"body and token disagree: url":    in(good, a.with("url", a.DS.URL+"/cache/files/other")),
		"body and token disagree: key":    in(good, a.with("key", "another")),
		"body and token disagree: status": in(good, a.with("status", 2)),
		"body and header disagree: url":   {Header: sign(docserver.Secret, payload(a.said)), Body: a.with("url", a.DS.URL+"/cache/files/other")},
		"the two tokens disagree: url":    {Header: sign(docserver.Secret, payload(a.with("url", a.DS.URL+"/x"))), Body: in(good, a.said).Body},
		"the two tokens disagree: status": {Header: sign(docserver.Secret, payload(a.with("status", 4))), Body: in(good, a.said).Body},
		"about another key":               in(sign(docserver.Secret, a.with("key", a.editor.Key+"x")), a.with("key", a.editor.Key+"x")),
		"no status in the token":          in(sign(docserver.Secret, map[string]any{"key": a.editor.Key, "url": a.said["url"]}), a.said),
		"url beside the token only":       in(sign(docserver.Secret, map[string]any{"key": a.editor.Key, "status": 6}), a.said),
		"a download's token":              {Header: sign(docserver.Secret, payload(map[string]any{"url": a.said["url"]})), Body: a.said},
	} {
		t.Run(name, func(t *testing.T) { a.refused(t, a.editor.Callback(), c, http.StatusForbidden) })
	}
	t.Run("not JSON", func(t *testing.T) {
		res, err := http.Post(a.editor.Callback(), "application/json", strings.NewReader("<xml/>"))
		a.Must(err)
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusBadRequest || string(text) != `{"error":1}` {
			t.Errorf("%d %s", res.StatusCode, text)
		}
	})
	t.Run("far too long", func(t *testing.T) {
		a.refused(t, a.editor.Callback(), docserver.Callback{Body: a.with("history", strings.Repeat("x", 9<<20))}, http.StatusBadRequest)
	})
	t.Run("an honest one is taken", func(t *testing.T) {
		a.good(a.DS.Send(a.editor.Callback(), in(good, a.said)))
		if a.read(doc) != "forged" {
			t.Error("the measure is broken: a good callback does nothing")
		}
	})
}

func TestTheAddressOfACallbackIsBoundToItsKeyAndGrant(t *testing.T) {
	a := newAttack(t, nil)
	a.write("/Other.docx", "other")
	ben := a.open("/Other.docx", rooms.Ben)
	at, err := url.Parse(a.editor.Callback())
	a.Must(err)
	token := at.Query().Get("t")
	foreign, err := url.Parse(ben.Callback())
	a.Must(err)
	signed := func(key string) docserver.Callback {
		said := a.with("key", key)
		return docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said}
	}
	address := func(key, t string) string { return a.Base + "/docsapi/callback/" + key + "?t=" + t }
	flipped := token[:len(token)-2] + string(token[len(token)-2]^1) + token[len(token)-1:]
	for name, c := range map[string]struct {
		key, token string
		status     int
	}{
		"no token":                    {a.editor.Key, "", http.StatusUnauthorized},
		"another document's token":    {a.editor.Key, foreign.Query().Get("t"), http.StatusUnauthorized},
		"our token, another document": {ben.Key, token, http.StatusUnauthorized},
		"changed":                     {a.editor.Key, flipped, http.StatusUnauthorized},
		"the download's token":        {a.editor.Key, downloadToken(t, a.page(doc, rooms.Anna, true).Config.Document.URL), http.StatusUnauthorized},
		"a key that never was":        {a.editor.Key + "-9", token, http.StatusNotFound},
		"no key at all":               {"nonsense", token, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) { a.refusedAt(t, address(c.key, c.token), signed(c.key), c.status) })
	}
	t.Run("a grant that was revoked", func(t *testing.T) {
		a.Must(a.Tokens.RevokePrincipal(t.Context(), rooms.Anna.Key()))
		a.refusedAt(t, a.editor.Callback(), signed(a.editor.Key), http.StatusUnauthorized)
	})
}

// refusedAt is refused where there are two files.
func (a *attack) refusedAt(t *testing.T, address string, c docserver.Callback, status int) {
	t.Helper()
	told, err := a.DS.Send(address, c)
	if err != nil || told.HTTP != status || told.Answer != 1 {
		t.Errorf("answered %+v, %v; want %d", told, err, status)
	}
	if a.read(doc) != "one" || a.read("/Other.docx") != "other" || len(a.names()) != 2 {
		t.Errorf("it did something: %v", a.names())
	}
}

func downloadToken(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("t")
}

func TestOnlyTheDocumentServerIsFetched(t *testing.T) {
	a := newAttack(t, nil)
	var asked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, "secret of somebody else")
	}))
	t.Cleanup(evil.Close)
	at, err := url.Parse(a.DS.URL)
	a.Must(err)
	port := at.Port()
	for name, address := range map[string]string{
		"another port":           evil.URL + "/cache/files/x",
		"loopback by name":       "http://localhost:" + port + "/cache/files/x",
		"loopback by IPv6":       "http://[::1]:" + port + "/cache/files/x",
		"loopback in one number": "http://2130706433:" + port + "/cache/files/x",
		"loopback without zeros": "http://127.1:" + port + "/cache/files/x",
		"link-local":             "http://169.254.169.254/latest/meta-data/",
		"a name in front":        "http://" + at.Host + "@" + evil.Listener.Addr().String() + "/x",
		"a name as a subdomain":  "http://" + at.Hostname() + ".evil.example:" + port + "/x",
		"https on the same port": "https://" + at.Host + "/cache/files/x",
		"a file":                 "file:///etc/passwd",
		"a file of the host":     "file://" + at.Host + "/etc/passwd",
		"gopher":                 "gopher://" + at.Host + "/x",
		"no scheme":              "//" + at.Host + "/x",
		"a path":                 "/cache/files/x",
		"the default port":       "http://" + at.Hostname() + "/x",
		"a backslash":            `http://` + at.Host + `\@` + evil.Listener.Addr().String() + "/x",
		"a control character":    "http://" + at.Host + "/x\r\nHost: evil",
		"opaque":                 "http:" + at.Host + "/x",
	} {
		t.Run(name, func(t *testing.T) {
			said := a.with("url", address)
			a.refused(t, a.editor.Callback(), docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said}, http.StatusForbidden)
		})
	}
	if asked.Load() != 0 {
		t.Errorf("another server was asked %d times", asked.Load())
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var asked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(evil.Close)
	a := newAttack(t, nil)
	for name, to := range map[string]string{"elsewhere": evil.URL + "/x", "to itself": a.said["url"].(string)} {
		t.Run(name, func(t *testing.T) {
			said := a.with("url", a.DS.Redirect(to))
			told, err := a.DS.Send(a.editor.Callback(), docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said})
			if err != nil || told.Answer != 1 || told.HTTP != http.StatusServiceUnavailable {
				t.Errorf("%+v, %v", told, err)
			}
			if a.read(doc) != "one" || len(a.names()) != 1 {
				t.Errorf("it did something: %v", a.names())
			}
		})
	}
	if asked.Load() != 0 {
		t.Error("the other server was asked")
	}
}

func TestResultsThatAreNotWhole(t *testing.T) {
	a := newAttack(t, nil)
	a.Saves.MaxBytes = 1 << 20
	broken := func() (io.ReadCloser, int64) {
		return io.NopCloser(io.MultiReader(strings.NewReader("half"), errReader{})), 100
	}
	for name, address := range map[string]string{
		"broken off":   a.DS.Stream("docx", broken),
		"not there":    a.DS.URL + "/cache/files/data/none",
		"far too long": a.DS.Stream("docx", func() (io.ReadCloser, int64) { return io.NopCloser(strings.NewReader("x")), 5 << 30 }),
		"endless": a.DS.Stream("docx", func() (io.ReadCloser, int64) {
			return io.NopCloser(io.LimitReader(zeros{}, a.Saves.MaxBytes+1)), -1
		}),
	} {
		t.Run(name, func(t *testing.T) {
			said := a.with("url", address)
			a.bad(a.DS.Send(a.editor.Callback(), docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said}))
			if a.read(doc) != "one" || len(a.names()) != 1 {
				t.Errorf("something of it came: %v", a.names())
			}
			if list, err := a.Saves.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("the journal keeps half a document: %v, %v", list, err)
			}
		})
	}
}

func TestAResultThatStopsComing(t *testing.T) {
	a := newAttack(t, nil)
	a.Docs.Servers[a.DS.URL].Idle = 100 * time.Millisecond
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	said := a.with("url", a.DS.Stream("docx", func() (io.ReadCloser, int64) {
		return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("half", 16<<10)), waiting(over))), 1 << 20
	}))
	told, err := a.DS.Send(a.editor.Callback(), docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said})
	a.bad(told, err)
	if told.HTTP != http.StatusServiceUnavailable || a.read(doc) != "one" {
		t.Errorf("%+v, %q", told, a.read(doc))
	}
}

// waiting gives nothing until the test is over.
type waiting chan struct{}

func (w waiting) Read([]byte) (int, error) { <-w; return 0, io.EOF }

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDownloadsWantATokenForTheirAddress(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "0123456789")
	address := r.page(doc, rooms.Anna, true).Config.Document.URL
	get := func(address, token, ranges string) (int, string, http.Header) {
		req, err := http.NewRequest(http.MethodGet, address, nil)
		r.Must(err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if ranges != "" {
			req.Header.Set("Range", ranges)
		}
		res, err := http.DefaultClient.Do(req)
		r.Must(err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		r.Must(err)
		return res.StatusCode, string(text), res.Header
	}
	signed := func(secret, of string, d time.Duration) string {
		return docserver.SignFor(secret, map[string]any{"payload": map[string]any{"url": of}}, d)
	}
	good := signed(docserver.Secret, address, time.Minute)
	for name, c := range map[string]struct{ address, token string }{
		"no token":                  {address, ""},
		"another secret":            {address, signed("another-secret-0123456789abcdefgh", address, time.Minute)},
		"expired":                   {address, signed(docserver.Secret, address, -2*time.Minute)},
		"for another address":       {address, signed(docserver.Secret, address+"x", time.Minute)},
		"for the address without t": {address, signed(docserver.Secret, strings.Split(address, "?")[0], time.Minute)},
		"a callback's token":        {address, docserver.SignFor(docserver.Secret, map[string]any{"key": "x", "status": 2}, time.Minute)},
	} {
		if status, text, _ := get(c.address, c.token, ""); status == http.StatusOK || strings.Contains(text, "0123") {
			t.Errorf("%s: %d %q", name, status, text)
		}
	}
	status, text, h := get(address, good, "")
	if status != http.StatusOK || text != "0123456789" || h.Get("Content-Length") != "10" {
		t.Errorf("%d %q %v", status, text, h)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("bytes that users wrote are sent with %v", h)
	}
	for ranges, want := range map[string]struct {
		status int
		text   string
	}{
		"bytes=2-4": {206, "234"}, "bytes=7-": {206, "789"}, "bytes=-3": {206, "789"}, "bytes=8-99": {206, "89"}, "bytes=10-": {416, ""}, "bytes=-0": {416, ""},
		"bytes=1-2,4-5": {200, "0123456789"}, "bytes=4-2": {200, "0123456789"}, "lines=1-2": {200, "0123456789"}, "bytes=x-": {200, "0123456789"},
	} {
		if status, text, h := get(address, good, ranges); status != want.status || text != want.text {
			t.Errorf("%s: %d %q %v", ranges, status, text, h)
		}
	}
	for name, of := range map[string]string{"another key": strings.Replace(address, "/download/", "/download/x", 1), "without t": strings.Split(address, "?")[0]} {
		if status, text, _ := get(of, signed(docserver.Secret, of, time.Minute), ""); status == http.StatusOK || strings.Contains(text, "0123") {
			t.Errorf("%s: %d %q", name, status, text)
		}
	}
	r.Must(r.Tokens.RevokePrincipal(t.Context(), rooms.Anna.Key()))
	if status, _, _ := get(address, good, ""); status != http.StatusUnauthorized {
		t.Errorf("with a grant that was revoked: %d", status)
	}
}

func TestBytesAreThoseBehindTheKey(t *testing.T) {
	r := newRig(t, nil)
	r.write(doc, "one")
	before := r.page(doc, rooms.Anna, true)
	if got, err := r.DS.Download(before.Config.Document.URL); err != nil || got != "one" {
		t.Fatalf("%q, %v", got, err)
	}
	r.write(doc, "changed outside")
	if got, err := r.DS.Download(before.Config.Document.URL); err == nil {
		t.Errorf("a key that stands for older contents gave %q", got)
	}
	after := r.page(doc, rooms.Ben, true)
	if after.Key == before.Key {
		t.Fatal("other contents have the same key")
	}
	if got, err := r.DS.Download(after.Config.Document.URL); err != nil || got != "changed outside" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAReaderSavesNothing(t *testing.T) {
	r := newRig(t, nil)
	file := r.write(doc, "one")
	g := r.grant(file, rooms.Ben, access.View)
	token := r.Tokens.DeriveDocs(g, access.DocsCallback, r.page(doc, rooms.Anna, true).Key)
	key := r.page(doc, rooms.Anna, true).Key
	for _, status := range []int{1, 2, 3, 6} {
		said := map[string]any{"key": key, "status": status, "users": []string{"x"}, "url": r.DS.Result([]byte("forged"), "docx")}
		r.bad(r.DS.Send(r.Base+"/docsapi/callback/"+key+"?t="+token, docserver.Callback{Header: docserver.SignFor(docserver.Secret, map[string]any{"payload": said}, time.Minute), Body: said}))
	}
	if r.read(doc) != "one" || len(r.names()) != 1 || r.locked(file) != "" {
		t.Errorf("%q, %v, lock %q", r.read(doc), r.names(), r.locked(file))
	}
}
