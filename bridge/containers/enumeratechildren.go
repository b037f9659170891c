package containers

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/saves"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

const (
	batch       = 256      // children that are recorded and written at once
	maxChildren = 200_000  // of one container; WOPI has no pages, and memory has an end
	maxSights   = 1000     // files of one listing that count as seen by their person
	maxNames    = 16 << 20 // bytes of the names of child containers
)

var errTooMany = errors.New("containers: too many children")

// enumerateChildren is WOPI's EnumerateChildren. The answer is written while the one
// listing is read; nothing of it is stored but IDs of children that have none yet.
func (c *Containers) enumerateChildren(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	if q.IsTop() {
		return c.enumerateEntrances(ctx, q)
	}
	// The look says that it still is this container: a listing does not.
	t, err := c.Seen(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{Pour: func(w io.Writer) error { return c.pour(ctx, q, t, w) }}, nil
}

// enumerateEntrances lists what is below the container above all upstreams.
func (c *Containers) enumerateEntrances(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	found, whole, err := c.Entrances(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	answer := struct {
		ChildContainers []wopi.Pointer
		ChildFiles      []wopi.ChildFile
	}{[]wopi.Pointer{}, []wopi.ChildFile{}}
	for _, at := range found {
		answer.ChildContainers = append(answer.ChildContainers, c.Pointer(at, at.Known))
	}
	response := wopi.Response{JSON: answer}
	if !whole {
		response.Header = map[string]string{wopi.HeaderEnumerationIncomplete: "true"}
	}
	return response, nil
}

// A folder is what a listing keeps of a child container until the files are written.
type folder struct {
	id   idmap.FileID
	name string
}

// A pourer writes the children of one container.
type pourer struct {
	*Containers
	q         *endpoint.Request
	view      idmap.Finder // as the person who asks
	at        idmap.Entry
	to        io.Writer
	filter    wopi.ExtensionFilter
	batches   *idmap.Batches
	some      []dav.Resource
	waits     saves.Waitings
	seen      int // children that have come
	files     int // that were written
	folders   []folder
	names     int    // bytes of the names of folders
	endThrift func() // ends the thrift; nil: it has not begun
}

func (c *Containers) pour(ctx context.Context, q *endpoint.Request, t locks.Target, w io.Writer) error {
	waits, err := c.Saves.Waitings(ctx)
	if err != nil {
		return err
	}
	p := &pourer{
		Containers: c, q: q, view: t.View, at: t.File, to: w, filter: wopi.ParseExtensionFilter(q.Headers.Extensions),
		batches: c.IDs.Batches(q.Grant.Space, t.File.Path), some: make([]dav.Resource, 0, batch), waits: waits,
	}
	defer func() {
		if p.endThrift != nil {
			p.endThrift()
		}
	}()
	if _, err := io.WriteString(w, `{"ChildFiles":[`); err != nil {
		return err
	}
	err = t.View.List(ctx, t.File.Path, func(res dav.Resource) error {
		if p.seen++; p.seen > maxChildren {
			return errTooMany
		}
		if p.seen == endpoint.BigFolder {
			p.endThrift = endpoint.Thrift()
		}
		if p.some = append(p.some, res); len(p.some) < batch {
			return nil
		}
		return p.flush(ctx)
	})
	if err == nil {
		err = p.flush(ctx)
	}
	if err != nil {
		return err
	}
	rest, err := p.batches.End(ctx)
	if err == nil {
		err = p.write(ctx, rest)
	}
	if err != nil {
		return err
	}
	return p.close()
}

// flush records what has gathered, and writes it.
func (p *pourer) flush(ctx context.Context) error {
	if len(p.some) == 0 {
		return nil
	}
	if err := p.batches.See(ctx, p.some, p.view); err != nil {
		return err
	}
	entries, err := p.batches.Add(ctx, p.some)
	if err != nil {
		return err
	}
	p.some = p.some[:0]
	return p.write(ctx, entries)
}

// write writes files, as what waits for them if anything does (DESIGN 7.5), and keeps
// containers for the end.
func (p *pourer) write(ctx context.Context, entries []idmap.Entry) error {
	for _, e := range entries {
		if endpoint.IsReserved(e.Name) || p.Rules.AllowsGrant(p.q.Grant, string(e.Path)) < access.View {
			continue
		}
		if e.Kind == idmap.Container {
			name := p.NameOf(p.q, e)
			if p.names += len(name); p.names > maxNames {
				return errTooMany
			}
			p.folders = append(p.folders, folder{e.ID, name})
			continue
		}
		if !p.filter.Allows(e.Name) {
			continue
		}
		if err := p.fromJournal(ctx, &e); err != nil {
			return err
		}
		child := wopi.ChildFile{
			Name: p.NameOf(p.q, e), Url: p.Source(p.q, e), Size: e.Revision.Size,
			Version: e.Revision.Version, LastModifiedTime: e.Revision.LastModified,
		}
		if err := p.item(p.files, child); err != nil {
			return err
		}
		p.files++
	}
	return nil
}

// fromJournal makes e what waits for it. This person's own look has just shown it.
func (p *pourer) fromJournal(ctx context.Context, e *idmap.Entry) error {
	if p.files < maxSights {
		p.Saves.Saw(e.ID, p.q.Actor.UserID)
	}
	w, err := p.waits.Of(ctx, e.ID)
	if err == nil && w != nil {
		e.Revision = w.Revision
	}
	return err
}

// close writes the containers, and the end.
func (p *pourer) close() error {
	if _, err := io.WriteString(p.to, `],"ChildContainers":[`); err != nil {
		return err
	}
	for i, f := range p.folders {
		url := p.Source(p.q, idmap.Entry{ID: f.id, Kind: idmap.Container})
		if err := p.item(i, wopi.Pointer{Name: f.name, Url: url}); err != nil {
			return err
		}
	}
	_, err := io.WriteString(p.to, "]}")
	return err
}

// item writes the n-th element of a list.
func (p *pourer) item(n int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if n > 0 {
		text = append([]byte{','}, text...)
	}
	_, err = p.to.Write(text)
	return err
}
