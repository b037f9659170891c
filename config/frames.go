package config

import "strings"

// checkFrames notes ancestors that are no origins: a browser compares scheme, host and port,
// and a wildcard would let everybody in.
func (r *reader) checkFrames(c *Config) {
	for i, u := range c.FrameAncestors {
		where := at("frame_ancestors", i)
		switch {
		case u.URL == nil:
			r.fault(where, "is empty; an entry is an address such as https://portal.example.org")
		case strings.Contains(u.Host, "*"):
			r.fault(where, "%q: each origin is named; there are no wildcards", u.Host)
		case strings.Trim(u.Path, "/") != "":
			r.fault(where, "%s: wants scheme, host and port only", u)
		}
	}
}

// Ancestors are the origins whose pages may frame a host page, as browsers write them.
func (c *Config) Ancestors() []string {
	var list []string
	for _, u := range c.FrameAncestors {
		list = append(list, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return list
}
