package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"davwopi/bridge/access"
	"davwopi/bridge/docsapi"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/files"
	"davwopi/bridge/history"
	"davwopi/bridge/locks"
	"davwopi/bridge/rehearse"
	"davwopi/bridge/saves"
	"davwopi/bridge/web"
	"davwopi/davbackend/localdav"
	"davwopi/davbackend/profile"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
	"davwopi/oauth"
	"davwopi/oauth/facade"
)

// A room that keeps something in the state database, under the name that it has there.
type room struct {
	name string
	open func(context.Context, *sqldb.DB) error // brings its tables up to date
}

// roomsOfState are all of them: those too that this configuration does not use.
func roomsOfState() []room {
	return []room{
		{"idmap", func(ctx context.Context, db *sqldb.DB) error { _, err := idmap.New(ctx, db); return err }},
		{"idmap walk", func(ctx context.Context, db *sqldb.DB) error {
			_, err := idmap.NewWalk(ctx, idmap.Walk{Map: &idmap.Map{DB: db}})
			return err
		}},
		{"localdav", func(ctx context.Context, db *sqldb.DB) error { _, err := localdav.OpenIdentities(ctx, db); return err }},
		{"profile", func(ctx context.Context, db *sqldb.DB) error { _, err := profile.New(ctx, db); return err }},
		{"oauth_sessions", func(ctx context.Context, db *sqldb.DB) error { _, err := oauth.NewSessions(ctx, db); return err }},
		{"oauth_links", func(ctx context.Context, db *sqldb.DB) error { _, err := oauth.NewLinks(ctx, db); return err }},
		{"oauth_app_passwords", func(ctx context.Context, db *sqldb.DB) error { _, err := oauth.NewAppPasswords(ctx, db); return err }},
		{"oauth_credentials", func(ctx context.Context, db *sqldb.DB) error {
			_, err := oauth.NewCredentials(ctx, db, nil)
			return err
		}},
		{"oauth_tokens", func(ctx context.Context, db *sqldb.DB) error {
			_, err := oauth.NewProviderTokens(ctx, db, nil, nil)
			return err
		}},
		{"oauth_flows", func(ctx context.Context, db *sqldb.DB) error { return new(oauth.OIDC).Open(ctx, db, nil) }},
		{"oauth_facade", func(ctx context.Context, db *sqldb.DB) error {
			_, err := facade.New(ctx, db, nil, facade.Facade{})
			return err
		}},
		{"access_tokens", func(ctx context.Context, db *sqldb.DB) error { _, err := access.NewTokens(ctx, db, nil); return err }},
		{"access_tickets", func(ctx context.Context, db *sqldb.DB) error { _, err := access.NewTickets(ctx, db); return err }},
		{"access_shares", func(ctx context.Context, db *sqldb.DB) error { _, err := access.NewShares(ctx, db, nil); return err }},
		{"access_api_keys", func(ctx context.Context, db *sqldb.DB) error { _, err := access.NewAPIKeys(ctx, db, nil); return err }},
		{"web", func(ctx context.Context, db *sqldb.DB) error { _, err := web.NewChanges(ctx, db); return err }},
		{"locks", func(ctx context.Context, db *sqldb.DB) error {
			_, err := locks.New(ctx, locks.Locks{DB: db, IDs: &idmap.Map{DB: db}, Upstreams: &access.Upstreams{}})
			return err
		}},
		{"saves", func(ctx context.Context, db *sqldb.DB) error { _, err := saves.Spools(ctx, db); return err }},
		{"rehearse", func(ctx context.Context, db *sqldb.DB) error {
			_, err := rehearse.New(ctx, rehearse.Rehearsal{DB: db})
			return err
		}},
		{"userinfo", func(ctx context.Context, db *sqldb.DB) error { _, err := files.NewUserInfo(ctx, db); return err }},
		{"activities", func(ctx context.Context, db *sqldb.DB) error { _, err := files.NewActivities(ctx, db); return err }},
		{"history", func(ctx context.Context, db *sqldb.DB) error { _, err := history.New(ctx, db); return err }},
		{"docs", func(ctx context.Context, db *sqldb.DB) error {
			_, err := docsapi.New(ctx, docsapi.Docs{Endpoint: &endpoint.Endpoint{}, DB: db})
			return err
		}},
		{"signers", func(ctx context.Context, db *sqldb.DB) error { _, err := newSigners(ctx, db); return err }},
		{"turns", func(ctx context.Context, db *sqldb.DB) error { return db.OpenTurns(ctx) }},
		{"secret_key", func(ctx context.Context, db *sqldb.DB) error { return makeKeyMark(ctx, db) }},
	}
}

// notCarried are tables that say who works on a database, not what is known.
func notCarried() map[string]bool {
	return map[string]bool{"saves_bridge": true, "secret_key_mark": true}
}

// madeByOpening are the tables that have rows as soon as their rooms are opened.
func madeByOpening() map[string]bool { return map[string]bool{"idmap_epoch": true} }

// makeTables brings the tables of all rooms up to date.
func makeTables(ctx context.Context, db *sqldb.DB) error {
	if err := newerRooms(ctx, db); err != nil {
		return err
	}
	for _, r := range roomsOfState() {
		if err := r.open(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// newerRooms refuses a database that has tables of a room of which this program has never
// heard: a newer one has been at work.
func newerRooms(ctx context.Context, db *sqldb.DB) error {
	var known []string
	for _, r := range roomsOfState() {
		known = append(known, r.name)
	}
	unknown, err := db.Strangers(ctx, known...)
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%w: this one does not know what its tables of %q are; use the newer program, or an empty database", sqldb.ErrNewer, unknown)
	}
	return err
}

// openDatabase opens a state database on which work may begin: no load into it is unfinished.
func openDatabase(ctx context.Context, where string) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	if err := db.Unfinished(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func journalOf(dir string) string { return filepath.Join(dir, "saves") }
