package dav

import (
	"strconv"
	"strings"
	"time"
)

// maxTimeout is the longest Second-N of RFC 4918 10.7, 2^32-1.
const maxTimeout = (1<<32 - 1) * time.Second

// ParseTimeout reads a timeout of RFC 4918 10.7, the first understood one if there
// are several. 0 is "unknown": Infinite, Infinity, Second-0, "Second-" and anything
// else. Callers assume 600 s then, since servers say these for locks that do end.
func ParseTimeout(s string) time.Duration {
	if len(s) > 256 {
		return 0
	}
	for one := range strings.SplitSeq(s, ",") {
		kind, number, _ := strings.Cut(strings.TrimSpace(one), "-")
		if !strings.EqualFold(kind, "second") {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil || n == 0 {
			continue
		}
		return min(time.Duration(min(n, 1<<32))*time.Second, maxTimeout)
	}
	return 0
}

// FormatTimeout prints the one value that may be sent, "Second-N", rounded up and
// kept within 1 and 2^32-1. Never send lists: "Infinite, Second-4100000000", the
// example of RFC 4918, hangs lighttpd 1.4.69.
func FormatTimeout(d time.Duration) string {
	d = min(max(d, time.Second), maxTimeout)
	return "Second-" + strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
