package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// `davwopi saves`, both sides.

type saveResult struct {
	ID, At, State, Name, Writer, Reason string
	Size                                int64
}

// saveArguments name an entry of the journal, and whose account is used upstream: that
// with which it was saved, or User's.
type saveArguments struct{ ID, User string }

// undoArguments name what is undone: an entry, a file ID, or a path.
type undoArguments struct{ What, User string }

type placeResult struct{ Path string }

func saveCommand(ctx context.Context, k *call) error {
	var in saveArguments
	k.flags.StringVar(&in.User, "user", "", "`NAME` whose account writes it; default: the one with which it was saved")
	rest, err := k.parse(1, 2)
	if err != nil {
		return err
	}
	action := rest[0]
	if len(rest) == 2 {
		in.ID = rest[1]
	}
	switch {
	case action == "list" && len(rest) == 1:
		return listSaves(ctx, k)
	case action == "show" && len(rest) == 2:
		return k.ask(ctx, "show-save", in, k.stdout)
	case action == "drop" && len(rest) == 2:
		return k.ask(ctx, "drop", in, new(struct{}))
	case action == "restore" && len(rest) == 2:
		var out placeResult
		if err := k.ask(ctx, "restore-save", in, &out); err != nil {
			return err
		}
		fmt.Fprintf(k.stdout, "it is %s now\n", out.Path)
		return nil
	case action == "undo" && len(rest) == 2:
		var out placeResult
		if err := k.ask(ctx, "undo-save", undoArguments{What: in.ID, User: in.User}, &out); err != nil {
			return err
		}
		fmt.Fprintf(k.stdout, "%s is what it was before; what it has replaced can be put back the same way\n", out.Path)
		return nil
	}
	return fmt.Errorf("%w: list, show ID, restore ID, undo PATH|ID or drop ID", errUsage)
}

