package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/wopi"
	"davwopi/test/office"
)

// The offices, by the extension of their documents.
var extensions = []string{".odt", ".docx", ".xlsx", ".txt"}

// A desk is what all people work at.
type desk struct {
	setting  setting
	book     *book
	editors  map[string]*office.Editor // by extension; none for the text editor
	locks    string                    // folder of the documents' flocks
	autosave time.Duration             // between two saves of a document, on average
	waited   map[string]bool           // saves that were seen waiting; watch's alone while that runs

	mu      sync.Mutex
	answers map[string]int // guarded by mu: what was answered how often
}

// newDesk starts the ledger and the editors, which the plan then names. All people together
// save so often a second.
func newDesk(t *testing.T, p *plan, often int) *desk {
	t.Helper()
	d := &desk{
		locks: filepath.Join(p.Dir, "locks"), editors: map[string]*office.Editor{}, answers: map[string]int{},
		autosave: time.Duration(p.Files) * time.Second / time.Duration(often), waited: map[string]bool{},
	}
	if err := os.Mkdir(d.locks, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, kind := range []wopi.Office{wopi.Collabora, wopi.OnlyOffice, wopi.Microsoft} {
		e := office.NewEditor(t, kind, true, extensions[i][1:])
		d.editors[extensions[i]] = e
		p.Editors = append(p.Editors, e.URL)
	}
	startLedger(t, p.Ledger)
	d.book = openBook(p.Ledger)
	return d
}

// count notes an answer, and what the person has been through.
func (p *person) count(what string, a office.Answer, err error) {
	p.history = append(p.history, fmt.Sprintf("%s %s of %v: %s %v", time.Now().Format("15:04:05.000"), what, p.from, a, err))
	p.desk.count(what, a, err)
}

func (d *desk) count(what string, a office.Answer, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.answers[what+" without an answer"]++
		return
	}
	d.answers[fmt.Sprintf("%s %d", what, a.Status)]++
}

// A person edits one document for ever, session after session.
type person struct {
	*desk
	number   int
	upstream string
	path     string // where the document was in the beginning
	rand     *rand.Rand

	client  *office.Client
	session *office.Session
	lock    string   // with which it is locked, or will be
	from    []string // the versions that the next one is made from
	made    int      // versions
	renames int
	ended   int      // IDs of the document that were given up
	history []string // every answer, for whoever must find out what went wrong
}

func (p *person) String() string { return fmt.Sprintf("%s%s", p.upstream, p.path) }

