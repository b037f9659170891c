package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/config"
	"davwopi/idmap"
)

// Links to files and folders: who makes them, and the commands about them.

type shareResult struct{ ID, Made, By, For, Rights, Upstream, Path, Expires string }

// openShares brings links up, and says which guests may come by them.
func (h *house) openShares(ctx context.Context) (err error) {
	if err := checkGuests(h.config); err != nil {
		return config.Faults{{Path: "sharing.anonymous", Message: err.Error()}}
	}
	if h.shares, err = access.NewShares(ctx, h.db, h.sealer); err != nil {
		return err
	}
	h.shares.Anonymous = h.config.Sharing.Anonymous
	h.tokens.Shares = h.shares
	return nil
}

// checkGuests refuses a configuration that invites guests and then shows them nothing.
func checkGuests(c *config.Config) error {
	if !c.Sharing.Anonymous {
		return nil
	}
	rules, err := accessRules(c)
	if err != nil {
		return err
	}
	guest := access.AnyGuest()
	for _, u := range c.Upstreams {
		if u.Auth == "service" && len(rules.Entrances(guest, u.Name)) > 0 {
			return nil
		}
	}
	return errors.New("true, but the access rules show guests nothing: add one such as {who: ['group:guests'], path: /Shared, rights: view}")
}

// share is the link for an editor that asks for one (GetShareUrl): for people who sign
// in, and the same whenever it is asked for.
func (h *house) share(ctx context.Context, q *endpoint.Request, edit bool) (string, error) {
	n := access.NewShare{
		Resource: q.File, Space: q.Grant.Space, Upstream: q.Grant.Upstream, Rights: access.View, Maker: q.Grant.Principal,
	}
	if edit {
		n.Rights = access.Edit
	}
	secret, err := h.shares.Standing(ctx, n)
	if err != nil {
		return "", err
	}
	return h.pages.URLs.Link(secret), nil
}

func (h *house) listShares(ctx context.Context, _ struct{}) ([]shareResult, error) {
	list, err := h.shares.List(ctx, access.ShareList{Limit: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	out := []shareResult{}
	for _, s := range list {
		at, err := h.ids.Known(ctx, s.Space, s.Resource)
		if err != nil && !errors.Is(err, idmap.ErrNotFound) {
			return nil, err
		}
		r := shareResult{
			ID: s.ID, Made: s.Made.Format(time.RFC3339), By: s.Maker.Name, For: "people who sign in", Rights: s.Rights.String(),
			Upstream: s.Upstream, Path: string(at.Path), Expires: "never",
		}
		switch {
		case s.Anonymous && s.Protected:
			r.For = "anybody with the password"
		case s.Anonymous:
			r.For = "anybody"
		}
		if r.Path == "" {
			r.Path = "(deleted)"
		}
		if !s.Expires.IsZero() {
			r.Expires = s.Expires.Format(time.RFC3339)
		}
		out = append(out, r)
	}
	return out, nil
}

func (h *house) revokeShare(ctx context.Context, in dropArguments) (struct{}, error) {
	err := h.pages.Revoke(ctx, in.ID, "")
	if errors.Is(err, access.ErrShare) {
		err = fmt.Errorf("there is no link %q; davwopi shares list shows them", in.ID)
	}
	return struct{}{}, err
}

// shareCommand is davwopi shares.
func shareCommand(ctx context.Context, k *call) error {
	asJSON := k.flags.Bool("json", false, "print JSON")
	rest, err := k.parse(1, 2)
	if err != nil {
		return err
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		var out []shareResult
		if err := k.ask(ctx, "shares", struct{}{}, &out); err != nil {
			return err
		}
		if *asJSON {
			return k.printJSON(out)
		}
		w := tabwriter.NewWriter(k.stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tMADE\tBY\tFOR\tRIGHTS\tUPSTREAM\tPATH\tEXPIRES")
		for _, s := range out {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Made, s.By, s.For, s.Rights, s.Upstream, s.Path, s.Expires)
		}
		return w.Flush()
	case rest[0] == "revoke" && len(rest) == 2:
		return k.ask(ctx, "revoke-share", dropArguments{ID: rest[1]}, new(struct{}))
	}
	return fmt.Errorf("%w: list or revoke ID", errUsage)
}
