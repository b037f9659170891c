package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"davwopi/bridge"
)

// A note is a line of the ledger.
type note struct {
	What    string   // one of the constants below
	Version string   `json:",omitempty"`
	From    []string `json:",omitempty"` // the versions that it was made from
	Who     string   `json:",omitempty"`
}

const (
	noteSent    = "sent"         // a PutFile is about to be sent
	noteAcked   = "acknowledged" // and was answered with 200
	noteOutside = "outside"      // another program has written it into the folder
	noteTorn    = "torn"         // somebody was given a document that is not whole
)

// A ledger is a process of its own. It keeps its lines in a file, durable before it
// says that it has them, and judges in the end.
type ledger struct {
	mu    sync.Mutex
	file  *os.File
	notes []note        // guarded by mu
	turn  chan struct{} // held by who fsyncs
	done  int           // guarded by mu: so many notes are durable
}

// runLedger is the process: it serves socket until its standard input ends.
func runLedger(socket, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	l := &ledger{file: f, turn: make(chan struct{}, 1)}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /note", l.serveNote)
	mux.HandleFunc("POST /judge", l.serveJudge)
	server := &http.Server{Handler: mux}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (l *ledger) serveNote(w http.ResponseWriter, r *http.Request) {
	var n note
	err := json.NewDecoder(r.Body).Decode(&n)
	if err == nil {
		err = l.add(n)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// add writes a line and returns when it is durable. Those who come meanwhile share
// the next fsync.
func (l *ledger) add(n note) error {
	line, err := json.Marshal(n)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.notes = append(l.notes, n)
	mine := len(l.notes)
	_, err = l.file.Write(append(line, '\n'))
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.mu.Lock()
	written, durable := len(l.notes), l.done >= mine
	l.mu.Unlock()
	if durable {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.mu.Lock()
	l.done = written
	l.mu.Unlock()
	return nil
}

// A ruling is what the ledger found.
type ruling struct {
	Sent, Acknowledged, Outside int
	Files, Copies, Journal      int            // where versions were found
	Lost                        []string       // acknowledged, and nothing has them
	Overwritten                 []string       // written by another program, and nothing has them
	Damaged                     []string       // files that are not whole, and who was given such a one
	Litter                      []string       // files of ours that nobody will remove
	Doubles                     []string       // documents that are there twice
	Unsettled                   []string       // saves that are in the journal only, and still on their way
	States                      map[string]int // of the journal
}

// bad are the counts that must be zero.
func (r ruling) bad() int {
	return len(r.Lost) + len(r.Overwritten) + len(r.Damaged) + len(r.Litter) + len(r.Doubles) + len(r.Unsettled)
}

func (r ruling) String() string {
	return fmt.Sprintf("%d saves sent, %d acknowledged, %d edits by others; found in %d documents, %d other files, %d journal entries: "+
		"%d acknowledged saves lost %v, %d silent overwrites %v, %d damaged files %v, %d files left over %v, %d documents twice %v, %d saves on their way for ever %v",
		r.Sent, r.Acknowledged, r.Outside, r.Files, r.Copies, r.Journal,
		len(r.Lost), r.Lost, len(r.Overwritten), r.Overwritten, len(r.Damaged), r.Damaged, len(r.Litter), r.Litter, len(r.Doubles), r.Doubles, len(r.Unsettled), r.Unsettled)
}

// A question is where to look.
type question struct {
	Folders []string // of the upstreams
	Socket  string   // of the daemon's commands; "" looks into no journal
}

func (l *ledger) serveJudge(w http.ResponseWriter, r *http.Request) {
	var q question
	var answer ruling
	err := json.NewDecoder(r.Body).Decode(&q)
	if err == nil {
		answer, err = l.judge(r.Context(), q)
	}
	if err == nil {
		err = json.NewEncoder(w).Encode(answer)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// judge compares what was promised with what is there.
func (l *ledger) judge(ctx context.Context, q question) (ruling, error) {
	l.mu.Lock()
	notes := slices.Clone(l.notes)
	l.mu.Unlock()
	var r ruling
	there := map[string]bool{}
	for _, folder := range q.Folders {
		if err := r.search(folder, there); err != nil {
			return r, err
		}
	}
	if q.Socket != "" {
		if err := r.journal(ctx, q.Socket, there, saveLine.keeps); err != nil {
			return r, err
		}
	}
	from := map[string][]string{}
	for _, n := range notes {
		from[n.Version] = append(from[n.Version], n.From...)
	}
	kept := keptBy(there, from)
	for _, n := range notes {
		switch n.What {
		case noteSent:
			r.Sent++
		case noteAcked:
			r.Acknowledged++
			if !kept[n.Version] {
				r.Lost = append(r.Lost, n.Version)
			}
		case noteOutside:
			r.Outside++
			if !kept[n.Version] {
				r.Overwritten = append(r.Overwritten, n.Version)
			}
		case noteTorn:
			r.Damaged = append(r.Damaged, "what "+n.Who+" was given")
		}
	}
	return r, nil
}

// keptBy are the versions that are there, and all that those were made from.
func keptBy(there map[string]bool, from map[string][]string) map[string]bool {
	kept := map[string]bool{}
	var next []string
	for v := range there {
		next = append(next, v)
	}
	for len(next) > 0 {
		v := next[len(next)-1]
		next = next[:len(next)-1]
		if kept[v] {
			continue
		}
		kept[v] = true
		next = append(next, from[v]...)
	}
	return kept
}

// search reads the folder of an upstream.
func (r *ruling) search(folder string, there map[string]bool) error {
	seen := map[string]string{}
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err != nil || d.IsDir() && path == folder {
			return err
		}
		switch {
		case strings.HasPrefix(name, ".davfs.tmp"): // Apache's own, of a PUT that it died in
			return nil
		case strings.HasPrefix(name, ".DAV"):
			return fs.SkipDir // its properties
		case strings.HasPrefix(name, ".davwopi-probe-"), strings.HasPrefix(name, ".~lock"), strings.HasPrefix(name, ".davwopi"):
			r.Litter = append(r.Litter, name)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		id, whole := versionOf(text)
		switch {
		case !whole:
			r.Damaged = append(r.Damaged, fmt.Sprintf("%s (%d bytes, %q)", name, len(text), id))
		case strings.Contains(name, "("):
			r.Copies++
			there[id] = true
		default:
			r.Files++
			there[id] = true
			number, _, _ := strings.Cut(strings.TrimSuffix(name, filepath.Ext(name)), "-")
			if other, twice := seen[number]; twice {
				r.Doubles = append(r.Doubles, fmt.Sprintf("%s and %s, which is %s", other, name, id))
			}
			seen[number] = name + ", which is " + id
		}
		return nil
	})
}

// A saveLine is what `davwopi saves list` is made of.
type saveLine struct {
	ID, State, Name, Reason string
}

// onItsWay reports whether the journal has not done with a save.
func (e saveLine) onItsWay() bool {
	switch e.State {
	case "spooled", "delivering", "waiting", "aside":
		return true
	}
	return false
}

// keeps reports whether a version is kept by being in the journal so: somebody is told of
// it, or it is still on its way. What is to be undone is not: nobody looks there who was
// not told that there is something to look for. And what was seen on the upstream is there
// for some seconds only.
func (e saveLine) keeps() bool { return e.State != "preimage" && e.State != "verified" }

// keepsNow is keeps for a moment at which nothing was looked at again yet.
func (e saveLine) keepsNow() bool { return e.State != "preimage" }

// journal asks the daemon for the bytes that it keeps in entries of which keeps is true.
func (r *ruling) journal(ctx context.Context, socket string, there map[string]bool, keeps func(saveLine) bool) error {
	var list []saveLine
	if err := bridge.Ask(ctx, socket, "saves", struct{}{}, &list); err != nil {
		return err
	}
	r.States = map[string]int{}
	for _, e := range list {
		r.States[e.State+" "+e.Reason]++
		if e.onItsWay() {
			r.Unsettled = append(r.Unsettled, e.State+" "+e.Name)
		}
		if !keeps(e) {
			continue
		}
		var text bytes.Buffer
		if err := bridge.Ask(ctx, socket, "show-save", map[string]string{"ID": e.ID}, &text); err != nil {
			continue // let go of meanwhile
		}
		if id, whole := versionOf(text.Bytes()); whole {
			r.Journal++
			there[id] = true
		}
	}
	return nil
}

// A book is the ledger as the other processes have it.
type book struct{ http *http.Client }

func openBook(socket string) *book {
	return &book{&http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// write returns when the ledger has the note for good.
func (b *book) write(ctx context.Context, n note) error {
	return b.ask(ctx, "note", n, nil)
}

// judge asks for the ruling.
func (b *book) judge(ctx context.Context, q question) (r ruling, err error) {
	return r, b.ask(ctx, "judge", q, &r)
}

func (b *book) ask(ctx context.Context, what string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://ledger/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := b.http.Do(request)
	if err != nil {
		return fmt.Errorf("the ledger: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("the ledger: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the ledger: %s", text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
