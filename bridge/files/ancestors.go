package files

import (
	"context"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// enumerateAncestors is WOPI's EnumerateAncestors: the folders above, root first,
// those that the grant cannot see cut off.
func (f *Files) enumerateAncestors(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	above, err := f.IDs.Ancestors(ctx, q.Grant.Space, q.File)
	if err != nil {
		return wopi.Response{}, err
	}
	var answer wopi.Ancestors
	inside := q.Grant.Scope == ""
	for _, a := range above {
		inside = inside || a.ID == q.Grant.Scope
		if !inside || f.Rules.Allows(q.Grant.Principal, q.Grant.Upstream, string(a.Path)) < access.View {
			continue
		}
		name := a.Name
		if a.Path.IsRoot() {
			name = f.RootName(q.Grant.Upstream)
		}
		answer.AncestorsWithRootFirst = append(answer.AncestorsWithRootFirst, wopi.Pointer{Name: name, Url: f.Source(q, a)})
	}
	return wopi.Response{JSON: answer}, nil
}
