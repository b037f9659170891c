package davbackend

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Silent is since when no request to this upstream has been answered, on the local clock;
// zero while the last one was, and before the first. An answer of a proxy that the
// upstream is not there (502, 503, 504) is none.
func (c *Client) Silent() time.Time {
	if ns := c.silent.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// observed takes note of a request, and tells of it; resp is nil if no answer came. One
// that its caller gave up says nothing.
func (c *Client) observed(ctx context.Context, method string, resp *http.Response, took time.Duration) {
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	switch status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			c.silent.CompareAndSwap(0, time.Now().UnixNano())
		}
	default:
		c.silent.Store(0)
	}
	if c.Observe != nil {
		c.Observe(method, status, took)
	}
}
