package containers

import (
	"net/http"

	"github.com/gorilla/mux"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// Containers serves /wopi/containers/{id}. Endpoint is set before use; it may be used
// concurrently.
type Containers struct {
	*endpoint.Endpoint
}

// Mount adds the routes of the containers endpoint to r, if it is offered.
func (c *Containers) Mount(r *mux.Router) {
	if !c.Offers.Containers {
		return
	}
	table := c.operations()
	id := func(r *http.Request) string { return mux.Vars(r)["id"] }
	for _, suffix := range []string{"", "children", "ancestry", "ecosystem_pointer"} {
		path := "/wopi/containers/{id}"
		if suffix != "" {
			path += "/" + suffix
		}
		r.Handle(path, c.ContainerHandler(table, suffix, id))
	}
}

func (c *Containers) operations() endpoint.Table {
	const refused = http.StatusNotImplemented
	return endpoint.Table{
		wopi.OpCheckContainerInfo:   {Run: c.checkContainerInfo},
		wopi.OpCreateChildContainer: {Run: c.createChildContainer, Edit: true, Denied: refused},
		wopi.OpCreateChildFile:      {Run: c.createChildFile, Edit: true, Denied: refused},
		wopi.OpDeleteContainer:      {Run: c.deleteContainer, Edit: true, Denied: refused, Account: true},
		wopi.OpRenameContainer:      {Run: c.renameContainer, Edit: true, Denied: refused, Account: true},
		wopi.OpEnumerateAncestors:   {Run: c.enumerateAncestors},
		wopi.OpEnumerateChildren:    {Run: c.enumerateChildren},
		wopi.OpGetEcosystem:         {Run: c.getEcosystem},
		wopi.OpGetShareUrl:          {Run: c.ShareURL, Account: true},
	}
}

// refused is 501 with a reason.
func refused(reason string, err error) error {
	return &wopi.Error{Status: http.StatusNotImplemented, Reason: reason, Err: err}
}

// mayChange asks whether q's person may rename or delete the container itself: not a
// root, not the top of what the grant can see, and nothing in it that the rules keep
// from this person.
func (c *Containers) mayChange(q *endpoint.Request, at idmap.Entry) bool {
	return q.Rights >= access.Edit && !at.Path.IsRoot() && !q.Grant.Guest() && q.Grant.Scope != at.ID &&
		c.Rules.AllowsGrantBelow(q.Grant, string(at.Path)) >= access.Edit
}
