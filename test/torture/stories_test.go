package torture

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/office"
	"davwopi/test/upstream"
)

func stories() []story {
	return []story{
		{what: "the server says yes and keeps a piece", without: []string{"verify"}, play: lyingServer},
		{what: "others write the document while it is open", without: []string{"base", "copy", "outside"}, play: othersWrite},
		{what: "others write between the look and the write", without: []string{"condition"}, play: othersHurry},
		{what: "three saves at once", without: []string{"lease", "order"}, setting: idler, play: threeAtOnce},
		{what: "the daemon dies while a save waits", without: []string{"replay"}, play: deadWhileWaiting},
		{what: "everybody leaves", without: []string{"release"}, play: everybodyLeaves},
		{what: "the daemon dies while it locks", without: []string{"intents"}, play: deadWhileLocking},
		{what: "the daemon dies while it locks, and looks after nothing", without: []string{"keeper"}, play: deadWhileLocking, long: true},
		{what: "the server forgets what it has said yes to", without: []string{"second look"}, play: forgetfulServer},
		{what: "the state is on a tmpfs", without: []string{"room"}, setting: onTmpfs, play: tmpfsEmptied},
		{what: "an editor hangs up in the middle of a save", without: []string{"length"}, play: hangUp},
		{what: "a stranger saves", without: []string{"rule"}, play: stranger},
		{what: "a program that respects locks", without: []string{"shadow"}, setting: blind, play: respectful},
		{what: "a request of the dead arrives late", without: []string{"take-over"}, setting: blind, play: lateRequest},
	}
}

// lyingServer stores the first bytes of a save and answers as if all were there.
func lyingServer(g *stage) {
	p := g.person(".odt")
	g.server.Quirks.Fail(upstream.Fault{Method: "PUT", Truncate: true, After: 100, Times: 1})
	g.save(p)
}

func othersWrite(g *stage) {
	p, o := g.person(".odt"), g.person(".docx")
	g.outside(p)
	if g.save(p) == http.StatusConflict {
		g.send(p, func(text []byte) (office.Answer, error) { return p.session.Overwrite(g.t.Context(), text) })
	}
	g.outside(o)
	g.save(o)
	g.save(o)
}

// beforeWrite calls f once, right before a document is written.
func (g *stage) beforeWrite(p *person, f func()) {
	var once sync.Once
	for _, fault := range []upstream.Fault{{Method: "MOVE"}, {Method: "PUT", Name: p.path[1:]}} {
		fault.Before = func() { once.Do(f) }
		fault.Times = 1
		g.server.Quirks.Fail(fault)
	}
}

func othersHurry(g *stage) {
	p := g.person(".odt")
	g.save(p)
	g.beforeWrite(p, func() { g.outside(p) })
	g.save(p)
}

// threeAtOnce: an autosave takes its time, and two more saves come meanwhile.
func threeAtOnce(g *stage) {
	for range 10 { // who of two waits for less is a matter of luck
		p := g.person(".xlsx")
		slow, begun := make(chan struct{}), make(chan struct{})
		g.beforeWrite(p, func() { close(slow); <-begun })
		var all sync.WaitGroup
		for n := range 3 {
			id, text := g.version(p)
			var answered atomic.Bool
			all.Go(func() {
				defer answered.Store(true)
				a, err := p.client.PutFile(g.t.Context(), p.session.LockID, text, nil)
				if err == nil && a.Status == http.StatusOK {
					_ = g.book.write(context.Background(), note{What: noteAcked, Version: id}) // else the ledger is satisfied too easily
				}
			})
			if n == 0 {
				<-slow
			}
			until(10*time.Second, func() bool { return answered.Load() || len(g.of(p, saveLine.onItsWay)) > n })
		}
		close(begun)
		all.Wait()
		if there, _ := g.server.Read(g.t, p.path[1:]); there != string(contents(p.from[0], len(there))) {
			return // the last one is not there
		}
	}
}

// idler gives the server time for what the story holds up.
func idler(g *stage) { g.yaml = strings.Replace(g.yaml, "idle: 2s", "idle: 1m", 1) }

// of are those entries of a document.
func (g *stage) of(p *person, which func(saveLine) bool) (list []saveLine) {
	for _, e := range g.journal() {
		if e.Name == p.path[1:] && which(e) {
			list = append(list, e)
		}
	}
	return list
}

func deadWhileWaiting(g *stage) {
	p := g.person(".odt")
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	g.save(p)
	g.d.Kill()
	g.server.Quirks.Reset()
	g.d.Restart()
}

func everybodyLeaves(g *stage) { g.save(g.person(".odt")) }

