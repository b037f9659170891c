package localdav

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"sync"
)

var (
	errIsFolder = errors.New("localdav: is a folder")
	errHandler  = errors.New("localdav: refused")
	errShort    = errors.New("localdav: body cut short")
)

// put answers PUT (RFC 9110 9.3.4, RFC 4918 9.7): the body is staged, and replaces the
// file in one rename when it has come whole.
func (s *Server) put(w http.ResponseWriter, r *request) error {
	ctx := r.Context()
	if r.slash {
		return refusal(http.StatusMethodNotAllowed, errIsFolder)
	}
	if r.Header.Get("Content-Range") != "" {
		return refusal(http.StatusBadRequest, errors.New("localdav: PUT of a part"))
	}
	o, exists, err := s.writable(r)
	if err != nil {
		return err
	}
	if err := s.room(r, path.Dir(o.real)); err != nil {
		return err
	}
	g, err := s.receive(ctx, r, o, exists)
	if err != nil {
		return err
	}
	defer s.discard(ctx, g)
	var etag string
	err = s.change(ctx, func() error {
		now, there, err := s.writable(r)
		if err != nil {
			return err
		}
		if path.Dir(now.real) != path.Dir(o.real) {
			return fmt.Errorf("%w: the folder moved", errChanged)
		}
		in := installation{staged: g.rel, to: place{r.path, now.real, now.real}, exact: r.namesETag()}
		if there {
			in.old = &now
		}
		exists = there
		etag, err = s.install(ctx, in)
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag)
	return finish(w, made(!exists))
}

func made(isNew bool) int {
	if isNew {
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// writable looks at the target of a PUT and says whether r may write there.
func (s *Server) writable(r *request) (o seen, exists bool, err error) {
	if o, exists, err = s.target(r.Context(), r.path); err != nil {
		return o, false, err
	}
	if exists && o.dir() {
		return o, true, refusal(http.StatusMethodNotAllowed, errIsFolder)
	}
	if err := s.check(r.Context(), r, o, exists, claim{key: keyOf(o.real), member: !exists}); err != nil {
		return o, exists, err
	}
	if exists && o.mode&0o222 == 0 {
		return o, true, fmt.Errorf("localdav: file is marked read-only: %w", fs.ErrPermission)
	}
	return o, exists, nil
}

// room refuses early what cannot fit: 413 or 507, before the body is sent.
func (s *Server) room(r *request, dir string) error {
	if s.MaxSize > 0 && r.ContentLength > s.MaxSize {
		return refusal(http.StatusRequestEntityTooLarge, errors.New("localdav: longer than allowed"))
	}
	if r.ContentLength <= 0 {
		return nil
	}
	available, _, err := s.tree.space(dir)
	if err != nil {
		return err
	}
	if r.ContentLength > available {
		return &refused{
			status: http.StatusInsufficientStorage, condition: "sufficient-disk-space",
			err: errors.New("localdav: longer than the space that is left"),
		}
	}
	return nil
}

// receive stages r's body next to o, whole and synced.
func (s *Server) receive(ctx context.Context, r *request, o seen, exists bool) (*staged, error) {
	f, g, err := s.stageFile(ctx, path.Dir(o.real))
	if err != nil {
		return nil, err
	}
	err = s.fill(f, r)
	if err == nil && exists {
		err = s.inheritFrom(f, o)
	}
	if err == nil {
		err = s.seal(f, g)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		s.discard(ctx, g)
		return nil, err
	}
	return g, nil
}

// bodies are buffers for them.
var bodies = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// fill copies the body. Shorter or longer than announced is refused.
func (s *Server) fill(f *os.File, r *request) error {
	if r.Body == nil {
		return nil
	}
	body := io.Reader(r.Body)
	if s.MaxSize > 0 {
		body = io.LimitReader(body, s.MaxSize+1)
	}
	b := bodies.Get().(*[64 << 10]byte)
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, body, b[:]) // the file's ReadFrom would take a buffer of its own
	bodies.Put(b)
	switch {
	case err == nil && s.MaxSize > 0 && n > s.MaxSize:
		return refusal(http.StatusRequestEntityTooLarge, errors.New("localdav: longer than allowed"))
	case err == nil && r.ContentLength >= 0 && n != r.ContentLength:
		return refusal(http.StatusBadRequest, errShort)
	case err == nil:
		return r.Context().Err()
	}
	var onDisk *fs.PathError
	if !errors.As(err, &onDisk) && r.Context().Err() == nil && refusedBy(err).status == http.StatusInternalServerError {
		return refusal(http.StatusBadRequest, fmt.Errorf("%w: %w", errShort, err))
	}
	return err
}

// inheritFrom gives f what the old file has beside its bytes, and fails if the old
// one could not have been written.
func (s *Server) inheritFrom(f *os.File, old seen) error {
	was, err := s.tree.root.OpenFile(old.real, os.O_WRONLY|openNonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer was.Close()
	inherit(f, was, old.info)
	return nil
}

// seal makes a staged file's bytes last and gives it an mtime of its own.
func (s *Server) seal(f *os.File, g *staged) error { return s.sealAt(f, g.at, g.name()) }

func (s *Server) sealAt(f *os.File, in *tree, rel string) error {
	t := s.nextStamp()
	if err := in.root.Chtimes(rel, t, t); err != nil {
		return err
	}
	return f.Sync()
}
