package idmap

import (
	"context"
	"errors"
	"time"

	"davwopi/davbackend/dav"
)

// A SpaceID names a root: one upstream and one root key of it. It is stable.
type SpaceID int64

// Kind tells files from containers. An ID never changes its kind.
type Kind int

const (
	File      Kind = iota + 1
	Container      // a WebDAV collection
)

// String is "file" or "container".
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Container:
		return "container"
	}
	return "unknown"
}

// A Revision is one state of a file's contents as an office is told about it.
//
// Version and LastModified are ours and never recur for a file: see revision.go
// for why. They are stored, so they are the same whenever they are asked for.
type Revision struct {
	Number       int64  // grows by at least 1 with every revision; 0 for containers
	Version      string // WOPI's Version and X-WOPI-ItemVersion; unreserved characters of RFC 3986
	LastModified string // WOPI's LastModifiedTime: ISO 8601, UTC, seven fraction digits
	// What the upstream said about these contents.
	ETag     dav.ETag  // normalised: without W/; compare with dav.ETag.Same; "" unknown
	Size     int64     // bytes, -1 unknown
	Modified time.Time // zero unknown
	SHA256   []byte    // 32 bytes, nil unknown
}

// An Entry is a resource at its place in one space.
type Entry struct {
	ID       FileID
	Space    SpaceID
	Kind     Kind
	Path     dav.Path // where it is, or was last
	Name     string   // last segment of Path, "" for the root
	Revision Revision // zero for containers
	Missing  time.Time
	// Missing is zero if the resource was there when it was last looked for, else
	// since when it, or a folder above it, is not at Path.
}

// A Finder is how [Map.Find] looks at the upstream, as the person who asks.
// *davbackend.View satisfies it; the errors are those of package dav.
type Finder interface {
	// Stat is a PROPFIND of depth 0.
	Stat(ctx context.Context, p dav.Path, extra ...dav.PropName) (dav.Resource, error)
	// List is a PROPFIND of depth 1; it calls each for the members only, and
	// ends with each's error if that is not nil.
	List(ctx context.Context, p dav.Path, each func(dav.Resource) error) error
	// ByNativeID returns dav.ErrUnsupported where the upstream has no look-up.
	ByNativeID(ctx context.Context, nativeID string) (dav.Path, error)
}

var (
	// ErrNotFound: the ID, path, space or revision never was, or it died.
	ErrNotFound = errors.New("idmap: not found")
	// ErrMissing: the file is not where it was, nor within reach. The ID is kept.
	ErrMissing = errors.New("idmap: not found where it was")
	// ErrRoot: the operation cannot be done to the root of a space.
	ErrRoot = errors.New("idmap: it is the root")
	// ErrBelow: a container cannot be moved to a place below itself, nor anything
	// onto a container that holds it.
	ErrBelow = errors.New("idmap: one of both places lies below the other")
	// ErrKind: what was seen is a file and the ID a container's, or the reverse.
	ErrKind = errors.New("idmap: file and container mixed up")

	errTooDeep = errors.New("idmap: path has too many segments")
)

// maxDepth bounds the segments of a path. A path of 4,096 bytes, the most that
// Linux has, may hold more of them, but people's do not.
const maxDepth = 256
