package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
)

var (
	// ErrNoEditor is returned when no configured editor can do it.
	ErrNoEditor = errors.New("discovery: no editor for this kind of file")
	// ErrDown is returned when an editor that might could not be asked.
	ErrDown = errors.New("discovery: editor did not answer")
)

// TextEditor is the identity of the built-in editor, in the place of a URL.
const TextEditor = "davwopi:text"

// An Editor is one configured editor.
type Editor struct {
	URL      string        // as configured, the editor's identity everywhere ([TextEditor] for the built-in one)
	Name     string        // for people; derived from kind and host if empty
	Builtin  func() []byte // discovery XML made in process; nil: fetched from URL/hosting/discovery (or URL itself if it ends in .xml or /discovery)
	Unsigned bool          // operator's word: accept unsigned requests although keys were once seen
	API      string        // how it is spoken to: [APIAuto], [APIWOPI], [APIDocs]; "" auto
	Secret   bool          // the secret for the Docs API is known; without one that API is not spoken
}

// Editors knows what each editor can do. It starts nothing by itself and never
// fails because an editor is down. Its fields must not change after the first
// call; all methods may be called concurrently.
type Editors struct {
	List   []Editor
	HTTP   *http.Client      // nil: http.DefaultClient; every fetch is limited to 10 s
	Prefer map[string]string // extension (no dot, lower case) -> editor URL
	Now    func() time.Time  // nil: time.Now

	// Seen holds the URLs of editors that published keys before this start;
	// Remember, if not nil, is called once for each that is found to.
	Seen     map[string]bool
	Remember func(editorURL string)

	mu      sync.Mutex
	entries map[string]*entry // by editor URL; guarded by mu
}

// Status for pages and doctor: one row per editor, from the cache.
type Status struct {
	Editor  Editor
	Office  wopi.Office
	Fetched time.Time // of the last good document; zero: none yet
	Err     error     // of the last attempt, nil if it was good or there was none
	Signs   bool
	// Hits is how often the document was in memory when it was wanted, and Fetches how often the editor was asked for
	// it, since the start.
	Hits, Fetches uint64
}

// Builtin reports whether the editor with that URL runs in this process and in browsers,
// not on a server of its own.
func (e *Editors) Builtin(url string) bool {
	return slices.ContainsFunc(e.List, func(ed Editor) bool { return ed.URL == url && ed.Builtin != nil })
}

// Action picks how to open a file: the first editor that can, a preferred one
// before all others, and only the named one (its URL or its name) if editor is
// not "". Size 0 turns edit into editnew where that is offered. If nobody can
// edit, it is convert, then view: look at Mode. Asked to view, an editor that
// lists only edit serves: whether it is read-only lies in the grant.
//
// It waits for editors that were never reached, at most 10 s, and asks those that
// failed a moment ago only later again. It returns [ErrNoEditor], or [ErrDown]
// when an editor that might could not be asked.
func (e *Editors) Action(ctx context.Context, ext string, mode Mode, size int64, editor string) (Action, error) {
	ext = strings.ToLower(strings.TrimPrefix(ext, "."))
	editors, err := e.candidates(ext, editor)
	if err != nil {
		return Action{}, err
	}
	docs, down := e.documents(ctx, editors)
	for _, tier := range tiers(mode, size) {
		for i, doc := range docs {
			if doc == nil {
				continue
			}
			if a, found, ok := doc.first(ext, tier); ok {
				return a.action(editors[i], doc.office, found, mode, ext), nil
			}
		}
	}
	if down != nil {
		return Action{}, down
	}
	return Action{}, fmt.Errorf("%w: %q", ErrNoEditor, ext)
}

// candidates returns the editors to try, in order.
func (e *Editors) candidates(ext, editor string) ([]Editor, error) {
	if editor == "" {
		list := slices.Clone(e.List)
		if i := slices.IndexFunc(list, func(d Editor) bool { return d.URL == e.Prefer[ext] }); i > 0 {
			preferred := list[i]
			list = slices.Insert(slices.Delete(list, i, i+1), 0, preferred)
		}
		return list, nil
	}
	for _, d := range e.List {
		if d.URL == editor || strings.EqualFold(e.named(d).Name, editor) {
			return []Editor{d}, nil
		}
	}
	return nil, fmt.Errorf("%w: no editor is called %q", ErrNoEditor, editor)
}

