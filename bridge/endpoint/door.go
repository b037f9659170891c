package endpoint

import (
	"context"
	"net/http"

	"davwopi/bridge/access"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// A door is one kind of address: how its operations are read, what its ID names,
// and which tokens open it.
type door struct {
	suffix string // what follows the ID in the path: "", "contents", "ancestry"...
	id     func(*http.Request) string
	read   func(method, suffix string, h http.Header) wopi.Operation
	kind   idmap.Kind // of what the ID names; 0: the ecosystem, which is no resource
	open   func(ctx context.Context, token string, file idmap.FileID) (access.Grant, int64, error)
	signed bool // an editor that publishes keys signs its requests here
}

// open is the way in for all doors but FileUrl's.
func (e *Endpoint) open(ctx context.Context, token string, file idmap.FileID) (access.Grant, int64, error) {
	g, err := e.Tokens.Open(ctx, token, file)
	return g, 0, err
}

// Handler serves one route of a table of files: suffix is what follows the ID in the
// path ("", "contents", "ancestry"...), id gives the ID that the path names.
func (e *Endpoint) Handler(t Table, suffix string, id func(*http.Request) string) http.Handler {
	return e.handler(t, door{suffix: suffix, id: id, read: wopi.ReadOperation, kind: idmap.File, open: e.open, signed: true})
}

// ContainerHandler is [Endpoint.Handler] for containers.
func (e *Endpoint) ContainerHandler(t Table, suffix string, id func(*http.Request) string) http.Handler {
	return e.handler(t, door{suffix: suffix, id: id, read: wopi.ReadContainerOperation, kind: idmap.Container, open: e.open, signed: true})
}

// EcosystemHandler is [Endpoint.Handler] for the ecosystem. File and Known of its
// requests are zero.
func (e *Endpoint) EcosystemHandler(t Table, suffix string) http.Handler {
	id := func(*http.Request) string { return string(access.Ecosystem) }
	return e.handler(t, door{suffix: suffix, id: id, read: wopi.ReadEcosystemOperation, open: e.open, signed: true})
}

// FileURLHandler serves CheckFileInfo's FileUrl, which editors fetch without a
// signature. run gets requests whose Floor is set. Only tokens that were made for
// this open it, and they open nothing else.
func (e *Endpoint) FileURLHandler(run Operation, id func(*http.Request) string) http.Handler {
	t := Table{wopi.OpGetFile: {Run: run}}
	return e.handler(t, door{suffix: "contents", id: id, read: wopi.ReadOperation, kind: idmap.File, open: e.Tokens.OpenFileURL})
}
