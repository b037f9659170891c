package profile

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// The steps about what the upstream says that this account may do.

// privileges compares the privileges that are shown with what has just been done: this
// file was written, into this folder.
func (m *measuring) privileges(ctx context.Context) error {
	m.f.Privileges = "none"
	if !slices.Contains(words(m.propset), "access-control") {
		return nil
	}
	said := true
	for p, done := range map[dav.Path]dav.Permission{m.file: dav.WriteContents, m.dir: dav.CreateFile} {
		res, ok, err := m.look(ctx, p, dav.PropPrivileges)
		if err != nil {
			return err
		}
		said = said && ok && res.Privileges.Said
		if said && !res.May(done) {
			m.f.Privileges = "wrong"
			return nil
		}
	}
	if said {
		m.f.Privileges = "right"
	}
	return nil
}

// noWriting asks, where no folder could be made, what can be done at a name that is
// free. Neither PUT nor MKCOL is a server on which nothing can be written; one that
// does not say, or says that it can, may let write elsewhere.
func (m *measuring) noWriting(ctx context.Context) (bool, error) {
	a, err := m.v.Raw(ctx, davbackend.Raw{Method: http.MethodOptions, Path: child(dav.Root, prefix+"free")})
	if err != nil {
		return false, err
	}
	allow := words(strings.ToUpper(strings.Join(a.Header.Values("Allow"), ",")))
	return a.OK() && len(allow) > 0 && !slices.Contains(allow, http.MethodPut) && !slices.Contains(allow, "MKCOL"), nil
}

// words are those of a list in a header.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
