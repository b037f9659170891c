package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/proof"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// maxSmallBody bounds the bodies of operations that carry no file, in bytes.
const maxSmallBody = 64 << 10

// Handler serves one route of a table: suffix is what follows the ID in the path
// ("", "contents", "ancestry"...), id gives the ID that the path names.
func (e *Endpoint) Handler(t Table, suffix string, id func(*http.Request) string) http.Handler {
	return e.handler(t, suffix, id, true)
}

// UnsignedHandler is [Endpoint.Handler] for addresses that editors fetch without a
// signature: CheckFileInfo's FileUrl. The table must hold reading operations only.
// Only derived tokens open them.
func (e *Endpoint) UnsignedHandler(t Table, suffix string, id func(*http.Request) string) http.Handler {
	return e.handler(t, suffix, id, false)
}

func (e *Endpoint) handler(t Table, suffix string, id func(*http.Request) string, signed bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ctx, trips := davbackend.CountTrips(r.Context())
		line := Line{Operation: wopi.ReadOperation(r.Method, suffix, r.Header)}
		response, err := e.operate(ctx, t, r, id(r), signed, &line)
		var refusal *wopi.Error
		if err != nil {
			refusal = Refusal(err)
			if refusal.Status == http.StatusConflict && line.Operation == wopi.OpGetLock && refusal.Lock == nil {
				refusal.Lock = new(wopi.LockID)
			}
		}
		line.Status, err = answer(w, response, refusal, err)
		line.Err, line.Duration, line.Trips = err, time.Since(start), trips()
		e.Log(ctx, line)
	})
}

// operate is the way of a request through its numbered steps.
func (e *Endpoint) operate(ctx context.Context, t Table, r *http.Request, id string, signed bool, line *Line) (wopi.Response, error) {
	// 1: which operation
	entry, ok := t[line.Operation]
	if !ok {
		return wopi.Response{}, fmt.Errorf("endpoint: %s %q: %w", r.Method, overrideWord(r.Header.Get(wopi.HeaderOverride)), errOperation)
	}
	file, err := idmap.ParseFileID(id)
	if err != nil {
		return wopi.Response{}, fmt.Errorf("endpoint: %w", idmap.ErrNotFound)
	}
	line.File = file

	// 2: token -> grant
	decoded, raw := readToken(r)
	grant, err := e.Tokens.Open(ctx, decoded, file)
	if err != nil {
		return wopi.Response{}, err
	}
	if !signed && !grant.Derived {
		// The token that an editor was given must not do without its signature here.
		return wopi.Response{}, fmt.Errorf("endpoint: not a token for this address: %w", access.ErrToken)
	}
	line.UserID, line.Editor = grant.Principal.UserID(), grant.Editor
	if up, err := e.Upstreams.Get(grant.Upstream); err == nil {
		line.Upstream = up.Client.Origin()
	}

	// 3: proof, with the keys of the editor that the grant was made for
	if signed {
		if err := e.checkProof(ctx, grant.Editor, r, decoded, raw); err != nil {
			return wopi.Response{}, err
		}
	}

	// 4: scope and our own rules, as of now
	sent := &sentBody{from: r.Body, left: r.ContentLength}
	q := &Request{Operation: line.Operation, File: file, Grant: grant, Body: sent, Length: r.ContentLength}
	if err := e.authorize(ctx, q, entry); err != nil {
		return wopi.Response{}, err
	}

	// 5: headers once
	if q.Headers, err = readHeaders(r); err != nil {
		return wopi.Response{}, err
	}
	line.Correlation, line.Session = q.Headers.Correlation, q.Headers.Session
	if !entry.Bytes {
		q.Body = io.LimitReader(sent, maxSmallBody)
	} else if q.Length > e.MaxBody {
		return wopi.Response{}, fmt.Errorf("endpoint: body of %d bytes: %w", q.Length, dav.ErrTooLarge)
	}
	if grant.SaveOnly {
		if err := e.checkSaveOnly(ctx, q); err != nil {
			return wopi.Response{}, err
		}
	}
	response, err := entry.Run(ctx, q)
	if errors.Is(err, dav.ErrIncomplete) && !sent.short {
		// Not the editor's body was cut short, but an answer of the upstream.
		err = fmt.Errorf("%w: %w", errHalfAnswer, err)
	}
	return response, err
}

// A sentBody is the body of a request, which knows whether the editor sent less
// than it announced.
type sentBody struct {
	from  io.Reader
	left  int64 // bytes to come; negative: unknown
	short bool
}

// Read reads from the editor.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left >= 0 {
		b.left = max(b.left-int64(n), 0)
	}
	if err != nil && (err != io.EOF || b.left > 0) {
		b.short = true
	}
	return n, err
}

// authorize fills in what the grant is worth now: the file's present place
// against scope and rules. Outside of them everything is not found.
func (e *Endpoint) authorize(ctx context.Context, q *Request, entry Entry) error {
	g := q.Grant
	known, err := e.IDs.Known(ctx, g.Space, q.File)
	if err != nil {
		return err
	}
	q.entry = entry
	if err := e.allow(ctx, q, known); err != nil {
		return err
	}
	if g.SaveOnly && !entry.Sleeper {
		return fmt.Errorf("endpoint: grant is save-only: %w", access.ErrExpired)
	}
	q.Actor = locks.Actor{
		Member: g.Member(),
		Editor: g.Editor,
		Office: e.Editors.OfficeOf(g.Editor),
		UserID: g.Principal.UserID(),
		Name:   g.Principal.Name,
	}
	return nil
}

