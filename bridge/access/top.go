package access

import (
	"context"

	"davwopi/idmap"
)

// Ecosystem stands for WOPI's ecosystem, which is no resource, in derived tokens: a
// token of it opens nothing else. No resource is ever called so: the last character
// of a real ID carries three bits, and this one carries others.
const Ecosystem idmap.FileID = "ecosystemecosystemecosystb"

// Top returns the container that holds the roots of all upstreams and lies on none
// of them. As a grant's Scope it stands for everything that the person can reach on
// every upstream. Its ID is made once, as the root of a space that belongs to no
// upstream (no upstream can be called ""), so it is the same for everybody, on every
// replica and after every restart.
func (u *Upstreams) Top(ctx context.Context) (idmap.Entry, error) {
	space, err := u.IDs.Space(ctx, "", "")
	if err != nil {
		return idmap.Entry{}, wrap("top", err)
	}
	top, err := u.IDs.Root(ctx, space)
	if err != nil {
		return idmap.Entry{}, wrap("top", err)
	}
	return top, nil
}
