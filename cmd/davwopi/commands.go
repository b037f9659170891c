package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"davwopi/bridge"
	"davwopi/bridge/access"
	"davwopi/bridge/web"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
	"davwopi/oauth"
)

// The daemon's side of the commands that are asked over the admin socket.

type inviteArguments struct {
	Name  string
	Owner bool // whoever runs the server, instead of a guest
}

type inviteResult struct{ Link string }

type openArguments struct{ Path, User, Mode, Editor, Upstream string }

type idsArguments struct{ What string }

type releaseArguments struct{ File string }

type dropArguments struct{ ID string }

type appPasswordArguments struct{ Name, User string }

type revokeArguments struct{ ID, User string }

type appPasswordResult struct{ URL, User, Password string }

type lockResult struct{ File, Path, Who, State, Expires string }

func (h *house) commands() map[string]bridge.Command {
	return map[string]bridge.Command{
		"invite":              asCommand(h.invite),
		"open":                asCommand(h.open),
		"ids":                 asCommand(h.showIDs),
		"find-ids":            asCommand(h.findIDs),
		"moved-id":            asCommand(h.movedIDs),
		"verify-ids":          asCommand(h.verifyIDs),
		"export-ids":          asCommand(h.exportIDs),
		"locks":               asCommand(h.listLocks),
		"release":             asCommand(h.releaseLock),
		"saves":               asCommand(h.listSaves),
		"shares":              asCommand(h.listShares),
		"revoke-share":        asCommand(h.revokeShare),
		"signout":             asCommand(h.signOut),
		"show-save":           asCommand(h.showSave),
		"drop":                asCommand(h.dropSave),
		"restore-save":        asCommand(h.restoreSave),
		"undo-save":           asCommand(h.undoSave),
		"backup":              asCommand(h.backup),
		"check-state":         asCommand(h.examineState),
		"log-level":           asCommand(h.logLevel),
		"onboarding":          asCommand(h.onboarding),
		"doctor":              asCommand(h.examine),
		"rehearse":            asCommand(h.rehearse),
		"app-password":        asCommand(h.newAppPassword),
		"app-passwords":       asCommand(h.listAppPasswords),
		"revoke-app-password": asCommand(h.revokeAppPassword),
	}
}

// asCommand decodes the arguments for f.
func asCommand[In, Out any](f func(context.Context, In) (Out, error)) bridge.Command {
	return func(ctx context.Context, arguments json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(arguments, &in); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
		return f(ctx, in)
	}
}

// owner is the person whom the first link signs in.
func owner() oauth.Principal {
	name := os.Getenv("USER")
	if name == "" {
		name = "Owner"
	}
	return oauth.Principal{Issuer: "link", Subject: "owner", Name: name}
}

func (h *house) newLink(ctx context.Context, p oauth.Principal) (string, error) {
	secret, err := h.links.Make(ctx, p, h.config.SignIn.LinkLifetime)
	if err != nil {
		return "", err
	}
	return h.config.PublicURL.JoinPath("link", secret).String(), nil
}

func (h *house) invite(ctx context.Context, in inviteArguments) (inviteResult, error) {
	if h.config.SignIn.Kind != "link" {
		return inviteResult{}, fmt.Errorf("people sign in at %s with their name and password; there are no links", h.config.PublicURL)
	}
	p := oauth.Principal{Issuer: "link", Subject: "guest:" + strings.ToLower(in.Name), Name: in.Name}
	if in.Name == "" {
		number := rand.Text()[:4]
		p.Subject, p.Name = "guest:"+rand.Text(), "Guest "+number
	}
	if in.Owner {
		p = owner()
	}
	link, err := h.newLink(ctx, p)
	return inviteResult{link}, err
}

// person is the principal that a name on the command line means.
func (h *house) person(name string) oauth.Principal {
	switch {
	case h.config.SignIn.Kind != "link":
		return oauth.Principal{Issuer: h.issuer(), Subject: name, Name: name}
	case name == "":
		return owner()
	}
	return oauth.Principal{Issuer: "link", Subject: "guest:" + strings.ToLower(name), Name: name}
}