// allow fills in the place of q and what the grant is worth there.
func (e *Endpoint) allow(ctx context.Context, q *Request, known idmap.Entry) error {
	g := q.Grant
	if err := e.inScope(ctx, g, known); err != nil {
		return err
	}
	rights := min(g.Rights, e.Rules.Allows(g.Principal, g.Upstream, string(known.Path)))
	if rights < access.View {
		return fmt.Errorf("endpoint: rules hide the file: %w", idmap.ErrNotFound)
	}
	if q.entry.Edit && rights < access.Edit {
		return &wopi.Error{Status: q.entry.Denied, Reason: "this person may only read", Err: errors.New("endpoint: needs edit right")}
	}
	q.Known, q.Rights = known, rights
	return nil
}

// inScope checks that the place lies in the subtree which the grant can see.
func (e *Endpoint) inScope(ctx context.Context, g access.Grant, known idmap.Entry) error {
	if g.Scope == "" || g.Scope == known.ID {
		return nil
	}
	top, err := e.IDs.Known(ctx, g.Space, g.Scope)
	if err != nil {
		return err
	}
	if top.Kind != idmap.Container || !top.Path.Contains(known.Path) {
		return fmt.Errorf("endpoint: outside of the grant's scope: %w", idmap.ErrNotFound)
	}
	return nil
}

// checkSaveOnly holds a grant whose session has ended to the lock IDs of the open
// editing: it saves what is open and begins nothing.
func (e *Endpoint) checkSaveOnly(ctx context.Context, q *Request) error {
	state, err := e.Locks.State(ctx, q.File)
	if err != nil {
		return err
	}
	if live := state.Editing; live != nil && live.Ended.IsZero() {
		member, err := e.Locks.IsMember(ctx, live.ID, q.Actor.Member)
		if err != nil {
			return err
		}
		if !member {
			return fmt.Errorf("endpoint: grant is save-only, and the editing is somebody else's: %w", access.ErrExpired)
		}
	}
	if !q.entry.Edit {
		return nil // CheckFileInfo, GetLock
	}
	id := q.Headers.Lock
	if q.Headers.OldLock != nil {
		id = q.Headers.OldLock
	}
	if id == nil {
		return fmt.Errorf("endpoint: grant is save-only, and no lock is shown: %w", access.ErrExpired)
	}
	if state.Lock.ID != "" {
		if state.Lock.ID != *id {
			return &locks.MismatchError{Current: state.Lock.ID, Reason: "signed out; only the open editing can be saved"}
		}
		return nil
	}
	over := fmt.Errorf("endpoint: grant is save-only, and its editing is over: %w", access.ErrExpired)
	if state.Editing == nil && q.Operation == wopi.OpLock {
		return over
	}
	target, err := e.Known(ctx, q)
	if err != nil {
		return err
	}
	target.File.Revision.Size = -1 // being empty makes the file nobody's
	var mismatch *locks.MismatchError
	if err = e.Locks.MayWrite(ctx, target, q.Actor, id); errors.As(err, &mismatch) {
		return over
	}
	return err
}

// checkProof demands a good signature of an editor that publishes keys.
func (e *Endpoint) checkProof(ctx context.Context, editor string, r *http.Request, decoded, raw string) error {
	if editor == "" {
		return nil
	}
	keys, signed, err := e.Editors.Keys(ctx, editor)
	if err != nil {
		return fmt.Errorf("endpoint: keys of the editor: %w", err)
	}
	if !signed {
		return nil
	}
	rotated, err := e.tryKeys(keys, r, decoded, raw)
	if err != nil && e.Editors.Refetch(ctx, editor) {
		if keys, signed, err = e.Editors.Keys(ctx, editor); err == nil && signed {
			_, err = e.tryKeys(keys, r, decoded, raw)
		}
		return err
	}
	if rotated {
		e.Editors.Refetch(ctx, editor)
	}
	return err
}

func (e *Endpoint) tryKeys(keys proof.Keys, r *http.Request, decoded, raw string) (rotated bool, err error) {
	for _, address := range e.signedAddresses(r) {
		rotated, err = keys.Check(proof.Request{
			Token:     decoded,
			RawToken:  raw,
			URL:       address,
			TimeStamp: r.Header.Get(wopi.HeaderTimeStamp),
			Proof:     r.Header.Get(wopi.HeaderProof),
			ProofOld:  r.Header.Get(wopi.HeaderProofOld),
		}, e.Now())
		if err == nil {
			return rotated, nil
		}
	}
	return false, err
}

// signedAddresses are the URLs that the editor may have signed: ours, with the
// path and query of the request line untouched.
func (e *Endpoint) signedAddresses(r *http.Request) []string {
	target := r.RequestURI
	if target == "" || !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI()
	}
	var list []string
	for _, base := range []*url.URL{e.URLs.WOPI, e.URLs.Public} {
		address := base.Scheme + "://" + base.Host
		if prefix := strings.TrimSuffix(base.EscapedPath(), "/"); !strings.HasPrefix(target, prefix+"/") {
			address += prefix // a proxy cut the prefix off
		}
		address += target
		if len(list) == 0 || list[0] != address {
			list = append(list, address)
		}
	}
	return list
}
