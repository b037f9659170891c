package localdav

import (
	"context"
	"encoding/xml"
	"io/fs"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/webdav"

	"davwopi/davbackend/dav"
	"davwopi/idmap/sqldb"
)

// A fileSystem is the folder as x/net's Handler sees it: a side to read from, on
// os.Root, with dead properties to change. Writing is refused: Close of a
// [webdav.File] cannot tell a whole body from one that was cut off.
type fileSystem struct{ s *Server }

var _ webdav.FileSystem = fileSystem{}

func (f fileSystem) Mkdir(context.Context, string, os.FileMode) error { return fs.ErrPermission }
func (f fileSystem) RemoveAll(context.Context, string) error          { return fs.ErrPermission }
func (f fileSystem) Rename(context.Context, string, string) error     { return fs.ErrPermission }

// Stat implements [webdav.FileSystem].
func (f fileSystem) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	p, err := dav.ParsePath(name)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	o, err := f.s.sight(ctx, p)
	if err != nil {
		return nil, err
	}
	return fileInfo{o}, nil
}

// OpenFile implements [webdav.FileSystem] for reading. O_RDWR is what the Handler
// asks for when it changes properties.
func (f fileSystem) OpenFile(ctx context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_EXCL) != 0 {
		return nil, fs.ErrPermission
	}
	p, err := dav.ParsePath(name)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	pl, err := f.s.tree.resolve(p)
	if err != nil {
		return nil, err
	}
	opened, _, err := f.s.tree.open(pl.real)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, ctx: ctx, s: f.s, place: pl}, nil
}

// A file is an open file or folder.
type file struct {
	*os.File
	ctx   context.Context
	s     *Server
	place place
}

var _ webdav.DeadPropsHolder = &file{}

// Stat looks at the open file, not at its name: what is read and the ETag that is
// sent with it belong together even if the name is another file's by now.
func (f *file) Stat() (os.FileInfo, error) {
	for try := 0; ; try++ {
		i, err := statFile(f.File)
		if err != nil {
			return nil, err
		}
		i = f.s.tree.number(i)
		i.name = f.place.path.Base()
		row, err := f.s.state.known(f.ctx, f.s.state.db.Read(), i.identity)
		if err != nil {
			return nil, err
		}
		if wait := row.racy(i); wait > 0 && try < 3 {
			if err := sleep(f.ctx, wait); err != nil {
				return nil, err
			}
			continue
		}
		return fileInfo{seen{f.place, i, row, f.s.state.etag(i, row)}}, nil
	}
}

// Write is never called: OpenFile opens nothing for writing.
func (f *file) Write([]byte) (int, error) { return 0, fs.ErrPermission }

// Readdir is never called: GET of a folder is refused before.
func (f *file) Readdir(int) ([]os.FileInfo, error) { return nil, fs.ErrPermission }

// DeadProps implements [webdav.DeadPropsHolder].
func (f *file) DeadProps() (map[xml.Name]webdav.Property, error) {
	o, err := f.s.sightAt(f.ctx, f.place)
	if err != nil {
		return nil, err
	}
	found, err := f.s.state.properties(f.ctx, f.s.state.db.Read(), o.id())
	if err != nil {
		return nil, err
	}
	out := map[xml.Name]webdav.Property{}
	for _, p := range found[o.id()] {
		out[p.name] = webdav.Property{XMLName: p.name, Lang: p.lang, InnerXML: []byte(p.value)}
	}
	return out, nil
}

// Patch implements [webdav.DeadPropsHolder]: all or nothing.
func (f *file) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	o, err := f.s.sightAt(f.ctx, f.place)
	if err != nil {
		return nil, err
	}
	if names := protected(patches); len(names) > 0 {
		return propstats(patches, names, http.StatusForbidden, `<D:cannot-modify-protected-property xmlns:D="DAV:"/>`), nil
	}
	if o.id() == "" {
		// A property of this file could turn up on another one.
		return propstats(patches, allNames(patches), http.StatusForbidden, ""), nil
	}
	var tooMuch map[xml.Name]bool
	err = f.s.state.db.Write(f.ctx, func(tx sqldb.Queryer) (err error) {
		if tooMuch, err = f.s.overflow(f.ctx, tx, o.id(), patches); err != nil || len(tooMuch) > 0 {
			return err
		}
		return f.s.patch(f.ctx, tx, o, patches)
	})
	if err != nil {
		return nil, err
	}
	if len(tooMuch) > 0 {
		return propstats(patches, tooMuch, http.StatusInsufficientStorage, ""), nil
	}
	return propstats(patches, allNames(patches), http.StatusOK, ""), nil
}

// A fileInfo is an [os.FileInfo] with an ETag and a content type.
type fileInfo struct{ o seen }

var (
	_ webdav.ETager       = fileInfo{}
	_ webdav.ContentTyper = fileInfo{}
)

func (i fileInfo) Name() string                                { return i.o.name }
func (i fileInfo) Size() int64                                 { return i.o.size }
func (i fileInfo) Mode() fs.FileMode                           { return i.o.mode }
func (i fileInfo) ModTime() time.Time                          { return i.o.modified() }
func (i fileInfo) IsDir() bool                                 { return i.o.dir() }
func (i fileInfo) Sys() any                                    { return nil }
func (i fileInfo) ETag(context.Context) (string, error)        { return i.o.etag, nil }
func (i fileInfo) ContentType(context.Context) (string, error) { return contentType(i.o.name), nil }
