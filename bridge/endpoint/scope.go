package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/bridge/words"
	"davwopi/idmap"
)

// authorize fills in what the grant is worth now: the present place of what the
// address names against scope and rules. Outside of them everything is not found.
func (e *Endpoint) authorize(ctx context.Context, q *Request, kind idmap.Kind) error {
	g := q.Grant
	if g.SaveOnly && !q.entry.Sleeper {
		return fmt.Errorf("endpoint: grant is save-only: %w", access.ErrExpired)
	}
	q.Actor = locks.Actor{
		Member: g.Member(),
		Editor: g.Editor,
		Office: e.Editors.OfficeOf(g.Editor),
		UserID: g.Principal.UserID(),
		Name:   g.Principal.Name,
	}
	if kind == 0 {
		q.Rights = g.Rights
		return nil
	}
	known, err := e.reach(ctx, q)
	if err != nil {
		return err
	}
	if known.Kind != kind {
		return fmt.Errorf("endpoint: a %s: %w", known.Kind, idmap.ErrNotFound)
	}
	if q.top {
		return e.allowTop(ctx, q, known)
	}
	return e.allow(ctx, q, known)
}

// reach is what the database knows of q's file. A grant for all upstreams is made one
// for the upstream where it lies.
func (e *Endpoint) reach(ctx context.Context, q *Request) (idmap.Entry, error) {
	known, err := e.IDs.Known(ctx, q.Grant.Space, q.File)
	if !errors.Is(err, idmap.ErrNotFound) {
		return known, err
	}
	top, topErr := e.Upstreams.Top(ctx)
	if topErr != nil {
		return idmap.Entry{}, topErr
	}
	if q.File == top.ID {
		q.top = true
		return top, nil
	}
	if q.Grant.Scope != top.ID {
		return known, err
	}
	for _, up := range e.Upstreams.List {
		space, spaceErr := e.Upstreams.Space(ctx, up.Name, q.Grant.Principal)
		if spaceErr != nil {
			return idmap.Entry{}, spaceErr
		}
		if known, err = e.IDs.Known(ctx, space, q.File); err == nil {
			q.Grant.Space, q.Grant.Upstream = space, up.Name
			return known, nil
		}
		if !errors.Is(err, idmap.ErrNotFound) {
			return known, err
		}
	}
	return idmap.Entry{}, err
}

// allow fills in the place of q and what the grant is worth there.
func (e *Endpoint) allow(ctx context.Context, q *Request, known idmap.Entry) error {
	if err := e.inScope(ctx, q.Grant, known); err != nil {
		return err
	}
	rights := min(q.Grant.Rights, e.Rules.AllowsGrant(q.Grant, string(known.Path)))
	if rights < access.View {
		return fmt.Errorf("endpoint: rules hide the file: %w", idmap.ErrNotFound)
	}
	q.Known, q.Rights = known, rights
	return q.demand()
}

// demand refuses what wants an account, or the right to edit, where it is not there.
func (q *Request) demand() error {
	if q.entry.Account && q.Grant.Guest() {
		return &wopi.Error{Status: http.StatusNotImplemented, Reason: "guests may not do this", Said: words.Say("refusal.guest"), Err: errors.New("endpoint: a guest")}
	}
	if q.entry.Edit && q.Rights < access.Edit {
		return &wopi.Error{Status: q.entry.Denied, Reason: "this person may only read", Said: words.Say("refusal.only_read"), Err: errors.New("endpoint: needs edit right")}
	}
	return nil
}

// allowTop lets in those to whom the container above all upstreams belongs. Nothing
// can be changed there.
func (e *Endpoint) allowTop(ctx context.Context, q *Request, top idmap.Entry) error {
	entrances, err := e.entrances(ctx, q)
	if err != nil {
		return err
	}
	if len(entrances) < 2 {
		return fmt.Errorf("endpoint: nothing is above this grant's root: %w", idmap.ErrNotFound)
	}
	q.Known, q.Rights = top, access.View
	return q.demand()
}

// inScope checks that the place lies in the subtree which the grant can see.
func (e *Endpoint) inScope(ctx context.Context, g access.Grant, known idmap.Entry) error {
	if g.Scope == "" || g.Scope == known.ID {
		return nil
	}
	scope, err := e.IDs.Known(ctx, g.Space, g.Scope)
	if errors.Is(err, idmap.ErrNotFound) {
		top, topErr := e.Upstreams.Top(ctx)
		if topErr == nil && top.ID == g.Scope {
			return nil
		}
		return errors.Join(err, topErr)
	}
	if err != nil {
		return err
	}
	if scope.Kind != idmap.Container || !scope.Path.Contains(known.Path) {
		return fmt.Errorf("endpoint: outside of the grant's scope: %w", idmap.ErrNotFound)
	}
	return nil
}
