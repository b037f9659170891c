package ecosystem

import (
	"context"

	"github.com/gorilla/mux"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// Ecosystem serves /wopi/ecosystem. All fields are set before use; it may be used
// concurrently.
type Ecosystem struct {
	*endpoint.Endpoint

	// Info is CheckContainerInfo's answer for the container of a request.
	Info func(context.Context, *endpoint.Request) (wopi.ContainerInfo, error)
}

// Mount adds the routes of the ecosystem endpoint to r, if it is offered.
func (e *Ecosystem) Mount(r *mux.Router) {
	if !e.Offers.Containers {
		return
	}
	table := endpoint.Table{
		wopi.OpCheckEcosystem:   {Run: e.checkEcosystem},
		wopi.OpGetRootContainer: {Run: e.getRootContainer},
		wopi.OpGetFileWopiSrc:   {Run: e.getFileWopiSrc},
	}
	r.Handle("/wopi/ecosystem", e.EcosystemHandler(table, ""))
	r.Handle("/wopi/ecosystem/root_container_pointer", e.EcosystemHandler(table, "root_container_pointer"))
}

// checkEcosystem is WOPI's CheckEcosystem.
func (e *Ecosystem) checkEcosystem(context.Context, *endpoint.Request) (wopi.Response, error) {
	return wopi.Response{JSON: wopi.EcosystemInfo{SupportsContainers: e.Offers.Containers}}, nil
}
