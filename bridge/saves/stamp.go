package saves

import (
	"context"

	"davwopi/davbackend/dav"
)

// stampTemp gives the temp the stamp that the file bears, with the next serial, before it
// is moved over the file: the file's own would be lost. It costs one request, for files
// that bear one; what comes to nothing is made good at the next opening.
func (d *delivery) stampTemp(ctx context.Context) {
	if d.was.Stamp == "" || d.file == "" || d.stampOn == d.r.temp {
		return
	}
	lost := d.was
	lost.Stamp = ""
	stamp, err := d.s.IDs.NextStamp(ctx, d.t.File.Space, d.file, lost)
	if err != nil || stamp == "" {
		return
	}
	if err := d.view.WriteStamp(ctx, d.r.temp, stamp, zeroCondition); err == nil {
		d.stamp, d.stampOn = stamp, d.r.temp
	}
}

// stamped records the stamp that the file was seen to bear after the save. Without it the
// file is only known less well.
func (d *delivery) stamped(ctx context.Context, res dav.Resource) {
	if err := d.s.IDs.Stamped(ctx, d.t.File.Space, d.file, d.stamp, res); err != nil && d.s.OnError != nil {
		d.s.OnError("saves: recording a stamp", err)
	}
}
