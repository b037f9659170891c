package docsapi

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"davwopi/bridge/access"
	"davwopi/bridge/saves"
	"davwopi/idmap"
)

// The history of a document is what its saves have replaced, as far as the journal still
// has it, and the present contents as its last version.

// A version is one of them, numbered from 1.
type version struct {
	number int
	entry  string // of the journal, "" the present contents
	key    string
	at     time.Time
}

// versions are those of the document, the oldest first; the last one is what it is now.
func (a *ask) versions(ctx context.Context) ([]version, error) {
	list, err := a.Saves.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []version
	for _, e := range list {
		if e.File == a.session.file && e.State == "preimage" {
			all = append(all, version{entry: e.ID, key: string(e.File) + "-" + e.ID, at: e.At})
		}
	}
	slices.SortFunc(all, func(a, b version) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.entry, b.entry)) })
	now := version{key: a.session.key, at: a.q.Known.Revision.Modified}
	if at, err := time.Parse(time.RFC3339Nano, a.q.Known.Revision.LastModified); err == nil {
		now.at = at
	}
	all = append(all, now)
	for i := range all {
		all[i].number = i + 1
	}
	return all, nil
}

// history is onRequestHistory: the argument of refreshHistory.
func (a *ask) history(ctx context.Context) (any, error) {
	if _, err := a.Seen(ctx, a.q); err != nil { // its own look
		return nil, err
	}
	all, err := a.versions(ctx)
	if err != nil {
		return nil, err
	}
	type line struct {
		Created string `json:"created"`
		Key     string `json:"key"`
		Version int    `json:"version"`
	}
	lines := make([]line, 0, len(all))
	for _, v := range all {
		lines = append(lines, line{v.at.UTC().Format("2006-01-02 15:04:05"), v.key, v.number})
	}
	return map[string]any{"currentVersion": len(all), "history": lines}, nil
}

// numbered is the version that was asked for.
func (a *ask) numbered(ctx context.Context) (version, error) {
	all, err := a.versions(ctx)
	if err != nil {
		return version{}, err
	}
	if a.asked.Version < 1 || a.asked.Version > len(all) {
		return version{}, idmap.ErrNotFound
	}
	return all[a.asked.Version-1], nil
}

// oldVersion is onRequestHistoryData: the argument of setHistoryData.
func (a *ask) oldVersion(ctx context.Context) (any, error) {
	v, err := a.numbered(ctx)
	if err != nil {
		return nil, err
	}
	out := struct {
		FileType string `json:"fileType"`
		Key      string `json:"key"`
		URL      string `json:"url"`
		Version  int    `json:"version"`
		Token    string `json:"token,omitempty"`
	}{FileType: fileType(a.q.Known.Name), Key: v.key, Version: v.number}
	if v.entry == "" {
		out.URL = a.address(a.Tokens.DeriveDocs(a.q.Grant, access.DocsDownload, v.key), "download", v.key)
	} else {
		out.URL = a.address(a.Tokens.DeriveDocs(a.q.Grant, access.DocsDownload, aboutVersion+v.entry), "version", string(a.session.file), v.entry)
	}
	out.Token, err = a.server.Secret.Sign(out)
	return out, err
}

// restore is onRequestRestore: an old version becomes the file's contents, and what lies
// there now is kept as a version, too. Nobody may have the document open: the editor of
// whoever asks has left it by then, or does so within seconds.
func (a *ask) restore(ctx context.Context) (any, error) {
	v, err := a.numbered(ctx)
	if err != nil {
		return nil, err
	}
	if v.entry == "" {
		return map[string]bool{"restored": true}, nil
	}
	t, err := a.Seen(ctx, a.q)
	if err != nil {
		return nil, err
	}
	_, err = a.Saves.Undo(ctx, t, a.q.Actor, v.entry)
	if a.Restored != nil {
		a.Restored(a.r, a.q.Grant, v.entry, err)
	}
	if errors.Is(err, saves.ErrNoEntry) {
		err = errors.Join(err, idmap.ErrNotFound)
	}
	return map[string]bool{"restored": err == nil}, err
}
