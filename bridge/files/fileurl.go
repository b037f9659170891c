package files

import (
	"context"
	"fmt"

	"davwopi/bridge/endpoint"
	"davwopi/bridge/wopi"
	"davwopi/idmap"
)

// getFileURL serves the address of CheckFileInfo's FileUrl: the bytes of the revision
// that it was given out for, or of what an editing has made of it since. Contents that
// came from elsewhere are another file to whoever has the address: they are not found.
// For the base of an editing it counts as GetFile.
func (f *Files) getFileURL(ctx context.Context, q *endpoint.Request) (wopi.Response, error) {
	return f.get(ctx, q, func(revision int64) error {
		if revision == q.Floor {
			return nil
		}
		ours, err := f.Locks.IsBase(ctx, q.File, revision)
		if err == nil && (!ours || revision < q.Floor) {
			err = fmt.Errorf("files: the address is of revision %d: %w", q.Floor, idmap.ErrNotFound)
		}
		return err
	})
}
