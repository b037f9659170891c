package containers_test

import (
	"testing"

	"go.uber.org/goleak"

	"davwopi/bridge/wopi"
	"davwopi/davbackend"
	"davwopi/test/rooms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Headers of Office's apps, and of names.
const (
	userAgent = "User-Agent"
	native    = "Microsoft Office Word iOS"
	suggested = wopi.HeaderSuggestedTarget
	exact     = wopi.HeaderRelativeTarget
	requested = wopi.HeaderRequestedName
)

// ecosystemOf is the address that GetEcosystem gives.
func ecosystemOf(t *testing.T, h *rooms.House, address string) string {
	t.Helper()
	var got wopi.URLInfo
	h.Get(address, "ecosystem_pointer").Into(t, &got)
	return got.Url
}

var noCondition davbackend.Condition