// live edits until calm is closed, then saves once more and goes. Whatever happens,
// the last save must come through in the end: false if it does not.
func (p *person) live(ctx context.Context, calm <-chan struct{}) error {
	for !closed(calm) {
		p.edit(ctx, calm)
	}
	for ctx.Err() == nil {
		if p.session == nil && !p.open(ctx) || !p.save(ctx, true) {
			p.pause(ctx, calm, time.Second)
			continue
		}
		if p.leave(ctx) {
			return nil
		}
	}
	return fmt.Errorf("%s: no save comes through any more", p)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (p *person) pause(ctx context.Context, calm <-chan struct{}, mean time.Duration) {
	t := time.NewTimer(within(p.rand, 2*mean))
	defer t.Stop()
	select {
	case <-t.C:
	case <-calm: // the last save is tried again soon
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
}

// edit is one session, from opening to closing.
func (p *person) edit(ctx context.Context, calm <-chan struct{}) {
	if p.session == nil && !p.open(ctx) {
		p.pause(ctx, calm, p.autosave/4)
		return
	}
	for n := 2 + p.rand.IntN(8); n > 0 && !closed(calm) && p.session != nil; n-- {
		p.pause(ctx, calm, p.autosave)
		switch k := p.rand.IntN(20); {
		case k == 0:
			p.rename(ctx)
		case k == 1:
			a, err := p.session.Refresh(ctx)
			p.count("refresh", a, err)
		default:
			p.save(ctx, false)
		}
	}
	if p.session != nil && !closed(calm) && p.rand.IntN(2) == 0 {
		p.save(ctx, true)
		p.leave(ctx)
	}
}

// open begins a session. The lock ID stays the same until Unlock was answered: the
// office remembers what it holds, even if it was not told so.
func (p *person) open(ctx context.Context) bool {
	if p.client == nil && !p.find(ctx) {
		return false
	}
	if p.lock == "" {
		p.made++
		p.lock = fmt.Sprintf("lock of %d, %d", p.number, p.made)
		if p.client.Office == wopi.OnlyOffice {
			p.lock = fmt.Sprintf("lock of %d", p.number)
		}
	}
	p.client.LockID = p.lock
	release, err := hold(p.locks, p.number, syscall.LOCK_SH)
	if err != nil {
		return false
	}
	s, err := p.client.Open(ctx)
	release()
	if err != nil {
		p.count("open", office.Answer{}, err)
		switch {
		case strings.Contains(err.Error(), ": 401"):
			p.count("open", office.Answer{Status: http.StatusUnauthorized}, nil)
		case strings.Contains(err.Error(), ": 404"):
			p.gone()
		}
		return false
	}
	p.count("open", office.Answer{Status: http.StatusOK}, nil)
	if s.ReadOnly {
		p.count("open read-only", office.Answer{}, nil)
		return false
	}
	id, whole := versionOf(s.Contents)
	if !whole {
		_ = p.book.write(ctx, note{What: noteTorn, Version: id, Who: p.String()})
		return false
	}
	p.session, p.from = s, []string{id}
	return true
}

// gone is what a person does whose document is not found under its ID any more: look
// into the folder, where it lies.
func (p *person) gone() {
	p.ended++
	p.session, p.lock, p.client = nil, "", nil
	if there := documentIn(p.setting.Folders[p.upstream], p.number); there != "" {
		p.path = "/" + path.Base(there)
	}
}

// find asks the daemon for an editing link, as a page would.
func (p *person) find(ctx context.Context) bool {
	ext := path.Ext(p.path)
	var o struct {
		WOPISrc     string `json:"wopi_src"`
		AccessToken string `json:"access_token"`
	}
	in := map[string]string{"Path": p.path, "Upstream": p.upstream, "Mode": "edit"}
	if err := bridge.Ask(ctx, p.setting.socket(), "open", in, &o); err != nil {
		return false
	}
	p.client = &office.Client{WOPISrc: o.WOPISrc, AccessToken: o.AccessToken, HTTP: offices}
	if e := p.editors[ext]; e != nil {
		p.client = e.Client(o.WOPISrc, o.AccessToken)
		p.client.HTTP = offices
	}
	return true
}

// offices is the connection of all of them. Nobody waits for ever.
var offices = &http.Client{Timeout: 100 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// save sends a new version, made from the one before it. True if it was acknowledged.
func (p *person) save(ctx context.Context, exit bool) bool {
	text := p.write(ctx)
	if text == nil {
		return false
	}
	a, err := p.put(ctx, text, func() (office.Answer, error) { return p.session.Save(ctx, text, exit) })
	if err == nil && a.Status == http.StatusConflict {
		return p.conflict(ctx, a)
	}
	if err == nil && a.Status == http.StatusNotFound {
		p.gone()
	}
	return err == nil && a.Status == http.StatusOK
}

// write makes a version and says so to the ledger; nil if that is not possible.
func (p *person) write(ctx context.Context) []byte {
	p.made++
	id := fmt.Sprintf("%s/d%04d%s/%d", p.upstream, p.number, path.Ext(p.path), p.made)
	if p.book.write(ctx, note{What: noteSent, Version: id, From: p.from}) != nil {
		return nil
	}
	p.from = []string{id}
	return contents(id, 500+p.rand.IntN(20_000))
}

// put sends a version while nobody else writes the file behind the bridge.
func (p *person) put(ctx context.Context, text []byte, send func() (office.Answer, error)) (office.Answer, error) {
	release, err := hold(p.locks, p.number, syscall.LOCK_SH)
	if err != nil {
		return office.Answer{}, err
	}
	a, err := send()
	release()
	p.count("save", a, err)
	if err == nil && a.Status == http.StatusOK {
		if err := p.book.write(ctx, note{What: noteAcked, Version: p.from[0]}); err != nil {
			return a, err
		}
	}
	return a, err
}

// conflict is what people do who are told that the document was changed elsewhere:
// some overwrite, others take the version that is there.
func (p *person) conflict(ctx context.Context, a office.Answer) bool {
	if p.client.Office == wopi.Collabora && strings.Contains(string(a.Body), "1010") && p.rand.IntN(2) == 0 {
		text := p.write(ctx)
		if text == nil {
			return false
		}
		a, err := p.put(ctx, text, func() (office.Answer, error) { return p.session.Overwrite(ctx, text) })
		return err == nil && a.Status == http.StatusOK
	}
	p.leave(ctx)
	return false
}

// leave ends the session; false if the lock may still be held.
func (p *person) leave(ctx context.Context) bool {
	if p.session == nil {
		return true
	}
	a, err := p.session.Close(ctx)
	p.count("unlock", a, err)
	if err != nil || a.Status != http.StatusOK && a.Status != http.StatusConflict && a.Status != http.StatusNotFound {
		return false
	}
	p.session, p.lock = nil, ""
	return true
}

// rename gives the document another name, as the office's own dialog does.
func (p *person) rename(ctx context.Context) {
	release, err := hold(p.locks, p.number, syscall.LOCK_SH)
	if err != nil {
		return
	}
	defer release()
	p.renames++
	a, err := p.client.RenameFile(ctx, p.lock, fmt.Sprintf("d%04d-r%d", p.number, p.renames), nil)
	p.count("rename", a, err)
}

// hold takes the flock of a document, which the saboteur's process respects too.
func hold(folder string, number, how int) (release func(), err error) {
	fd, err := syscall.Open(filepath.Join(folder, fmt.Sprint(number)), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(fd, how); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return func() { syscall.Close(fd) }, nil
}

// figures are the answers, sorted.
func (d *desk) figures() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for what, n := range d.answers {
		list = append(list, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
