package localdav

import (
	"errors"
	"net/http"
	"path"
)

// mkcol answers MKCOL (RFC 4918 9.3).
func (s *Server) mkcol(w http.ResponseWriter, r *request) error {
	if err := r.noBody(); err != nil {
		return err
	}
	ctx := r.Context()
	err := s.change(ctx, func() error {
		o, exists, err := s.target(ctx, r.path)
		if err != nil {
			return err
		}
		if err := s.check(ctx, r, o, exists, claimsOf(o.place, true, false)...); err != nil {
			return err
		}
		if exists {
			return refusal(http.StatusMethodNotAllowed, errors.New("localdav: something is there"))
		}
		g, err := s.stageFolder(ctx, path.Dir(o.real))
		if err != nil {
			return err
		}
		defer s.discard(ctx, g)
		_, err = s.install(ctx, installation{staged: g.rel, to: place{r.path, o.real, o.real}})
		return err
	})
	if err != nil {
		return err
	}
	return finish(w, http.StatusCreated)
}