// documents asks all editors at once. Down tells of those that have no document.
func (e *Editors) documents(ctx context.Context, editors []Editor) (docs []*document, down error) {
	for _, d := range editors {
		e.entry(d).poke(e.now())
	}
	for _, d := range editors {
		doc, err := e.entry(d).get(ctx, e.now)
		if err != nil {
			down = errors.Join(down, err)
		}
		docs = append(docs, doc)
	}
	return docs, down
}

// Can says whether files of that extension can be viewed and edited at all. It
// answers from the cache: a listing never waits. What is missing or stale is
// fetched meanwhile, for the next one.
func (e *Editors) Can(ext string) (view, edit bool) {
	ext = strings.ToLower(strings.TrimPrefix(ext, "."))
	for _, d := range e.List {
		entry := e.entry(d)
		entry.poke(e.now())
		doc := entry.cached()
		if doc == nil {
			continue
		}
		_, _, canView := doc.first(ext, tiers(ModeView, 1)[0])
		_, _, canEdit := doc.first(ext, tiers(ModeEdit, 0)[0])
		view, edit = view || canView, edit || canEdit
	}
	return view, edit
}

// Keys returns the proof keys of the editor with that configured URL.
// Signed says that its requests must be signed: it publishes keys, or did once
// and the operator has not said Unsigned. In that last case the keys are those
// seen last, and none are known after a restart: then nothing holds. "" is no
// editor and need not sign.
//
// It returns [ErrNoEditor] for a URL that is not configured (any more) and
// [ErrDown] when the editor's document was never fetched and cannot be now.
func (e *Editors) Keys(ctx context.Context, editorURL string) (k proof.Keys, signed bool, err error) {
	if editorURL == "" {
		return proof.Keys{}, false, nil
	}
	d, ok := e.find(editorURL)
	if !ok {
		return proof.Keys{}, false, fmt.Errorf("%w: %q is not configured", ErrNoEditor, editorURL)
	}
	entry := e.entry(d)
	if _, err := entry.get(ctx, e.now); err != nil {
		return proof.Keys{}, false, err
	}
	k, signs := entry.keys()
	return k, signs && !d.Unsigned, nil
}

// Refetch asks again after a failed proof or a rotation of keys, at most once a
// minute per editor. It returns whether a new document came.
func (e *Editors) Refetch(ctx context.Context, editorURL string) bool {
	d, ok := e.find(editorURL)
	return ok && e.entry(d).refetch(ctx, e.now)
}

// OfficeOf returns the kind of the editor with that configured URL, from the
// cache: [wopi.AnyOffice] if it was never reached.
func (e *Editors) OfficeOf(editorURL string) wopi.Office {
	if editorURL == TextEditor {
		return wopi.TextEditor
	}
	if d, ok := e.find(editorURL); ok {
		if doc := e.entry(d).cached(); doc != nil {
			return doc.office
		}
	}
	return wopi.AnyOffice
}

// Warm fetches every editor's document that is not there yet, and returns when
// each has answered or failed. Nobody has to call it.
func (e *Editors) Warm(ctx context.Context) {
	e.documents(ctx, e.List)
}

// Status returns a row for each editor.
func (e *Editors) Status() []Status {
	list := make([]Status, 0, len(e.List))
	for _, d := range e.List {
		s := e.entry(d).status()
		s.Editor, s.Office = e.named(d), e.OfficeOf(d.URL)
		list = append(list, s)
	}
	return list
}

func (e *Editors) find(editorURL string) (Editor, bool) {
	for _, d := range e.List {
		if d.URL == editorURL {
			return d, true
		}
	}
	return Editor{}, false
}

// named fills in the name that people see.
func (e *Editors) named(d Editor) Editor {
	if d.Name == "" {
		d.Name = label(e.OfficeOf(d.URL), d.URL)
	}
	return d
}

func (e *Editors) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Editors) entry(d Editor) *entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.entries == nil {
		e.entries = make(map[string]*entry, len(e.List))
	}
	if e.entries[d.URL] == nil {
		e.entries[d.URL] = &entry{editor: d, http: e.HTTP, remember: e.Remember, signs: e.Seen[d.URL]}
	}
	return e.entries[d.URL]
}
