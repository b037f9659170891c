package docsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// What the page around an editor asks when the editor fires an event. It shows its token
// in a header: another origin's page can send none with such a header.

// HeaderPage is the header with the token of a page.
const HeaderPage = "X-Davwopi-Docs"

// maxAsk bounds what a page asks, in bytes.
const maxAsk = 64 << 10

// An ask is a request of a page, opened.
type ask struct {
	*Docs
	server  *Server
	session *session
	r       *http.Request
	q       *endpoint.Request
	asked   asked
}

// asked is all that a page may say; which of it counts depends on the question.
type asked struct {
	Name    string   `json:"name"`    // rename, saveas
	URL     string   `json:"url"`     // saveas, image
	Type    string   `json:"type"`    // image: extension
	C       string   `json:"c"`       // image, users: what the editor wants it for
	IDs     []string `json:"id"`      // users
	Version int      `json:"version"` // version, restore
}

// asks are the questions, and whether they want the right to edit.
var asks = map[string]struct {
	do   func(*ask, context.Context) (any, error)
	edit bool
}{
	"rename":  {(*ask).rename, true},
	"saveas":  {(*ask).saveAs, true},
	"image":   {(*ask).image, true},
	"users":   {(*ask).users, false},
	"history": {(*ask).history, true},
	"version": {(*ask).oldVersion, true},
	"restore": {(*ask).restore, true},
}

// servePage is POST /docsapi/page/{key}/{ask}.
func (d *Docs) servePage(w http.ResponseWriter, r *http.Request) {
	begun, key, what := time.Now(), mux.Vars(r)["key"], mux.Vars(r)["ask"]
	id, _ := fileOf(key)
	out, g, err := d.page(r, key, what)
	status := d.answerPage(w, out, err)
	d.hear(r, "Page", begun, g, id, status, err)
}

// answerPage answers a page and returns the status. What went wrong is a word that the
// page knows in its language.
func (d *Docs) answerPage(w http.ResponseWriter, out any, err error) int {
	if err == nil {
		writeJSON(w, http.StatusOK, out)
		return http.StatusOK
	}
	status, word := pageRefusal(err)
	writeJSON(w, status, map[string]string{"error": word})
	return status
}

// pageRefusal is the status and the word for an error.
func pageRefusal(err error) (int, string) {
	var mismatch *locks.MismatchError
	var conversion ConversionError
	var refused *wopi.Error
	switch {
	case errors.As(err, &conversion):
		return http.StatusUnprocessableEntity, "convert_" + conversion.Code()
	case errors.Is(err, ErrSecret):
		return http.StatusBadGateway, "convert_token"
	case errors.Is(err, ErrDown), errors.Is(err, context.DeadlineExceeded):
		return http.StatusBadGateway, "editor"
	case errors.Is(err, ErrForeign), errors.Is(err, wopi.ErrMalformed):
		return http.StatusBadRequest, "asked"
	case errors.As(err, &mismatch):
		return http.StatusConflict, "open"
	case errors.Is(err, access.ErrToken), errors.Is(err, access.ErrExpired):
		return http.StatusUnauthorized, "signed_out"
	case errors.As(err, &refused) && refused.InvalidName != "":
		return http.StatusBadRequest, "name"
	}
	status := endpoint.Refusal(err).Status
	switch {
	case status == http.StatusNotFound:
		return status, "gone"
	case status == http.StatusForbidden, status == http.StatusNotImplemented:
		return http.StatusForbidden, "denied"
	}
	return status, "failed"
}

func (d *Docs) page(r *http.Request, key, what string) (any, access.Grant, error) {
	ctx := r.Context()
	task, known := asks[what]
	if !known {
		return nil, access.Grant{}, fmt.Errorf("docsapi: %w: no such question", idmap.ErrNotFound)
	}
	s, err := d.session(ctx, key)
	if err != nil {
		return nil, access.Grant{}, err
	}
	g, err := d.Tokens.OpenDocs(ctx, r.Header.Get(HeaderPage), access.DocsPage, s.file, key)
	if err != nil {
		return nil, g, err
	}
	a := &ask{Docs: d, session: s, r: r}
	if a.server, err = d.server(s.editor); err != nil {
		return nil, g, err
	}
	if err := readJSON(r, maxAsk, &a.asked); err != nil {
		return nil, g, err
	}
	as := looking
	if task.edit {
		as = endpoint.Entry{Edit: true, Denied: http.StatusForbidden, Account: true}
	}
	if a.q, err = d.reach(ctx, g, as); err != nil {
		return nil, g, err
	}
	out, err := task.do(a, ctx)
	return out, g, err
}

// rename is onRequestRename: everybody who has the document open is told the new title.
func (a *ask) rename(ctx context.Context) (any, error) {
	t, err := a.Seen(ctx, a.q)
	if err != nil {
		return nil, err
	}
	id := wopi.LockID(a.session.key)
	e, err := a.Rename(ctx, a.q, t, &id, a.asked.Name)
	if err != nil {
		return nil, err
	}
	key := a.session.key
	a.working.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		if err := a.server.Rename(ctx, key, e.Name); err != nil && !errors.Is(err, ErrUnknownKey) {
			a.OnError("docs: telling editors a new name", err)
		}
	})
	return map[string]string{"name": e.Name}, nil
}

// saveAs is onRequestSaveAs: the result becomes a file beside the document.
func (a *ask) saveAs(ctx context.Context) (any, error) {
	body, err := a.server.fetch(ctx, a.asked.URL)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return a.makeBeside(ctx, a.asked.Name, body)
}

// makeBeside makes a file beside q's, under a name that somebody has suggested.
func (a *ask) makeBeside(ctx context.Context, name string, body *result) (any, error) {
	t, err := a.Seen(ctx, a.q)
	if err != nil {
		return nil, err
	}
	if !a.Offers.WriteRelative {
		return nil, endpoint.NotOffered("PutRelativeFile")
	}
	a.q.Headers.SuggestedTarget = &name
	made, err := a.Make(ctx, a.q, endpoint.NewFile{
		Target: t, Folder: t.File.Path.Parent(), Source: t.File.Name, Body: body, Length: body.length,
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": string(made.ID), "name": made.Name}, nil
}

// image is onRequestInsertImage: the address of a picture, which the page was given for
// it, signed for the editor.
func (a *ask) image(_ context.Context) (any, error) {
	if !strings.HasPrefix(a.asked.URL, a.URLs.WOPI.JoinPath("wopi").String()+"/") || !plainType(a.asked.Type) {
		return nil, ErrForeign
	}
	type picture struct {
		FileType string `json:"fileType"`
		URL      string `json:"url"`
	}
	out := struct {
		C      string    `json:"c"`
		Images []picture `json:"images"`
		Token  string    `json:"token,omitempty"`
	}{C: clip(a.asked.C, 40), Images: []picture{{a.asked.Type, a.asked.URL}}}
	var err error
	out.Token, err = a.server.Secret.Sign(out)
	return out, err
}

// users is onRequestUsers: the names of those who have the document open.
func (a *ask) users(ctx context.Context) (any, error) {
	people, err := a.people(ctx, a.session.key)
	if err != nil {
		return nil, err
	}
	list := []user{}
	for _, p := range people {
		for _, id := range bounded(a.asked.IDs) {
			if id == p.userID {
				list = append(list, user{p.userID, clip(p.name, maxName)})
				break
			}
		}
	}
	return map[string]any{"c": clip(a.asked.C, 40), "users": list}, nil
}
