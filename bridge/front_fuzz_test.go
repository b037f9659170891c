package bridge

import (
	"io"
	"net/netip"
	"path"
	"strings"
	"testing"
)

// FuzzForwarded: of X-Forwarded-For only an address that no trusted proxy has is believed, and
// what the peer wrote itself changes nothing.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"1.1.1.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "[2001:db8::1]:9", "::ffff:10.0.0.2", "x,,", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		b := testBridge(io.Discard)
		peer := b.forwardedPeer([]string{value})
		if peer == "" {
			return
		}
		a, err := netip.ParseAddr(peer)
		if err != nil || b.trustsAddr(a) {
			t.Fatalf("%q: %q", value, peer)
		}
		if !strings.ContainsAny(value, ",") && b.forwardedPeer([]string{"6.6.6.6, " + value}) != peer {
			t.Fatalf("%q: what stands before it counts", value)
		}
	})
}

// FuzzCleanPath: what passes is what path.Clean leaves alone, but for a slash at the end.
func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b/", "/a/../b", "//a", "/a\\b", "/a\x00", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !isClean(p) {
			return
		}
		if cleaned := path.Clean(p); cleaned != p && cleaned+"/" != p {
			t.Fatalf("%q passes, and means %q", p, cleaned)
		}
	})
}
