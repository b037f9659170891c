package bench

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"path/filepath"
	"sync"
	"testing"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/test/daemon"
	"davwopi/test/office"
)

// A content is what a document holds, without being in memory: random bytes, the same
// ones again and again, of which the first eight are a serial number.
type content struct {
	serial uint64
	size   int64
}

// random is an odd number of bytes, so that what is put at a wrong place is seen.
var random = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<20+7)
	chance := rand.NewChaCha8([32]byte{})
	_, _ = chance.Read(b) // never fails
	return b
})

func (c content) reader() io.Reader { return io.NewSectionReader(c, 0, c.size) }

// ReadAt gives the bytes from at on; those after the document's end, too.
func (c content) ReadAt(p []byte, at int64) (int, error) {
	all := random()
	for n := 0; n < len(p); {
		n += copy(p[n:], all[(at+int64(n))%int64(len(all)):])
	}
	var serial [8]byte
	binary.BigEndian.PutUint64(serial[:], c.serial)
	if at < int64(len(serial)) {
		copy(p, serial[at:])
	}
	return len(p), nil
}

// A desk is one person with one document, and files beside it for bare requests.
type desk struct {
	st     *stand
	office *office.Client
	folder *office.Client // the container
	name   string
	bare   string  // what bare requests read and write
	locked string  // what they lock
	saved  content // what the document holds now
	put    content // what bare holds
	token  string  // of the lock on locked
	http   *http.Client
}

// openings counts desks, so that each has documents of its own.
var openings int

// desks are n people, each with a document of size bytes, or all with the same one.
func (st *stand) desks(t testing.TB, n int, size int64, one bool) []*desk {
	t.Helper()
	openings++
	folder := fmt.Sprintf("bench-%d", openings)
	t.Cleanup(func() { st.remove(t, folder) })
	all := make([]*desk, n)
	for i := range all {
		file := i
		if one {
			file = 0
		}
		c := content{serial: uint64(file), size: size}
		all[i] = &desk{
			st: st, http: &http.Client{Transport: &http.Transport{WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}}, saved: c, put: c,
			name: fmt.Sprintf("%s/document-%d.bin", folder, file), bare: fmt.Sprintf("%s/bare-%d.bin", folder, file), locked: fmt.Sprintf("%s/locked-%d.bin", folder, file),
		}
		if i == file {
			st.write(t, all[i].name, c)
			st.write(t, all[i].bare, c)
			st.write(t, all[i].locked, content{size: 1})
		}
		all[i].open(t)
	}
	return all
}

func (p *desk) open(t testing.TB) {
	t.Helper()
	var o daemon.Opened
	in := map[string]string{"Path": "/" + p.name, "Mode": "edit", "Editor": "none"}
	if err := bridge.Ask(t.Context(), filepath.Join(p.st.d.State, "admin.sock"), "open", in, &o); err != nil {
		t.Fatal(err)
	}
	p.office = &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken, HTTP: p.http}
	a, err := p.office.EnumerateAncestors(t.Context())
	var above wopi.Ancestors
	if err == nil {
		err = json.Unmarshal(a.Body, &above)
	}
	if err != nil || len(above.AncestorsWithRootFirst) == 0 {
		t.Fatalf("%v, %v", a, err)
	}
	last := above.AncestorsWithRootFirst[len(above.AncestorsWithRootFirst)-1]
	if p.folder, err = p.office.At(last.Url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.http.CloseIdleConnections)
}

// buffers are what answers are read into.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// swallow reads an answer to its end and returns how long it was.
func swallow(r *http.Response) (int64, error) {
	defer r.Body.Close()
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, *b)
}

// dav sends one request to the server itself.
func (p *desk) dav(ctx context.Context, method, name string, body io.Reader, size int64, header ...string) (http.Header, int64, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.st.dav.JoinPath(name).String(), body)
	if err != nil {
		return nil, 0, err
	}
	r.ContentLength = size
	if p.st.user != "" {
		r.SetBasicAuth(p.st.user, p.st.password)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]}
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, 0, err
	}
	n, err := swallow(answer)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s", method, path.Base(name), answer.Status)
	}
	return answer.Header, n, err
}

// wopi sends one request to the daemon, as [office.Client.Send] does, and wants a 200.
func (p *desk) wopi(ctx context.Context, method, suffix, override string, body io.Reader, size int64) (int64, error) {
	var header map[string]string
	if method == http.MethodPost {
		header = map[string]string{wopi.HeaderLock: lockID}
	}
	answer, err := p.office.Send(ctx, method, suffix, override, header, body, size)
	if err != nil {
		return 0, err
	}
	n, err := swallow(answer)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %s", method, override, answer.Status, answer.Header.Get(wopi.HeaderLockFailureReason))
	}
	return n, err
}