// deadWhileLocking: LOCK is done, and nobody is told.
func deadWhileLocking(g *stage) {
	g.save(g.person(".odt")) // so that something was acknowledged
	p := g.closed(".xlsx")
	dead := make(chan struct{})
	g.server.Quirks.Fail(upstream.Fault{Method: "LOCK", Name: p.path[1:], Times: 1, Then: func() { g.d.Kill(); close(dead) }})
	p.open(g.t.Context())
	<-dead
	p.session = nil
	g.d.Restart()
}

// forgetfulServer has crashed itself, without what it did last.
func forgetfulServer(g *stage) {
	p := g.person(".odt")
	old, _ := g.server.Read(g.t, p.path[1:])
	g.save(p)
	g.server.Write(g.t, p.path[1:], old)
	until(20*time.Second, func() bool {
		return len(g.of(p, func(e saveLine) bool { return e.State == "verified" })) == 0
	})
}

func onTmpfs(g *stage) {
	dir, err := os.MkdirTemp("/dev/shm", "davwopi-test-")
	if err != nil {
		g.t.Skipf("needs /dev/shm: %v", err)
	}
	g.t.Cleanup(func() { os.RemoveAll(dir) })
	g.options.State = filepath.Join(dir, "state")
}

// tmpfsEmptied: the machine restarts while the server is away.
func tmpfsEmptied(g *stage) {
	p := g.person(".odt")
	g.save(p)
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable})
	g.save(p)
	g.d.Kill()
	if err := os.RemoveAll(g.d.State); err != nil {
		g.t.Fatal(err)
	}
	g.server.Quirks.Reset()
	g.server.DropLocks(g.t, dav.Path(p.path))
	p.session = nil
	g.d.Restart()
}

// half is a body that breaks off.
type half struct{ io.Reader }

func (h half) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func hangUp(g *stage) {
	p := g.person(".odt")
	g.save(p)
	before := p.from
	_, text := g.version(p)
	header := map[string]string{"X-WOPI-Lock": p.session.LockID}
	answer, err := p.client.Send(g.t.Context(), http.MethodPost, "/contents", "PUT", header, half{bytes.NewReader(text[:len(text)/2])}, int64(len(text)))
	if err == nil {
		answer.Body.Close()
		g.t.Errorf("half a save was answered with %s", answer.Status)
	}
	p.from = before
	until(2*time.Second, func() bool {
		there, _ := g.server.Read(g.t, p.path[1:])
		_, whole := versionOf([]byte(there))
		return !whole
	})
}

// stranger has a lock ID of its own, and the document as it was in the beginning.
func stranger(g *stage) {
	p := g.person(".xlsx")
	old := p.from
	g.save(p)
	p.from = old
	g.send(p, func(text []byte) (office.Answer, error) {
		return p.client.PutFile(g.t.Context(), "a stranger's", text, nil)
	})
}

// blind is a server that knows no conditions.
func blind(g *stage) {
	g.server.Quirks.Set(func(q *upstream.Quirks) { q.IgnoreConditions = true })
}

// respectful is a program that writes only with a DAV lock of its own.
func respectful(g *stage) {
	p := g.person(".odt")
	g.save(p)
	view := g.server.View(g.t)
	g.beforeWrite(p, func() {
		path := dav.Path(p.path)
		lock, _, err := view.Lock(g.t.Context(), path, davbackend.LockRequest{Owner: "somebody else", Timeout: time.Minute})
		if err != nil {
			return // locked, as it should be
		}
		g.outside(p)
		_ = view.Unlock(g.t.Context(), path, lock.Token) // else it is seen
	})
	g.save(p)
}

// lateRequest: a server, or a proxy before it, has taken a request of a daemon that is dead,
// and does it after the next one has saved.
func lateRequest(g *stage) {
	p := g.person(".odt")
	g.save(p)
	late, dead := make(chan *http.Request, 1), make(chan struct{})
	g.server.Quirks.Set(func(q *upstream.Quirks) {
		q.Answer = func(r *http.Request) http.Handler {
			if r.Method != "MOVE" && (r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, p.path)) {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				g.t.Error(err)
			}
			again := r.Clone(g.t.Context())
			again.Body, again.RequestURI = io.NopCloser(bytes.NewReader(body)), ""
			again.URL.Scheme, again.URL.Host = "http", r.Host
			select {
			case late <- again:
				g.d.Kill()
				close(dead)
			default: // it is dead
			}
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}
	})
	g.save(p)
	<-dead
	g.server.Quirks.Set(func(q *upstream.Quirks) { q.Answer = nil })
	g.server.Quirks.Fail(upstream.Fault{Status: http.StatusServiceUnavailable}) // nothing is settled at the start
	g.d.Restart()
	g.server.Quirks.Reset()
	blind(g)
	g.save(p)
	request := <-late
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	answer.Body.Close()
}
