package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"davwopi/bridge"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/history"
	"davwopi/bridge/saves"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// remember writes what an editor's request did into the document's history. A fault is
// the log's: the request has been answered.
func (h *house) remember(ctx context.Context, l endpoint.Line) {
	if h.history == nil || l.File == "" {
		return
	}
	ctx = context.WithoutCancel(ctx) // whoever has their answer may be gone
	for _, e := range h.events(ctx, l) {
		e.File, e.UserID, e.Name = l.File, l.UserID, l.Name
		h.note(ctx, e)
	}
}

func (h *house) note(ctx context.Context, e history.Event) {
	if err := h.history.Add(ctx, e); err != nil {
		h.log.Error().Str("cause", bridge.Cause(err)).Msg("what happened to a document could not be noted")
	}
}

// events are what a request did, without the document and the person.
func (h *house) events(ctx context.Context, l endpoint.Line) []history.Event {
	ok := l.Status == http.StatusOK
	switch {
	case l.Operation == "PutFile" && l.Status == http.StatusConflict && errors.Is(l.Err, dav.ErrChanged):
		return []history.Event{{Kind: history.Conflict}}
	case l.Operation == "PutFile" && ok:
		return []history.Event{h.saved(ctx, l.File)}
	case l.Operation == "Lock" && ok:
		return h.opened(ctx, l.File)
	case l.Operation == "Unlock" && ok:
		return []history.Event{{Kind: history.Closed}}
	case l.Operation == "RenameFile" && ok:
		return []history.Event{{Kind: history.Renamed}}
	case strings.HasPrefix(string(l.Operation), "DocsCallback") && ok:
		out := h.opened(ctx, l.File)
		if now, err := h.db.Now(ctx); err == nil && !h.standing(ctx, l.File).Last.Before(now.Add(-l.Duration)) {
			out = append(out, h.saved(ctx, l.File))
		}
		return out
	}
	return nil
}

// opened is the beginning of the editing that goes on, noted once for each person.
func (h *house) opened(ctx context.Context, file idmap.FileID) []history.Event {
	state, err := h.locks.State(ctx, file)
	if err != nil || state.Editing == nil {
		return nil
	}
	return []history.Event{{Kind: history.Opened, Once: strconv.FormatInt(state.Editing.ID, 10)}}
}

// saved tells a save from one that went into a copy, because others had changed the
// document.
func (h *house) saved(ctx context.Context, file idmap.FileID) history.Event {
	state, err := h.locks.State(ctx, file)
	if err == nil && state.Editing != nil && state.Editing.Diverted != "" {
		return history.Event{Kind: history.Aside}
	}
	return history.Event{Kind: history.Saved}
}

func (h *house) standing(ctx context.Context, file idmap.FileID) saves.Standing {
	all, err := h.saves.Standings(ctx, []idmap.FileID{file})
	if err != nil {
		return saves.Standing{}
	}
	return all[file]
}
