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

func (e *Endpoint) handler(t Table, d door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		for name, value := range map[string]string{wopi.HeaderServerVersion: e.Version, wopi.HeaderMachineName: e.Machine} {
			if value != "" {
				w.Header().Set(name, value)
			}
		}
		ctx, trips := davbackend.CountTrips(r.Context())
		line := Line{Operation: d.read(r.Method, d.suffix, r.Header)}
		turn := &turn{of: &e.turns}
		defer turn.end() // after the last byte of the answer
		response, err := e.operate(ctx, t, r, d, &line, turn)
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
		if errors.Is(err, errBroken) {
			panic(http.ErrAbortHandler) // or half an answer would look like a whole one
		}
	})
}

// operate is the way of a request through its numbered steps.
func (e *Endpoint) operate(ctx context.Context, t Table, r *http.Request, d door, line *Line, turn *turn) (wopi.Response, error) {
	// 1: which operation
	entry, ok := t[line.Operation]
	if !ok {
		return wopi.Response{}, fmt.Errorf("endpoint: %s %q: %w", r.Method, overrideWord(r.Header.Get(wopi.HeaderOverride)), errOperation)
	}
	file, err := idmap.ParseFileID(d.id(r))
	if err != nil {
		return wopi.Response{}, fmt.Errorf("endpoint: %w", idmap.ErrNotFound)
	}
	if d.kind != 0 {
		line.File = file
	}

	// 2: token -> grant
	decoded, raw := readToken(r)
	grant, floor, err := d.enter(ctx, decoded, file)
	if err != nil {
		return wopi.Response{}, err
	}
	line.UserID, line.Name, line.Editor = grant.Principal.UserID(), grant.Principal.Name, grant.Editor

	// 3: where it comes from, proof with the keys of the editor that the grant was made for, and its turn
	if err := e.checkOrigin(ctx, d, grant.Editor, r, decoded, raw); err != nil {
		return wopi.Response{}, err
	}
	if err := turn.take(ctx, grant.ID, e.AtOnce); err != nil {
		return wopi.Response{}, err
	}

	// 4: scope and our own rules, as of now
	sent := &sentBody{from: r.Body, left: r.ContentLength}
	q := &Request{Operation: line.Operation, Floor: floor, Grant: grant, Body: sent, Length: r.ContentLength, entry: entry}
	if d.kind != 0 {
		q.File = file
	}
	err = e.authorize(ctx, q, d.kind)
	if up, upErr := e.Upstreams.Get(q.Grant.Upstream); upErr == nil {
		line.Upstream = up.Client.Origin()
	}
	if err != nil {
		return wopi.Response{}, err
	}

	// 5: headers once
	if q.Headers, err = readHeaders(r); err != nil {
		return wopi.Response{}, ofBox(line.Operation, err)
	}
	line.Correlation, line.Session = q.Headers.Correlation, q.Headers.Session
	if err := e.admit(ctx, q, sent); err != nil {
		return wopi.Response{}, err
	}
	response, err := entry.Run(ctx, q)
	if errors.Is(err, dav.ErrIncomplete) && !sent.short {
		// Not the editor's body was cut short, but an answer of the upstream.
		err = fmt.Errorf("%w: %w", errHalfAnswer, err)
	}
	return response, err
}

// checkOrigin lets in whom the editor of a grant may send requests from, and what is
// signed with its keys where the door wants that.
func (e *Endpoint) checkOrigin(ctx context.Context, d door, editor string, r *http.Request, decoded, raw string) error {
	err := e.checkNetwork(editor, r.RemoteAddr)
	if err == nil && d.signed {
		err = e.checkProof(ctx, editor, r, decoded, raw)
	}
	return err
}

// ofBox makes the fault of a name that of a container's, where that is what has names.
func ofBox(op wopi.Operation, err error) error {
	var e *wopi.Error
	if errors.As(err, &e) && (op == wopi.OpCreateChildContainer || op == wopi.OpRenameContainer) {
		e.InvalidName, e.InvalidBox = "", e.InvalidName
	}
	return err
}

// admit bounds the body, and what a grant may whose session has ended.
func (e *Endpoint) admit(ctx context.Context, q *Request, sent io.Reader) error {
	if !q.entry.Bytes {
		q.Body = io.LimitReader(sent, maxSmallBody)
	} else if q.Length > e.MaxBody {
		return fmt.Errorf("endpoint: body of %d bytes: %w", q.Length, dav.ErrTooLarge)
	}
	if q.Grant.SaveOnly {
		return e.checkSaveOnly(ctx, q)
	}
	return nil
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
