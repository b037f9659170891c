package endpoint

import (
	"context"
	"time"

	"davwopi/bridge/access"
	"davwopi/idmap"
	"davwopi/idmap/sqldb"
)

// A state database that several bridges share may be away for a moment: it restarts, or
// another machine takes its place. A request waits for so long before its body is read;
// after that the editor is told to come again.
const (
	databasePatience = 10 * time.Second
	databasePause    = 250 * time.Millisecond
	databaseRetry    = 5 * time.Second // Retry-After
)

// enter opens the token.
func (d door) enter(ctx context.Context, token string, file idmap.FileID) (access.Grant, int64, error) {
	for end := time.Now().Add(databasePatience); ; {
		grant, floor, err := d.open(ctx, token, file)
		if !sqldb.IsUnavailable(err) || time.Now().After(end) {
			return grant, floor, err
		}
		select {
		case <-ctx.Done():
			return grant, floor, err
		case <-time.After(databasePause):
		}
	}
}
