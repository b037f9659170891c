package locks

import "context"

// IsMember tells whether a grant takes part in an editing: only its members may go
// on saving after they have signed out.
func (l *Locks) IsMember(ctx context.Context, editing int64, member string) (bool, error) {
	return isMember(ctx, l.DB.Read(), editing, member)
}
