package ecosystem

import (
	"context"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
)

// getRootContainer is WOPI's GetRootContainer: the highest container that the grant
// can see.
func (e *Ecosystem) getRootContainer(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	root, err := e.Root(ctx, q)
	if err != nil {
		return wopi.Response{}, err
	}
	info, err := e.Info(ctx, root)
	if err != nil {
		return wopi.Response{}, err
	}
	return wopi.Response{JSON: wopi.RootContainer{ContainerPointer: e.Pointer(root, root.Known), ContainerInfo: &info}}, nil
}
