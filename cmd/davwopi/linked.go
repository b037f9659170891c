package main

import (
	"context"
	"errors"
	"fmt"

	"davwopi/bridge/access"
	"davwopi/idmap"
)

// linked is to what the link with that secret leads.
func (h *house) linked(ctx context.Context, secret string) (idmap.FileID, error) {
	found, err := h.shares.Find(ctx, secret)
	if errors.Is(err, access.ErrShare) || errors.Is(err, access.ErrShareOver) {
		return "", fmt.Errorf("%w: %w", idmap.ErrNotFound, err)
	}
	return found.Resource, err
}
