package locks

import (
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func contains(s, part string) bool { return strings.Contains(s, part) }

func noBytes() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }

func bytesOf(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}
