package docsapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
)

const (
	keepEvery   = time.Minute      // between two passes over live sessions
	forgetEvery = 10 * time.Minute // between two looks at what was forgotten
	askEvery    = 10 * time.Minute // after which a session is asked after
	saveEvery   = 10 * time.Minute // between two saves of an open document without anybody's word
)

// Run keeps the locks of live sessions, asks after those of which nothing was heard, and
// fetches what document servers have kept because nobody took it: at the start, when a
// save has just failed, and every ten minutes. It returns when ctx ends, after what was
// begun is over.
func (d *Docs) Run(ctx context.Context) error {
	defer d.working.Wait()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var fetched time.Time
	for {
		if time.Since(fetched) >= forgetEvery {
			fetched = time.Now()
			d.once(ctx, "docs forgotten", "docs: cleaning", func(ctx context.Context) error {
				d.FetchForgotten(ctx)
				return d.clean(ctx)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.poke:
			// The document server has given up by now, or tries for some seconds more.
			fetched = time.Now().Add(-forgetEvery + 15*time.Second)
		case <-tick.C:
			d.once(ctx, "docs live", "docs: keeping the locks of sessions", d.KeepLive)
		}
	}
}

// once does what one bridge does for all that share the database.
func (d *Docs) once(ctx context.Context, name, what string, f func(context.Context) error) {
	const atLeast = 10 * time.Second // between two bridges that are poked at once
	err := d.DB.Turn(ctx, name, atLeast, f)
	if err != nil && !errors.Is(err, sqldb.ErrNotNow) && ctx.Err() == nil {
		d.OnError(what, err)
	}
}

// KeepLive is one pass over the live sessions: their locks are kept, and what was typed is
// saved now and then, as other editors do by themselves. A document server alone saves
// when the last one has left.
func (d *Docs) KeepLive(ctx context.Context) error {
	list, err := d.sessions(ctx, `state = ?`, int64(live))
	if err != nil {
		return err
	}
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: %w", err)
	}
	var faults []error
	for _, s := range list {
		if now.Sub(s.heard) >= askEvery {
			if err := d.askAfter(ctx, s); err != nil && !errors.Is(err, ErrDown) {
				faults = append(faults, err)
				continue
			}
		}
		faults = append(faults, d.refresh(ctx, s.key, now), d.saveNow(ctx, s, now))
	}
	return errors.Join(faults...)
}

// askAfter asks the document server whether anybody still has the session open. One that
// it knows nothing of is over; what it has kept of it is fetched by the next look.
func (d *Docs) askAfter(ctx context.Context, s *session) error {
	server, err := d.server(s.editor)
	if err != nil || s.state != live {
		return err
	}
	users, err := server.Info(ctx, s.key)
	end, turnErr := d.turns.take(ctx, s.key)
	if turnErr != nil {
		return turnErr
	}
	defer end()
	fresh, rowErr := d.session(ctx, s.key)
	if rowErr != nil {
		return rowErr
	}
	if fresh.state != live || fresh.heard.After(s.heard) {
		return nil // it has told us meanwhile
	}
	switch {
	case errors.Is(err, ErrUnknownKey) || err == nil && len(users) == 0:
		if err := d.set(ctx, fresh, failed, `users = '[]'`); err != nil {
			return err
		}
		select {
		case d.poke <- struct{}{}:
		default:
		}
		return d.release(ctx, fresh, nil)
	case err != nil:
		return err
	}
	return d.set(ctx, fresh, live, "")
}

// stillKept ends a session whose last save failed if the document server keeps nothing of
// it: its key leads nowhere then.
func (d *Docs) stillKept(ctx context.Context, s *session) error {
	server, err := d.server(s.editor)
	if err != nil {
		return err
	}
	_, err = server.ForgottenURL(ctx, s.key)
	if errors.Is(err, ErrUnknownKey) {
		return d.set(ctx, s, closed, "")
	}
	return err
}

// refresh puts the end of a session's lock off.
func (d *Docs) refresh(ctx context.Context, key string, now time.Time) error {
	end, err := d.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer end()
	s, err := d.session(ctx, key)
	if err != nil || s.state != live {
		return err
	}
	state, err := d.Locks.State(ctx, s.file)
	if err != nil {
		return err
	}
	if state.Lock.ID == wopi.LockID(key) && state.Lock.Expires.Sub(now) > locks.Life/2 {
		return nil
	}
	q, err := d.late(ctx, s)
	if errors.Is(err, errNobody) {
		return nil // it runs out
	}
	if err != nil {
		return err
	}
	return d.hold(ctx, s, q)
}

// saveNow has what was typed in a session saved, if that was not done lately. It comes by
// the callback. What the document server says to it does not matter: it saves at the end.
func (d *Docs) saveNow(ctx context.Context, s *session, now time.Time) error {
	server, err := d.server(s.editor)
	if err != nil {
		return nil
	}
	var due int64
	err = d.DB.Write(ctx, func(tx sqldb.Queryer) error {
		var err error
		old := sqldb.Millis(now.Add(-saveEvery))
		due, err = tx.Exec(ctx, `UPDATE docs_session SET forced = ? WHERE doc_key = ? AND state = ? AND made < ? AND forced < ?`,
			sqldb.Millis(now), s.key, int64(live), old, old)
		return err
	})
	if err != nil || due == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := server.ForceSave(ctx, s.key, ""); errors.Is(err, ErrSecret) {
		return err
	}
	return nil
}

// errNobody is returned for a session in which nobody is known any more who could save.
var errNobody = errors.New("docsapi: nobody is known as whom this could be saved")

// late is the request of whoever was last in a session and may still write the file: by
// their grant as long as that is good, else by what was written down of them.
func (d *Docs) late(ctx context.Context, s *session) (*endpoint.Request, error) {
	people, err := d.people(ctx, s.key)
	if err != nil {
		return nil, err
	}
	fault := errNobody
	for _, p := range people {
		q, err := d.as(ctx, s, p)
		if err == nil {
			return q, nil
		}
		fault = errors.Join(fault, err)
	}
	return nil, fault
}

func (d *Docs) as(ctx context.Context, s *session, p person) (*endpoint.Request, error) {
	token := d.Tokens.DeriveDocs(access.Grant{ID: p.grantID, File: s.file}, access.DocsCallback, s.key)
	g, err := d.Tokens.OpenDocs(ctx, token, access.DocsCallback, s.file, s.key)
	switch {
	case err == nil:
	case (errors.Is(err, access.ErrToken) || errors.Is(err, access.ErrExpired)) && p.principal.Issuer != oauth.IssuerShare:
		g = access.Grant{
			File: s.file, Space: s.space, Upstream: s.upstream, Principal: p.principal, Rights: access.Edit, Editor: s.editor,
		}
	default:
		return nil, err
	}
	q, err := d.reach(ctx, g, editing)
	if err != nil {
		return nil, err
	}
	if _, err := d.Upstreams.View(ctx, g.Upstream, g.Principal); errors.Is(err, access.ErrNeedsSignIn) && len(p.pinned) > 0 {
		q.Lent = func(ctx context.Context) (*davbackend.View, []byte, error) {
			v, err := d.Upstreams.Pinned(ctx, g.Upstream, p.pinned)
			return v, p.pinned, err
		}
	}
	return q, nil
}

// FetchForgotten takes over what the document servers have kept of sessions that are
// ours.
func (d *Docs) FetchForgotten(ctx context.Context) {
	for _, server := range d.Servers {
		keys, err := server.Forgotten(ctx)
		if err != nil {
			if ctx.Err() == nil {
				d.OnError("docs: asking for forgotten saves", err)
			}
			continue
		}
		for _, key := range keys {
			if !d.pauses.due(key, time.Now()) {
				continue
			}
			err := d.fetchForgotten(ctx, server, key)
			d.pauses.note(key, time.Now(), err)
			if err != nil && ctx.Err() == nil {
				d.OnError("docs: taking over a forgotten save", err)
			}
		}
		if err := d.settleFailed(ctx, server, keys); err != nil && ctx.Err() == nil {
			d.OnError("docs: ending sessions", err)
		}
	}
}

func (d *Docs) fetchForgotten(ctx context.Context, server *Server, key string) error {
	if _, err := fileOf(key); err != nil {
		return nil // somebody else's document
	}
	end, err := d.turns.take(ctx, key)
	if err != nil {
		return err
	}
	defer end()
	s, err := d.session(ctx, key)
	if errors.Is(err, idmap.ErrNotFound) {
		return nil // another bridge's, or one of before a restored backup
	}
	if err != nil {
		return err
	}
	if d.Servers[s.editor] != server {
		return nil
	}
	if s.state == live {
		// Its last callback did not reach us; or somebody goes on with it, and it comes with
		// their save.
		users, err := server.Info(ctx, key)
		if err == nil && len(users) > 0 || err != nil && !errors.Is(err, ErrUnknownKey) {
			return err
		}
	}
	address, err := server.ForgottenURL(ctx, key)
	if errors.Is(err, ErrUnknownKey) {
		return nil
	}
	if err != nil {
		return err
	}
	q, err := d.late(ctx, s)
	if err != nil {
		return err
	}
	had, err := d.hasAlready(ctx, server, s, q, address)
	if err == nil && !had {
		err = d.save(ctx, server, s, q, source{url: address, final: true})
	}
	if err != nil {
		return err
	}
	return server.DeleteForgotten(ctx, key)
}

// hasAlready reports whether what lies at address is what the session has stored last: the
// answer to its callback was lost then, and nothing else.
func (d *Docs) hasAlready(ctx context.Context, server *Server, s *session, q *endpoint.Request, address string) (bool, error) {
	body, err := server.fetch(ctx, address)
	if err != nil {
		return false, err
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(body, d.MaxBody)); err != nil {
		return false, err
	}
	if bytes.Equal(q.Known.Revision.SHA256, sum.Sum(nil)) {
		return true, nil
	}
	return d.isDone(ctx, s.key, contents(sum.Sum(nil)))
}

// settleFailed ends the sessions of which a document server keeps nothing, although their
// last save had failed: it came later after all, or is lost there.
func (d *Docs) settleFailed(ctx context.Context, server *Server, kept []string) error {
	list, err := d.sessions(ctx, `state = ?`, int64(failed))
	if err != nil {
		return err
	}
	now, err := d.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("docsapi: %w", err)
	}
	has := make(map[string]bool, len(kept))
	for _, key := range kept {
		has[key] = true
	}
	for _, s := range list {
		if has[s.key] || d.Servers[s.editor] != server || now.Sub(s.heard) < forgetEvery {
			continue
		}
		if err := d.set(ctx, s, closed, ""); err != nil {
			return err
		}
	}
	return nil
}
