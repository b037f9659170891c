package wopi

import "time"

// unixTicks is 1970-01-01T00:00:00Z in ticks.
const unixTicks = 621355968000000000

const ticksPerSecond = 10_000_000

// Ticks returns t as X-WOPI-TimeStamp has it: intervals of 100 ns since
// 0001-01-01T00:00:00Z, cut down.
func Ticks(t time.Time) int64 {
	return t.Unix()*ticksPerSecond + int64(t.Nanosecond()/100) + unixTicks
}

// FromTicks is the reverse of [Ticks], in UTC. Any n gives some time; whether
// that time is believable is for the caller to say.
func FromTicks(n int64) time.Time {
	sec, rest := n/ticksPerSecond, n%ticksPerSecond
	const unixSeconds = unixTicks / ticksPerSecond
	return time.Unix(sec-unixSeconds, rest*100).UTC()
}

// TimeFormat is the layout of LastModifiedTime in UTC: seven digits, as .NET's
// round-trip format has them.
const TimeFormat = "2006-01-02T15:04:05.0000000Z"
