package locks

import (
	"context"
	"io"
	"strings"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// announcement is where our lock file for the file at p goes; "" if none is
// written.
func (l *Locks) announcement(p dav.Path) dav.Path {
	if !l.Announce {
		return ""
	}
	at, err := p.Parent().Join(".~lock." + p.Base() + "#")
	if err != nil {
		return "" // too long a name
	}
	return at
}

// announce writes LibreOffice's lock file beside the file of the held row r,
// because a DAV lock is invisible to those who come by SMB. It is noted first, so
// that neither a crash nor an outage leaves a lock file that nobody removes. A
// lock holds without it, so a failure is only told.
func (l *Locks) announce(ctx context.Context, view *davbackend.View, r *row) {
	at := l.announcement(r.path)
	if at == "" {
		return
	}
	now, err := l.now(ctx)
	if err != nil {
		l.failed("announcing a lock", err)
		return
	}
	text := formatLockFile(r.actor.Name, r.nonce, now)
	if err := l.noteLockFile(ctx, r, at, text, now); err != nil {
		l.failed("announcing a lock", err)
		return
	}
	err = view.Put(ctx, at, davbackend.Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
		Size: int64(len(text)),
		Type: "text/plain; charset=utf-8",
	}, davbackend.Condition{Absent: true})
	if unclear(err) {
		l.failed("announcing a lock", err)
	}
	l.tidy(ctx, r.file) // the lock may have been given up while we wrote
}

// announceAnew replaces the lock files of the file of r, whose DAV lock or place
// has changed.
func (l *Locks) announceAnew(ctx context.Context, view *davbackend.View, r *row) {
	l.tidy(ctx, r.file)
	l.announce(ctx, view, r)
}
