package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable: PostgreSQL does not answer, or not now. Whether a transaction that was
// just being committed has happened is not known. SQLite never says so.
var ErrUnavailable = errors.New("sqldb: the database does not answer")

const (
	connectLimit = 5 * time.Second // for a new connection, unless the URL says connect_timeout
	// A connection whose other end is gone without a word is noticed after half a minute.
	aliveAfter, aliveEvery, aliveTimes = 15 * time.Second, 5 * time.Second, 3
)

// IsUnavailable reports whether err says that the database could not be reached, has
// broken off, or takes no work now: it is worth trying again.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		// Connection exceptions; collisions without end; too many connections; shutting down,
		// crashed, starting up; a standby that takes no writes.
		return strings.HasPrefix(pe.Code, "08") || slices.Contains([]string{"40001", "40P01", "53300", "57P01", "57P02", "57P03", "25006"}, pe.Code)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrUnavailable) {
		return false
	}
	var ce *pgconn.ConnectError
	// What was never sent had a connection that had broken before.
	return pgconn.SafeToRetry(err) || errors.Is(err, ErrUnavailable) || errors.As(err, &ce) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

// dial connects to PostgreSQL, by connections that say what they are when they break.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveAfter, Interval: aliveEvery, Count: aliveTimes}}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, lost(err)
	}
	return lossy{c}, nil
}

// lossy marks the errors of a connection.
type lossy struct{ net.Conn }

func (c lossy) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, lost(err)
}

func (c lossy) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, lost(err)
}

// lost marks err, unless it says that a context has ended: pgx sets deadlines for that.
func lost(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, net.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
