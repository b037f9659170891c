package davbackend

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"davwopi/davbackend/dav"
)

// SHA256 reads the file at p, of at most limit bytes, for its hash. A longer one is
// [dav.ErrUnsupported]; the other errors are those of [View.Get] and its body.
func (v *View) SHA256(ctx context.Context, p dav.Path, limit int64) ([]byte, error) {
	content, err := v.Get(ctx, p, 0, -1)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(content, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("davbackend: %w: the file is longer than %d bytes", dav.ErrUnsupported, limit)
	}
	return sum.Sum(nil), nil
}
