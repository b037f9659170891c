package containers

import (
	"bytes"
	"context"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
	"davwopi/idmap"
)

// newStem is the name of a file of which only the extension was suggested.
const newStem = "New document"

// createChildFile is WOPI's CreateChildFile: an empty file, which the editor fills by
// a PutFile without a lock.
func (c *Containers) createChildFile(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	t, err := c.toMake(ctx, q, dav.CreateFile)
	if err != nil {
		return wopi.Response{}, err
	}
	var made idmap.Entry
	err = c.Locks.Making(ctx, t, c.Saves.Patience, func() error {
		made, err = c.Make(ctx, q, endpoint.NewFile{Target: t, Folder: t.File.Path, Source: newStem, Body: bytes.NewReader(nil)})
		return err
	})
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.PutRelativeFileInfo{
		Name:             c.NameOf(q, made),
		Url:              c.Source(q, made),
		HostViewUrl:      c.URLs.Through(q.Grant.Share).HostView(made.ID),
		HostEditUrl:      c.URLs.Through(q.Grant.Share).HostEdit(made.ID),
		LastModifiedTime: made.Revision.LastModified,
	}}, nil
}