func (h *house) open(ctx context.Context, in openArguments) (web.Opened, error) {
	if in.User == "" && h.config.SignIn.Kind != "link" {
		return web.Opened{}, errors.New("say for whom: -user NAME")
	}
	out, err := h.pages.Open(ctx, web.OpenRequest{
		Principal: h.person(in.User), Upstream: in.Upstream, Path: "/" + strings.TrimPrefix(in.Path, "/"),
		Mode: in.Mode, Editor: in.Editor,
	})
	if errors.Is(err, dav.ErrNotFound) || errors.Is(err, idmap.ErrNotFound) {
		return out, fmt.Errorf("there is no %s; the path begins at the folder that is served", in.Path)
	}
	if words, ok := strings.CutPrefix(fmt.Sprint(err), web.ErrRequest.Error()+": "); ok {
		err = errors.New(words)
	}
	return out, err
}

func (h *house) listLocks(ctx context.Context, _ struct{}) ([]lockResult, error) {
	rows, err := h.locks.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []lockResult{}
	for _, r := range rows {
		at, err := h.ids.Known(ctx, r.Space, r.File)
		if err != nil && !errors.Is(err, idmap.ErrMissing) && !errors.Is(err, idmap.ErrNotFound) {
			return nil, err
		}
		out = append(out, lockResult{
			File: string(r.File), Path: string(at.Path), Who: r.Holder.Name, State: r.Phase, Expires: r.Lock.Expires.Format(time.RFC3339),
		})
	}
	return out, nil
}

func (h *house) releaseLock(ctx context.Context, in releaseArguments) (struct{}, error) {
	id, err := idmap.ParseFileID(in.File)
	if err != nil {
		return struct{}{}, fmt.Errorf("%q is no ID; davwopi locks list shows those of open documents", in.File)
	}
	return struct{}{}, h.locks.Release(ctx, id)
}

func (h *house) newAppPassword(ctx context.Context, in appPasswordArguments) (appPasswordResult, error) {
	if h.bridge.DAV == nil {
		return appPasswordResult{}, errors.New("/dav/ is not served: set upstream.expose: true (only for the embedded server)")
	}
	p, err := h.whose(ctx, in.User)
	if err != nil {
		return appPasswordResult{}, err
	}
	password, _, err := h.passwords.Make(ctx, p, in.Name)
	return appPasswordResult{h.config.PublicURL.JoinPath("dav/").String(), p.Subject, password}, err
}

// whose app passwords a command is about: of somebody who is signed in, "" the owner's.
func (h *house) whose(ctx context.Context, user string) (oauth.Principal, error) {
	if user == "" {
		return owner(), nil
	}
	return h.whoIs(ctx, user)
}

func (h *house) listAppPasswords(ctx context.Context, in appPasswordArguments) ([]oauth.AppPassword, error) {
	p, err := h.whose(ctx, in.User)
	if err != nil {
		return nil, err
	}
	list, err := h.passwords.List(ctx, p.Key())
	if list == nil {
		list = []oauth.AppPassword{}
	}
	return list, err
}

func (h *house) revokeAppPassword(ctx context.Context, in revokeArguments) (struct{}, error) {
	p, err := h.whose(ctx, in.User)
	if err != nil {
		return struct{}{}, err
	}
	list, err := h.passwords.List(ctx, p.Key())
	if err != nil {
		return struct{}{}, err
	}
	if !slices.ContainsFunc(list, func(of oauth.AppPassword) bool { return of.ID == in.ID }) {
		return struct{}{}, oauth.ErrAppPassword
	}
	// Before it goes, so that what fails here can be asked for again. What is being edited can still be saved.
	if err := h.sessionEnds(ctx, access.DAVPrefix+in.ID); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, h.passwords.Revoke(ctx, p.Key(), in.ID)
}