func listSaves(ctx context.Context, k *call) error {
	var out []saveResult
	if err := k.ask(ctx, "saves", struct{}{}, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(k.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tAT\tSTATE\tNAME\tBYTES\tWHO\tREASON")
	for _, s := range out {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.ID, s.At, s.State, s.Name, s.Size, s.Writer, s.Reason)
	}
	return w.Flush()
}

func (h *house) listSaves(ctx context.Context, _ struct{}) ([]saveResult, error) {
	entries, err := h.saves.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []saveResult{}
	for _, e := range entries {
		out = append(out, saveResult{
			ID: e.ID, At: e.At.Format(time.RFC3339), State: e.State, Name: e.Name, Writer: e.Writer, Reason: e.Reason, Size: e.Size,
		})
	}
	return out, nil
}

func (h *house) showSave(ctx context.Context, in saveArguments) (io.ReadCloser, error) {
	bytes, _, err := h.saves.Open(ctx, in.ID)
	return bytes, orSayWhich(in.ID, err)
}

func (h *house) dropSave(ctx context.Context, in saveArguments) (struct{}, error) {
	return struct{}{}, orSayWhich(in.ID, h.saves.Drop(ctx, in.ID))
}

// restoreSave makes a document of an entry's bytes, beside its own.
func (h *house) restoreSave(ctx context.Context, in saveArguments) (placeResult, error) {
	to, err := h.saves.PlaceOf(ctx, in.ID)
	if in.User != "" {
		to, err = h.placeFor(ctx, in)
	}
	if err != nil {
		return placeResult{}, orSayWhich(in.ID, orSayUser(err))
	}
	made, err := h.saves.Restore(ctx, in.ID, to)
	if err != nil {
		return placeResult{}, err
	}
	at, err := to.Folder.Join(made.Name)
	return placeResult{string(at)}, err
}

// placeFor is where an entry belongs, with the account of in.User.
func (h *house) placeFor(ctx context.Context, in saveArguments) (saves.Place, error) {
	e, err := h.saves.Entry(ctx, in.ID)
	if err != nil {
		return saves.Place{}, err
	}
	view, space, err := h.viewFor(ctx, e.Upstream, in.User)
	if err != nil {
		return saves.Place{}, err
	}
	folder, err := h.saves.FolderOf(ctx, e, space)
	who := h.person(in.User)
	return saves.Place{
		Space: space, Upstream: e.Upstream, View: view, Folder: folder, Writer: who.Name, User: who.UserID(),
		Pin: func(ctx context.Context) ([]byte, error) { return h.upstreams.Pin(ctx, e.Upstream, who) },
	}, err
}

// viewFor is an upstream as the person of that name sees it.
func (h *house) viewFor(ctx context.Context, upstream, user string) (*davbackend.View, idmap.SpaceID, error) {
	who := h.person(user)
	space, err := h.upstreams.Space(ctx, upstream, who)
	if err != nil {
		return nil, 0, err
	}
	view, err := h.upstreams.View(ctx, upstream, who)
	return view, space, err
}

// undoSave puts back what the last save of a document has replaced.
func (h *house) undoSave(ctx context.Context, in undoArguments) (placeResult, error) {
	e, err := h.preimage(ctx, in.What)
	if err != nil {
		return placeResult{}, err
	}
	target, err := h.saves.UndoAs(ctx, e.ID)
	actor := locks.Actor{Name: "the operator"}
	if in.User != "" {
		who := h.person(in.User)
		actor = locks.Actor{UserID: who.UserID(), Name: who.Name}
		target = locks.Target{Upstream: e.Upstream, Pin: func(ctx context.Context) ([]byte, error) { return h.upstreams.Pin(ctx, e.Upstream, who) }}
		var space idmap.SpaceID
		if target.View, space, err = h.viewFor(ctx, e.Upstream, in.User); err == nil {
			target.File, target.Seen, err = h.ids.Find(ctx, space, e.File, target.View)
		}
	}
	if err != nil {
		return placeResult{}, orSayUser(err)
	}
	_, err = h.saves.Undo(ctx, target, actor, e.ID)
	return placeResult{string(target.File.Path)}, whyNotUndone(err)
}

// whyNotUndone says in words what an editor is told otherwise.
func whyNotUndone(err error) error {
	var mismatch *locks.MismatchError
	switch {
	case errors.As(err, &mismatch):
		return fmt.Errorf("nothing was written, because somebody has it open (%s); see davwopi locks list", mismatch.Reason)
	case errors.Is(err, dav.ErrChanged):
		return fmt.Errorf("nothing was written, because it has just been changed: %w", err)
	}
	return err
}

// preimage finds what is to be put back: an entry by its own ID, or the newest one of a
// file by its ID or path.
func (h *house) preimage(ctx context.Context, what string) (saves.Entry, error) {
	if !strings.HasPrefix(what, "/") {
		e, err := h.saves.Entry(ctx, what)
		if err == nil && e.State == "preimage" || err != nil && !errors.Is(err, saves.ErrNoEntry) {
			return e, err
		}
	}
	if _, err := idmap.ParseFileID(what); err != nil {
		what = "/" + strings.TrimPrefix(what, "/")
	}
	found, err := h.ids.Describe(ctx, what)
	if errors.Is(err, idmap.ErrNotFound) {
		return saves.Entry{}, fmt.Errorf("there is no %s, or nobody has seen it yet", what)
	} else if err != nil {
		return saves.Entry{}, err
	}
	var all []saves.Entry
	for _, d := range found {
		e, err := h.saves.LastPreimage(ctx, d.ID)
		switch {
		case errors.Is(err, saves.ErrNoEntry):
		case err != nil:
			return e, err
		case len(all) == 0 || all[len(all)-1].ID != e.ID:
			all = append(all, e)
		}
	}
	switch len(all) {
	case 0:
		return saves.Entry{}, errors.New("nothing is kept of what this document was before its last save")
	case 1:
		return all[0], nil
	}
	return saves.Entry{}, errors.New("several documents are meant: name one by its ID (davwopi ids)")
}

// orSayWhich says where the IDs are, if there is no save by the one that was named.
func orSayWhich(id string, err error) error {
	if errors.Is(err, saves.ErrNoEntry) {
		return fmt.Errorf("there is no save %q; davwopi saves list shows them", id)
	}
	return err
}

// orSayUser adds what helps where a save has left no account behind.
func orSayUser(err error) error {
	if errors.Is(err, access.ErrNeedsSignIn) || errors.Is(err, dav.ErrUnauthorized) {
		return fmt.Errorf("%w: say with -user NAME whose account writes it; that person must be signed in", err)
	}
	return err
}
