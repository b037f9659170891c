package containers

import (
	"context"

	"davwopi/bridge/access"
	"davwopi/bridge/endpoint"
	"davwopi/bridge/locks"
	"davwopi/bridge/wopi"
	"davwopi/davbackend/dav"
)

// checkContainerInfo is WOPI's CheckContainerInfo.
func (c *Containers) checkContainerInfo(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	info, err := c.Info(ctx, q)
	return wopi.Response{JSON: info}, err
}

// Info is CheckContainerInfo's answer for the container of q, which is looked at.
func (c *Containers) Info(ctx context.Context, q *endpoint.Request) (wopi.ContainerInfo, error) {
	if q.IsTop() {
		return wopi.ContainerInfo{
			Name:                         c.NameOf(q, q.Known),
			HostUrl:                      c.URLs.Public.JoinPath("/").String(),
			LicenseCheckForEditIsEnabled: c.Offers.BusinessUsers,
		}, nil
	}
	t, err := c.Seen(ctx, q)
	if err != nil {
		return wopi.ContainerInfo{}, err
	}
	return c.describe(q, t), nil
}

// describe is what the container is and what this person may do.
func (c *Containers) describe(q *endpoint.Request, t locks.Target) wopi.ContainerInfo {
	mayWrite, mayChange := q.Rights >= access.Edit, c.mayChange(q, t.File)
	return wopi.ContainerInfo{
		Name:                         c.NameOf(q, t.File),
		HostUrl:                      c.URLs.Through(q.Grant.Share).Folder(t.File.ID),
		SharingUrl:                   c.SharingURL(q),
		SupportedShareUrlTypes:       c.ShareTypes(q),
		UserCanCreateChildContainer:  mayWrite && t.Seen.May(dav.CreateContainer),
		UserCanCreateChildFile:       mayWrite && t.Seen.May(dav.CreateFile),
		UserCanDelete:                mayChange && t.Seen.May(dav.Delete),
		UserCanRename:                mayChange && t.Seen.May(dav.Rename),
		IsAnonymousUser:              q.Grant.Guest(),
		LicenseCheckForEditIsEnabled: c.Offers.BusinessUsers,
	}
}
