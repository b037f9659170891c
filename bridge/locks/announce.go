package locks

import (
	"context"
	"errors"
	"io"
	"strings"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
)

// announcement is where our lock file for the file at p goes; "" if none is
// written. It stands in the row before the file is written, so that a crash
// leaves no lock file that nobody removes.
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

// announce writes LibreOffice's lock file where r says, because a DAV lock is
// invisible to those who come by SMB. A lock holds without it, so a failure is
// only told.
func (l *Locks) announce(ctx context.Context, view *davbackend.View, r *row) {
	if r.announced == "" {
		return
	}
	now, err := l.now(ctx)
	if err != nil {
		l.failed("announcing a lock", err)
		return
	}
	if err := l.noteAnnounced(ctx, r.file, r.nonce); err != nil {
		l.failed("announcing a lock", err)
		return
	}
	text := formatLockFile(r.actor.Name, r.nonce, now)
	err = view.Put(ctx, r.announced, davbackend.Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
		Size: int64(len(text)),
		Type: "text/plain; charset=utf-8",
	}, davbackend.Condition{Absent: true})
	if unclear(err) {
		l.failed("announcing a lock", err)
	}
	// The lock may have been given up while we wrote.
	present, err := readRow(ctx, l.DB.Read(), r.file)
	if err == nil && (present == nil || present.nonce != r.nonce || present.announced != r.announced) {
		err = l.unannounce(ctx, view, r.announced, r.nonce)
	}
	l.failed("announcing a lock", err)
}

// unannounce removes our lock file at p, if it still carries nonce. An error
// means that it may still be there.
func (l *Locks) unannounce(ctx context.Context, view *davbackend.View, p dav.Path, nonce string) error {
	if p == "" {
		return nil
	}
	b, err := readSmall(ctx, view, p)
	if err != nil {
		return worthRetrying(err)
	}
	if !(own{nonces: []string{nonce}}).wrote(b) {
		return nil
	}
	return worthRetrying(view.Delete(ctx, p, davbackend.Condition{}))
}

// worthRetrying keeps the errors after which something may still be there that
// can be released later.
func worthRetrying(err error) error {
	if unclear(err) || errors.Is(err, dav.ErrUnauthorized) {
		return err
	}
	return nil
}
