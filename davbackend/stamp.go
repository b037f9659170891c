package davbackend

import (
	"context"
	"fmt"

	"davwopi/davbackend/dav"
)

// maxStamp bounds the bytes of a stamp; what is longer is nobody's.
const maxStamp = 200

// stamps reports whether files of this upstream are asked for their stamps.
func (c *Client) stamps() bool { return c.Stamp != dav.PropName{} && c.Profile().Stamps }

// readStamp takes the stamp out of the other properties of res, if it was asked for.
func (v *View) readStamp(res *dav.Resource, asked bool) {
	if !asked {
		return
	}
	res.Stamp, res.StampKnown = res.Props[v.client.Stamp], true
	if len(res.Stamp) > maxStamp {
		res.Stamp = ""
	}
	if delete(res.Props, v.client.Stamp); len(res.Props) == 0 {
		res.Props = nil
	}
}

// WriteStamp writes a stamp on the file at p (PROPPATCH), without a look whether it is
// there afterwards: the next [View.Stat] shows it. It returns [dav.ErrUnsupported]
// where the profile says that stamps are not kept, and the errors of [View.SetProps].
func (v *View) WriteStamp(ctx context.Context, p dav.Path, stamp string, c Condition) error {
	if !v.client.stamps() {
		return fmt.Errorf("davbackend: stamp: %w", dav.ErrUnsupported)
	}
	return v.setProps(ctx, p, map[dav.PropName]string{v.client.Stamp: stamp}, c)
}
