package access

import (
	"davwopi/davbackend/dav"
	"davwopi/oauth"
)

// Entrances are the highest containers of an upstream that the rules let p see: its
// root, or else the subtrees that rules name, none of which lies in another one.
func (r Rules) Entrances(p oauth.Principal, upstream string) []dav.Path {
	if r.Allows(p, upstream, "/") >= View {
		return []dav.Path{dav.Root}
	}
	var visible []dav.Path
	for _, rule := range r {
		path, err := dav.ParsePath(rule.Path)
		if err != nil || rule.Upstream != "" && rule.Upstream != upstream || r.Allows(p, upstream, string(path)) < View {
			continue
		}
		visible = append(visible, path)
	}
	var highest []dav.Path
	for i, path := range visible {
		covered := false
		for j, other := range visible {
			covered = covered || i != j && other.Contains(path) && (other != path || j < i)
		}
		if !covered {
			highest = append(highest, path)
		}
	}
	return highest
}
