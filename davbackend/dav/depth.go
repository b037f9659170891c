package dav

import (
	"fmt"
	"strings"
)

// A Depth is the value of a Depth header (RFC 4918 10.2).
type Depth int

const (
	Depth0 Depth = iota
	Depth1
	DepthInfinity
)

// ParseDepth reads a Depth; "infinite", which some servers say in lockdiscovery, is
// infinity too. Anything else is [ErrSyntax].
func ParseDepth(s string) (Depth, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "0":
		return Depth0, nil
	case s == "1":
		return Depth1, nil
	case strings.EqualFold(s, "infinity"), strings.EqualFold(s, "infinite"):
		return DepthInfinity, nil
	}
	return 0, fmt.Errorf("%w: depth is not 0, 1 or infinity", ErrSyntax)
}

// String prints d as it stands in the header.
func (d Depth) String() string {
	switch d {
	case Depth0:
		return "0"
	case Depth1:
		return "1"
	}
	return "infinity"
}
