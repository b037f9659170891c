package localdav

import (
	"context"
	"os"
	"path"
)

// A staged is a hidden name next to where something is to be, or was. It holds on to the
// folder, which may move while nobody stands at the gate. Whoever makes one discards it,
// once; what has been installed is not there any more then.
type staged struct {
	rel string // as of staging
	at  *tree  // the folder, wherever it is
}

func (g *staged) name() string { return path.Base(g.rel) }

// stage finds a fresh hidden name in dir: 409 if that is no folder.
func (s *Server) stage(ctx context.Context, dir string) (*staged, error) {
	if _, err := s.tree.folder(dir); err != nil {
		return nil, noParent(err)
	}
	rel, err := s.temps.name(ctx, s.state, dir)
	if err != nil {
		return nil, err
	}
	root, err := s.tree.root.OpenRoot(dir)
	if err != nil {
		return nil, noParent(err)
	}
	return &staged{rel, &tree{root: root, own: s.tree.own}}, nil
}

// stageFile makes an empty hidden file in dir. If it fails, there is nothing to discard.
func (s *Server) stageFile(ctx context.Context, dir string) (*os.File, *staged, error) {
	g, err := s.stage(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	f, err := g.at.root.OpenFile(g.name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		s.discard(ctx, g)
		return nil, nil, err
	}
	return f, g, nil
}

// stageFolder makes an empty hidden folder in dir. If it fails, there is nothing to discard.
func (s *Server) stageFolder(ctx context.Context, dir string) (*staged, error) {
	g, err := s.stage(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := g.at.root.Mkdir(g.name(), 0o777); err != nil {
		s.discard(ctx, g)
		return nil, err
	}
	return g, nil
}

// discard removes what is staged at g, if anything, and returns what resisted. That
// stays hidden and goes at the next Open.
func (s *Server) discard(ctx context.Context, g *staged) []failure {
	defer g.at.root.Close()
	i, err := g.at.look(g.name())
	switch {
	case err != nil:
		return nil
	case i.dir():
		return s.removeTree(context.WithoutCancel(ctx), g.at, g.name())
	}
	if err := g.at.root.Remove(g.name()); err != nil {
		return []failure{{"", err}}
	}
	return nil
}
